//! Replicas of the pool over one store and one Redis.

use std::sync::Arc;

use futures_util::{StreamExt as _, future::join_all};
use grok2api_proto::pool::{
    ChangeAccountsRequest, EventKind, Outcome, RemoveAccountsRequest, TokenPool, WatchRequest,
};
use grok2api_testkit::{RedisServer, runtime_config};

use crate::{
    crowd::{ACCOUNTS, UNITS, known_rows, use_up},
    support::{Started, lease, open, settle},
};

async fn replicas(count: usize) -> Vec<Started> {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let redis = Arc::new(RedisServer::start());
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(Started::over(dir.clone(), Some(redis.clone()), runtime_config(), None).await);
    }
    replicas
}

async fn stop(replicas: Vec<Started>) {
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test]
async fn what_the_operator_does_at_one_holds_at_the_other() {
    let replicas = replicas(2).await;
    let [one, other] = &replicas[..] else { unreachable!() };
    one.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let accounts = other.until(|accounts| accounts.len() == 2).await;
    let id = accounts[0].id.clone();
    let off =
        ChangeAccountsRequest { accounts: vec![id.clone()], enabled: Some(false), ..Default::default() };
    one.pool.change_accounts(off).await.unwrap();
    other.until(|accounts| accounts[0].disabled).await;
    assert_ne!(other.pool.lease(lease(1)).await.unwrap().account_id, id);
    let gone = RemoveAccountsRequest { accounts: vec![id] };
    other.pool.remove_accounts(gone).await.unwrap();
    one.until(|accounts| accounts.len() == 1).await;
    stop(replicas).await;
}

#[tokio::test]
async fn who_waits_at_one_is_woken_by_what_is_freed_at_the_other() {
    let replicas = replicas(2).await;
    let [one, other] = &replicas[..] else { unreachable!() };
    one.add(&["sim-basic-0001"]).await;
    other.until(|accounts| accounts.len() == 1).await;
    let mut held = Vec::new();
    for _ in 0..runtime_config().account_concurrency {
        held.push(one.pool.lease(lease(1)).await.unwrap().lease_id);
    }
    let waiting = other.pool.lease(lease(1));
    let freeing = one.pool.settle(settle(&held[0], Outcome::Success, true));
    let (granted, settled) = tokio::join!(waiting, freeing);
    assert!(settled.unwrap().settled);
    granted.unwrap();
    stop(replicas).await;
}

#[tokio::test]
async fn who_watches_one_sees_what_happens_at_the_other() {
    let replicas = replicas(2).await;
    let [one, other] = &replicas[..] else { unreachable!() };
    one.add(&["sim-basic-0001"]).await;
    other.until(|accounts| accounts.len() == 1).await;
    let mut events = other.pool.watch(WatchRequest {}).await.unwrap();
    // The watch holds from the next call on.
    other.list().await;
    let grant = one.pool.lease(lease(1)).await.unwrap();
    one.pool.settle(settle(&grant.lease_id, Outcome::Banned, true)).await.unwrap();
    let mut kinds = Vec::new();
    while kinds.last() != Some(&EventKind::Cooled) {
        kinds.push(events.next().await.unwrap().unwrap().kind());
    }
    assert_eq!(kinds, [EventKind::Leased, EventKind::Settled, EventKind::Cooled]);
    drop(events);
    stop(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_of_four_replicas_spend_every_unit_and_not_one_more() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    open(dir.path()).await.insert(&known_rows(UNITS)).await.unwrap();
    let redis = Arc::new(RedisServer::start());
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(Started::over(dir.clone(), Some(redis.clone()), runtime_config(), None).await);
    }
    let callers = (0..32).map(|caller| {
        let pool: Arc<dyn TokenPool> = replicas[caller as usize % 4].pool.clone();
        use_up(pool, caller)
    });
    let spent: u32 = join_all(callers).await.into_iter().sum();
    assert_eq!(spent, ACCOUNTS * UNITS);
    stop(replicas).await;
    let kept = open(dir.path()).await.load_all().await.unwrap();
    assert!(
        kept.iter().all(|account| account.windows["normal"].remaining == Some(0)),
        "all of it is written"
    );
}
