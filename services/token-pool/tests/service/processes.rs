//! The command line and the server hold the same database.

use grok2api_proto::pool::{ClearAccountsRequest, Outcome, RemoveAccountsRequest, Status};
use grok2api_testkit::runtime_config;

use crate::support::{Started, lease, settle};

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
