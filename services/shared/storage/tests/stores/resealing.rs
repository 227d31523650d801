//! Changing the sealing key: cut off and begun again, beside writers, and with a key that is taken away too early.

use std::collections::BTreeMap;

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{Damaged, Error, Resealed, Store, seal::KeyId, settings::Overrides};
use serde_json::json;

use crate::support::{KEY, OTHER_KEY, Stand, account, command, sql};

/// Accounts, two of them removed, and revisions in a store: 12 + 3 values and the check.
async fn fill(store: &Store) {
    let accounts: Vec<_> = (0..12).map(account).collect();
    store.accounts().insert(&accounts).await.unwrap();
    for gone in &accounts[..2] {
        store.accounts().remove(gone.id, 9).await.unwrap();
    }
    for number in 0..3 {
        store.settings().append(number, overrides(number), "admin", 1).await.unwrap();
    }
}

fn overrides(number: u64) -> Overrides {
    json!({"api_key": format!("secret-{number}")}).as_object().unwrap().clone()
}

/// Everything opens, and is what was put in.
async fn whole(store: &Store) {
    let changes = store.accounts().changed_since(0).await.unwrap();
    assert!(changes.accounts.len() >= 12);
    assert!(changes.accounts.iter().all(|account| account.token.expose().starts_with("sim-basic-")));
    let revisions = store.settings().list(None, 9).await.unwrap();
    let secrets: Vec<_> = revisions.into_iter().map(|revision| revision.overrides).collect();
    assert_eq!(secrets, [overrides(2), overrides(1), overrides(0)]);
}

/// The same store with other keys: `key` seals, those in `old` open as well.
fn with(settings: &Settings, key: &str, old: &str) -> Settings {
    let mut settings = settings.clone();
    (settings.seal.key, settings.seal.old_keys) = (key.to_owned(), old.to_owned());
    settings
}

async fn count(store: &Store) -> BTreeMap<KeyId, u64> {
    let mut counts = BTreeMap::new();
    for sealed in store.sealed().await.unwrap() {
        *counts.entry(sealed.key).or_default() += sealed.values;
    }
    counts
}

#[rstest::rstest]
#[tokio::test]
async fn a_change_that_is_cut_off_is_begun_again(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let before = Store::open(&settings).await.unwrap();
    fill(&before).await;
    let old = before.sealer().current();
    assert_eq!(count(&before).await, [(old, 16)].into());

    let changing = Store::open(&with(&settings, OTHER_KEY, KEY)).await.unwrap();
    let new = changing.sealer().current();
    assert_eq!(changing.reseal(6).await.unwrap().done, 6);
    changing.close().await;
    assert_eq!(count(&before).await, [(old, 10), (new, 6)].into());

    for (key, missing) in [(OTHER_KEY, old), (KEY, new)] {
        let Err(error) = Store::open(&with(&settings, key, "")).await else { panic!("a key is missing") };
        let text = error.to_string();
        assert!(matches!(error, Error::Seal(_)) && text.contains(&missing.to_string()), "{text}");
        assert!(text.contains("seal.old_keys") && !text.contains(KEY) && !text.contains(OTHER_KEY), "{text}");
    }

    let again = Store::open(&with(&settings, OTHER_KEY, KEY)).await.unwrap();
    whole(&again).await;
    assert_eq!(again.reseal(u64::MAX).await.unwrap().done, 10);
    assert_eq!(again.reseal(u64::MAX).await.unwrap().done, 0);
    let alone = Store::open(&with(&settings, OTHER_KEY, "")).await.unwrap();
    assert_eq!(count(&alone).await, [(new, 16)].into());
    whole(&alone).await;
}

#[rstest::rstest]
#[tokio::test]
async fn a_key_that_still_seals_one_value_may_not_go(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let before = Store::open(&settings).await.unwrap();
    fill(&before).await;
    Store::open(&with(&settings, OTHER_KEY, KEY)).await.unwrap().reseal(u64::MAX).await.unwrap();
    // A process that does not know of the new key yet.
    before.accounts().insert(&[account(20)]).await.unwrap();
    let Err(error) = Store::open(&with(&settings, OTHER_KEY, "")).await else { panic!("one value is lost") };
    let text = error.to_string();
    assert!(text.contains("1 in accounts") && text.contains("keys rotate"), "{text}");
    let again = Store::open(&with(&settings, OTHER_KEY, KEY)).await.unwrap();
    assert_eq!(again.reseal(u64::MAX).await.unwrap().done, 1);
    whole(&Store::open(&with(&settings, OTHER_KEY, "")).await.unwrap()).await;
}

