//! What every store of accounts does. Each test gets two handles on one empty store.

use std::collections::BTreeMap;

use grok2api_kit::settings::Mode;
use grok2api_storage::{
    Error,
    accounts::{
        Accounts, Inserted, Status, StoredAccount, StoredFailure, StoredWindow, Tier, Token, WindowSource,
    },
};
use uuid::Uuid;

use crate::support::{Stand, account};

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    macro_rules! run {
        ($($name:ident),* $(,)?) => { $(
            let (one, other) = stand.two().await;
            $name(&*one.accounts(), &*other.accounts()).await;
        )* };
    }
    run! {
        everything_of_an_account_is_kept,
        a_known_token_keeps_its_account,
        a_removed_account_is_not_loaded_and_comes_back_under_its_id,
        an_update_of_an_old_version_is_refused,
        every_write_is_seen_by_the_other_handle,
        writers_side_by_side_lose_nothing,
        unknown_ids_are_nobody,
        what_was_removed_long_ago_is_forgotten,
        many_accounts_are_added_at_once,
        all_or_none_are_added,
    }
}

/// An account with nothing left at its default.
fn full() -> StoredAccount {
    let window = StoredWindow {
        total: Some(80),
        remaining: Some(79),
        length_ms: 72_000_000,
        reset_at: 5_000,
        closed_until: 6_000,
        source: WindowSource::Upstream,
        observed_at: 4_000,
    };
    StoredAccount {
        status: Status::Cooling { until: 9_000, cause: "502 Bad Gateway".into() },
        note: "bought in spring – 密".into(),
        tags: ["team a".into(), "密".into()].into(),
        priority: -3,
        enabled: false,
        user_id: Some("u1".into()),
        windows: BTreeMap::from([("normal".into(), window), ("heavy".into(), StoredWindow::default())]),
        failures: vec![StoredFailure {
            at: 1_500,
            outcome: "OUTCOME_UPSTREAM_FAILED".into(),
            cause: "502".into(),
            penalised: true,
        }],
        last_used_at: Some(2_000),
        ..StoredAccount::new(Uuid::now_v7(), Token::new("sim-super-0001"), Tier::Super, 1_000)
    }
}

async fn add(store: &dyn Accounts, account: StoredAccount) -> StoredAccount {
    store.insert(&[account]).await.unwrap()[0].account().clone()
}

async fn everything_of_an_account_is_kept(one: &dyn Accounts, other: &dyn Accounts) {
    let mut kept = add(one, full()).await;
    assert_eq!(StoredAccount { version: 0, ..kept.clone() }, StoredAccount { id: kept.id, ..full() });
    assert_eq!(other.load_all().await.unwrap(), [kept.clone()]);
    for status in [
        Status::Active,
        Status::Invalid { since: 1, cause: "401".into() },
        Status::Banned { since: 2, cause: "blocked".into() },
    ] {
        kept.status = status;
        (kept.tier, kept.enabled, kept.last_used_at) = (Tier::Heavy, true, None);
        kept.windows.clear();
        kept.tags.insert("more".into());
        (kept.priority, kept.failures) = (7, Vec::new());
        kept.version = one.update(&kept).await.unwrap();
        assert_eq!(other.get(kept.id).await.unwrap(), Some(kept.clone()));
    }
}

async fn a_known_token_keeps_its_account(one: &dyn Accounts, other: &dyn Accounts) {
    let first = add(one, account(1)).await;
    let twice = other.insert(&[account(1), account(2), account(2)]).await.unwrap();
    assert_eq!(twice[0], Inserted::Known(first.clone()));
    assert!(matches!(&twice[1], Inserted::Added(_)));
    assert_eq!(twice[2], Inserted::Known(twice[1].account().clone()), "also within one call");
    assert_eq!(one.load_all().await.unwrap().len(), 2);
}

async fn a_removed_account_is_not_loaded_and_comes_back_under_its_id(
    one: &dyn Accounts,
    other: &dyn Accounts,
) {
    let known = add(one, full()).await;
    assert!(one.remove(known.id, 7_000).await.unwrap());
    assert!(!other.remove(known.id, 8_000).await.unwrap(), "it is gone already");
    assert!(other.load_all().await.unwrap().is_empty());
    assert_eq!(other.get(known.id).await.unwrap().unwrap().deleted_at, Some(7_000));
    let fresh = StoredAccount { token: known.token.clone(), ..account(9) };
    let Inserted::Added(back) = other.insert(&[fresh]).await.unwrap().remove(0) else { panic!("not added") };
    assert_eq!((back.id, back.deleted_at, &back.status), (known.id, None, &Status::Active));
    assert_eq!(one.load_all().await.unwrap(), [back]);
}

