//! The command line and the server hold the same database.

use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use grok2api_proto::pool::{
    Account, ClearAccountsRequest, Outcome, RefreshAccountsRequest, RefreshProgress, RefreshResult,
    RemoveAccountsRequest, Status,
};
use grok2api_testkit::runtime_config;

use crate::{
    crowd::known_rows,
    refresh::simulated,
    support::{NOW, Started, lease, open, settle},
};

#[tokio::test]
async fn accounts_added_and_removed_elsewhere_are_noticed() {
    let server = Started::new().await;
    let cli = Started::with(server.dir.clone(), runtime_config(), None).await;
    cli.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    server.until(|accounts| accounts.len() == 2).await;
    let grant = server.pool.lease(lease(1)).await.unwrap();
    let accounts = vec![grant.token.clone()];
    cli.pool.remove_accounts(RemoveAccountsRequest { accounts }).await.unwrap();
    server.until(|accounts| accounts.len() == 1).await;
    assert!(!server.pool.settle(settle(&grant.lease_id, Outcome::Success, true)).await.unwrap().settled);
    cli.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_ban_reaches_the_other_process_and_its_clear_comes_back() {
    let server = Started::new().await;
    server.add(&["sim-basic-0001"]).await;
    let cli = Started::with(server.dir.clone(), runtime_config(), None).await;
    let grant = server.pool.lease(lease(1)).await.unwrap();
    server.pool.settle(settle(&grant.lease_id, Outcome::Banned, false)).await.unwrap();
    cli.until(|accounts| accounts[0].status() == Status::Banned).await;
    let cleared = cli.pool.clear_accounts(ClearAccountsRequest::default()).await.unwrap().cleared;
    assert_eq!(cleared, 1);
    cli.stop().await;
    server.until(|accounts| accounts[0].status() == Status::Active).await;
    server.stop().await;
}

#[tokio::test]
async fn two_processes_that_write_one_account_agree_in_the_end() {
    let server = Started::new().await;
    server.add(&["sim-basic-0001"]).await;
    let cli = Started::with(server.dir.clone(), runtime_config(), None).await;
    // Written behind, while the other process has changed the row already.
    let grant = server.pool.lease(lease(1)).await.unwrap();
    let mut row = cli.accounts.load_all().await.unwrap().remove(0);
    row.note = "changed meanwhile".into();
    cli.accounts.update(&row).await.unwrap();
    server.pool.settle(settle(&grant.lease_id, Outcome::Banned, false)).await.unwrap();
    server.stop().await;
    let kept = cli.accounts.load_all().await.unwrap().remove(0);
    assert_eq!(kept.note, "changed meanwhile");
    assert!(matches!(kept.status, grok2api_storage::accounts::Status::Banned { .. }));
    assert_eq!(kept.last_used_at, Some(server.clock.now_ms()));
}

/// What is left of the only account's normal window.
fn left(accounts: &[Account]) -> Option<u32> {
    let window = accounts[0].windows.iter().find(|window| window.class == "normal")?;
    Some(window.remaining? - window.reserved)
}

#[tokio::test]
async fn a_quota_that_the_command_line_reads_brings_no_unit_in_flight_back() {
    let (sim, upstream) = simulated().await;
    let server = Started::with(Arc::new(tempfile::tempdir().unwrap()), runtime_config(), None).await;
    server.accounts.insert(&known_rows(80)[..1]).await.unwrap();
    server.until(|accounts| accounts.len() == 1).await;
    // Two requests are under way, of which the upstream has counted none; one has ended a moment ago.
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(server.leased(4).await.lease_id);
    }
    server.pool.settle(settle(&leases[0], Outcome::Success, true)).await.unwrap();
    let cli = Started::with(server.dir.clone(), runtime_config(), Some(upstream)).await;
    // The clocks stand still, and what is read later must be told from what is known.
    cli.clock.advance(Duration::from_secs(1));
    let steps = cli.pool.refresh_accounts(RefreshAccountsRequest::default()).await.unwrap();
    let steps: Vec<RefreshProgress> = steps.try_collect().await.unwrap();
    assert_eq!(steps.last().unwrap().reports[0].result(), RefreshResult::Read);
    cli.stop().await;
    server.until(|accounts| accounts[0].windows[0].observed_at > NOW).await;
    assert_eq!(left(&server.list().await), Some(80 - 12), "all are counted as if the upstream had seen none");
    server.pool.settle(settle(&leases[1], Outcome::Success, true)).await.unwrap();
    server.pool.settle(settle(&leases[2], Outcome::RequestRefused, false)).await.unwrap();
    assert_eq!(left(&server.list().await), Some(80 - 8));
    server.stop().await;
    let kept = open(server.dir.path()).await.load_all().await.unwrap().remove(0);
    assert_eq!(kept.windows["normal"].remaining, Some(80 - 8), "and so it is written over what was read");
    drop(sim);
}

#[tokio::test]
async fn what_the_command_line_clears_brings_no_spent_unit_back() {
    let server = Started::new().await;
    server.accounts.insert(&known_rows(80)[..1]).await.unwrap();
    server.until(|accounts| accounts.len() == 1).await;
    let grant = server.pool.lease(lease(1)).await.unwrap();
    server.pool.settle(settle(&grant.lease_id, Outcome::RateLimited, false)).await.unwrap();
    let cli = Started::with(server.dir.clone(), runtime_config(), None).await;
    cli.until(|accounts| left(accounts) == Some(0)).await;
    let held = server.pool.clear_accounts(ClearAccountsRequest::default()).await;
    assert_eq!(held.unwrap().cleared, 1);
    let grant = server.leased(4).await;
    server.pool.settle(settle(&grant.lease_id, Outcome::Success, true)).await.unwrap();
    cli.pool.clear_accounts(ClearAccountsRequest::default()).await.unwrap();
    cli.stop().await;
    server.until(|accounts| left(accounts) == Some(76)).await;
    server.stop().await;
    let kept = open(server.dir.path()).await.load_all().await.unwrap().remove(0);
    assert_eq!((kept.windows["normal"].remaining, kept.windows["normal"].closed_until), (Some(76), 0));
}