#[rstest::rstest]
#[tokio::test]
async fn writers_side_by_side_lose_nothing(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let both = Store::open(&with(&settings, KEY, OTHER_KEY)).await.unwrap();
    fill(&both).await;
    let changing = Store::open(&with(&settings, OTHER_KEY, KEY)).await.unwrap();
    let write = async {
        for number in 100..160 {
            let mut kept = both.accounts().insert(&[account(number)]).await.unwrap()[0].account().clone();
            kept.note = "written".to_owned();
            both.accounts().update(&kept).await.unwrap();
        }
    };
    let reseal = async {
        for _ in 0..40 {
            changing.reseal(5).await.unwrap();
        }
    };
    tokio::join!(write, reseal);
    changing.reseal(u64::MAX).await.unwrap();
    let alone = Store::open(&with(&settings, OTHER_KEY, "")).await.unwrap();
    whole(&alone).await;
    let kept = alone.accounts().load_all().await.unwrap();
    assert_eq!(kept.iter().filter(|account| account.note == "written").count(), 60);
}

/// The key in the data directory: a process that runs meanwhile finds the new one by itself.
#[rstest::rstest]
#[tokio::test]
async fn a_running_process_takes_the_new_key_of_the_file(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    let settings = with(&stand.settings().await, "", "");
    let running = Store::open(&settings).await.unwrap();
    fill(&running).await;
    let old = running.sealer().current();

    let changing = Store::open(&settings).await.unwrap();
    let new = changing.sealer().make_key().unwrap().unwrap();
    assert_eq!(changing.sealer().keys(), [new, old]);
    changing.reseal(u64::MAX).await.unwrap();
    running.follow_key().await.unwrap();
    assert_eq!(running.sealer().current(), new);
    whole(&running).await;
    running.accounts().insert(&[account(20)]).await.unwrap();
    assert_eq!(count(&running).await, [(new, 17)].into());

    let file = settings.data.dir.join("master.key");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.lines().next().unwrap()).unwrap();
    whole(&Store::open(&settings).await.unwrap()).await;
}

/// A process that has only the old key says so, and goes on with what it can read.
#[rstest::rstest]
#[tokio::test]
async fn a_process_without_the_new_key_is_told(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let running = Store::open(&settings).await.unwrap();
    fill(&running).await;
    running.follow_key().await.unwrap();
    Store::open(&with(&settings, OTHER_KEY, KEY)).await.unwrap().reseal(1).await.unwrap();
    let text = running.follow_key().await.unwrap_err().to_string();
    assert!(text.contains("sealed with key") && text.contains("seal.key"), "{text}");
    whole(&running).await;
}

/// Two values that were damaged: everything else is put under the new key, and they are named.
#[rstest::rstest]
#[tokio::test]
async fn damaged_values_are_named_and_hold_up_nothing(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let before = Store::open(&settings).await.unwrap();
    fill(&before).await;
    let old = before.sealer().current();
    let hurt = before.accounts().load_all().await.unwrap()[3].id;
    let value = before.sealer().seal(b"another row", b"x").unwrap();
    if mode == Mode::Redis {
        for (key, field) in
            [(format!("{{g2a}}:account:{hurt}"), "sealed"), ("{g2a}:settings:revision:2".into(), "overrides")]
        {
            command(&settings, redis::cmd("HSET").arg(key).arg(field).arg(&value)).await;
        }
    } else {
        let value: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = hurt.simple();
        sql(&settings, &format!("UPDATE accounts SET sealed_token = x'{value}' WHERE id = x'{id}'")).await;
        sql(&settings, &format!("UPDATE settings_revisions SET overrides = x'{value}' WHERE number = 2"))
            .await;
    }
    let changing = Store::open(&with(&settings, OTHER_KEY, KEY)).await.unwrap();
    let resealed = changing.reseal(u64::MAX).await.unwrap();
    let damaged = |kind, row: String| Damaged { kind, row, key: Some(old) };
    let both = vec![damaged("accounts", hurt.to_string()), damaged("settings_revisions", "2".to_owned())];
    assert_eq!(resealed, Resealed { done: 14, damaged: both });
    assert_eq!(count(&changing).await, [(old, 2), (changing.sealer().current(), 14)].into());
    assert_eq!(changing.accounts().load_all().await.unwrap().len(), 9);
}