async fn what_was_removed_long_ago_is_forgotten(one: &dyn Accounts, other: &dyn Accounts) {
    let (old, fresh) = (add(one, account(1)).await, add(one, account(2)).await);
    let kept = add(one, account(3)).await;
    one.remove(old.id, 1_000).await.unwrap();
    one.remove(fresh.id, 2_000).await.unwrap();
    assert_eq!(other.purge(2_000).await.unwrap(), 1);
    assert_eq!(one.get(old.id).await.unwrap(), None);
    assert!(one.get(fresh.id).await.unwrap().is_some(), "it may still come back");
    assert_eq!(one.load_all().await.unwrap(), [kept]);
}

async fn an_update_of_an_old_version_is_refused(one: &dyn Accounts, other: &dyn Accounts) {
    let mut mine = add(one, account(1)).await;
    let mut theirs = mine.clone();
    theirs.note = "theirs".into();
    theirs.version = other.update(&theirs).await.unwrap();
    mine.note = "mine".into();
    let refused = one.update(&mine).await;
    assert!(
        matches!(refused, Err(Error::Conflict { expected, found }) if expected == mine.version && found == theirs.version),
        "{refused:?}"
    );
    assert_eq!(one.get(mine.id).await.unwrap(), Some(theirs));
}

async fn every_write_is_seen_by_the_other_handle(one: &dyn Accounts, other: &dyn Accounts) {
    let start = other.version().await.unwrap();
    let mut first = add(one, account(1)).await;
    let second = add(one, account(2)).await;
    let changes = other.changed_since(start).await.unwrap();
    assert_eq!(changes.accounts.len(), 2);
    assert_eq!(changes.version, one.version().await.unwrap());

    first.note = "changed".into();
    first.version = one.update(&first).await.unwrap();
    let updated = other.changed_since(changes.version).await.unwrap();
    assert_eq!(updated.accounts, [first]);

    one.remove(second.id, 3).await.unwrap();
    let removed = other.changed_since(updated.version).await.unwrap();
    assert_eq!(removed.accounts.len(), 1);
    assert_eq!(removed.accounts[0].deleted_at, Some(3));
    assert!(other.changed_since(removed.version).await.unwrap().accounts.is_empty());
    assert_eq!(other.version().await.unwrap(), removed.version);
}

async fn writers_side_by_side_lose_nothing(one: &dyn Accounts, other: &dyn Accounts) {
    let write = async |store: &dyn Accounts, numbers: std::ops::Range<u32>| {
        for number in numbers {
            let mut kept = add(store, account(number)).await;
            kept.note = "written".into();
            store.update(&kept).await.unwrap();
        }
    };
    tokio::join!(write(one, 0..40), write(other, 40..80));
    let all = one.load_all().await.unwrap();
    assert_eq!(all.len(), 80);
    assert!(all.iter().all(|account| account.note == "written" && account.version == 2));
}

async fn unknown_ids_are_nobody(one: &dyn Accounts, _: &dyn Accounts) {
    assert_eq!(one.get(Uuid::now_v7()).await.unwrap(), None);
    assert!(!one.remove(Uuid::now_v7(), 1).await.unwrap());
    let refused = one.update(&account(1)).await;
    assert!(matches!(refused, Err(Error::Conflict { found: 0, .. })), "{refused:?}");
}

async fn many_accounts_are_added_at_once(one: &dyn Accounts, other: &dyn Accounts) {
    let accounts: Vec<_> = (0..1_200).map(account).collect();
    assert_eq!(one.insert(&accounts).await.unwrap().len(), 1_200);
    assert_eq!(other.load_all().await.unwrap().len(), 1_200);
    let again = other.insert(&accounts).await.unwrap();
    assert!(
        again
            .iter()
            .zip(&accounts)
            .all(|(known, account)| matches!(known, Inserted::Known(_)) && known.account().id == account.id)
    );
    for account in &accounts[..1_100] {
        one.remove(account.id, 5).await.unwrap();
    }
    assert_eq!(one.purge(6).await.unwrap(), 1_100);
    assert_eq!(other.load_all().await.unwrap().len(), 100);
}

async fn all_or_none_are_added(one: &dyn Accounts, other: &dyn Accounts) {
    let first = add(one, account(1)).await;
    // The same id under another token cannot be.
    let clash = StoredAccount { id: first.id, ..account(3) };
    let refused = one.insert(&[account(2), clash]).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(other.load_all().await.unwrap(), [first]);
}
