//! Many callers at once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use grok2api_proto::pool::{Account, Outcome, RemoveAccountsRequest, RestoreAccountsRequest, TokenPool};
use grok2api_storage::accounts::{StoredAccount, StoredWindow, Tier, Token, WindowSource};
use grok2api_testkit::runtime_config;
use uuid::Uuid;

use crate::support::{NOW, Started, lease, open, settle};

pub(crate) const ACCOUNTS: u32 = 5;
pub(crate) const UNITS: u32 = 80;
const CALLERS: u32 = 32;

async fn known(units: u32) -> Started {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    open(dir.path()).await.insert(&known_rows(units)).await.unwrap();
    Started::with(dir, runtime_config(), None).await
}

/// Accounts whose windows are known to hold so many units.
pub(crate) fn known_rows(units: u32) -> Vec<StoredAccount> {
    let window = StoredWindow {
        total: Some(UNITS),
        remaining: Some(units),
        length_ms: 72_000_000,
        source: WindowSource::Upstream,
        observed_at: NOW,
        ..StoredWindow::default()
    };
    (0..ACCOUNTS)
        .map(|number| StoredAccount {
            windows: BTreeMap::from([("normal".to_owned(), window.clone())]),
            ..StoredAccount::new(
                Uuid::now_v7(),
                Token::new(format!("sim-basic-{number:04}")),
                Tier::Basic,
                NOW,
            )
        })
        .collect()
}

/// Leases until nothing is left. Every third request is not charged. Returns the units spent.
pub(crate) async fn use_up(pool: Arc<dyn TokenPool>, caller: u32) -> u32 {
    let mut spent = 0;
    for turn in caller.. {
        let cost = 1 + turn % 4;
        match pool.lease(lease(cost)).await {
            Ok(grant) => {
                tokio::task::yield_now().await;
                let charged = turn % 3 != 0;
                pool.settle(settle(&grant.lease_id, Outcome::Success, charged)).await.unwrap();
                spent += if charged { cost } else { 0 };
            }
            Err(error) if error.code == "pool_saturated" => {}
            Err(error) if cost == 1 => {
                assert_eq!(error.code, "pool_exhausted");
                return spent;
            }
            Err(_) => {}
        }
    }
    spent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_callers_spend_every_unit_and_not_one_more() {
    let started = known(UNITS).await;
    let (done, mut results) = tokio::sync::mpsc::channel(CALLERS as usize);
    for caller in 0..CALLERS {
        let (pool, done) = (started.pool.clone(), done.clone());
        started.tasks.spawn("caller", async move { done.send(use_up(pool, caller).await).await.unwrap() });
    }
    drop(done);
    let mut spent = 0;
    while let Some(units) = results.recv().await {
        spent += units;
    }
    let left: u32 = started.list().await.iter().map(|account| account.windows[0].remaining.unwrap()).sum();
    assert_eq!(spent + left, ACCOUNTS * UNITS, "every unit is either spent or left");
    assert_eq!(left, 0, "a caller of one unit gave up only when none was left");
    started.stop().await;
    let kept = open(started.dir.path()).await.load_all().await.unwrap();
    assert!(
        kept.iter().all(|account| account.windows["normal"].remaining == Some(0)),
        "all of it is written"
    );
}

#[tokio::test]
async fn what_is_reserved_when_the_process_ends_counts_as_spent() {
    let started = known(UNITS).await;
    for _ in 0..3 {
        started.leased(4).await;
    }
    started.stop().await;
    let again = Started::with(started.dir.clone(), runtime_config(), None).await;
    let left: u32 = again.list().await.iter().map(|account| account.windows[0].remaining.unwrap()).sum();
    assert_eq!(left, ACCOUNTS * UNITS - 12);
}

/// What is left of every account, by its window.
fn left(accounts: &[Account]) -> Vec<u32> {
    accounts.iter().map(|account| account.windows[0].remaining.unwrap()).collect()
}

#[tokio::test]
async fn after_a_crash_what_it_may_have_forgotten_counts_as_spent_and_is_written_down_first() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    open(dir.path()).await.insert(&known_rows(UNITS)).await.unwrap();
    for crashes in 1..3 {
        // Each of them ends without a word.
        let started = Started::after_a_crash(dir.clone(), None).await;
        let known = started.list().await;
        assert_eq!(left(&known), [UNITS - crashes * UNITS / 4; ACCOUNTS as usize]);
        // Whoever is served is served by an account whose row knows of it.
        let grant = started.leased(1).await;
        let row = started.accounts.get(grant.account_id.parse().unwrap()).await.unwrap().unwrap();
        assert!(row.windows["normal"].remaining.unwrap() <= UNITS - crashes * UNITS / 4);
        let settled = started.pool.settle(settle(&grant.lease_id, Outcome::RequestRefused, false)).await;
        assert!(settled.unwrap().settled);
        started
            .until_written(|rows| {
                rows.iter().all(|row| row.windows["normal"].remaining == Some(UNITS - crashes * UNITS / 4))
            })
            .await;
        started.kill().await;
    }
}

/// Whether it was used lately or not: one that is refused for it would never be used, and so never be read.
#[tokio::test]
async fn a_window_that_a_crash_may_have_emptied_serves_again_once_it_is_reset() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut rows = known_rows(0);
    for row in &mut rows {
        row.windows.get_mut("normal").unwrap().reset_at = NOW + 60_000;
    }
    open(dir.path()).await.insert(&rows).await.unwrap();
    let started = Started::after_a_crash(dir, None).await;
    assert_eq!(started.pool.lease(lease(1)).await.unwrap_err().code, "pool_exhausted");
    started.clock.advance(Duration::from_secs(61));
    let began = std::time::Instant::now();
    started.pool.lease(lease(4)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "nobody waits for a row that nobody writes");
}

#[tokio::test]
async fn what_was_taken_of_an_account_is_known_when_it_is_brought_back() {
    let started = known(UNITS).await;
    let grant = started.leased(4).await;
    let settled = started.pool.settle(settle(&grant.lease_id, Outcome::Success, true)).await;
    assert!(settled.unwrap().settled);
    let id = vec![grant.account_id.clone()];
    started.pool.remove_accounts(RemoveAccountsRequest { accounts: id.clone() }).await.unwrap();
    started.pool.restore_accounts(RestoreAccountsRequest { ids: id }).await.unwrap();
    let back = started.list().await.into_iter().find(|account| account.id == grant.account_id);
    assert_eq!(back.unwrap().windows[0].remaining, Some(UNITS - 4));
}

#[tokio::test]
async fn more_than_a_quarter_is_not_taken_before_the_store_knows() {
    let started = known(UNITS).await;
    let mut held = Vec::new();
    for _ in 0..ACCOUNTS {
        for _ in 0..8 {
            held.push(started.leased(4).await);
        }
    }
    let mut taken = std::collections::BTreeMap::<String, u32>::new();
    held.iter().for_each(|grant| *taken.entry(grant.account_id.clone()).or_default() += 4);
    for row in started.accounts.load_all().await.unwrap() {
        let gone = UNITS - row.windows["normal"].remaining.unwrap();
        let taken = taken.get(&row.id.to_string()).copied().unwrap_or_default();
        assert!(taken <= gone + UNITS / 4, "{taken} taken, {gone} written down");
    }
    started.stop().await;
}
