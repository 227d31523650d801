//! What the operator may set.

use std::{sync::Arc, time::Duration};

use grok2api_proto::{
    config::RuntimeConfig,
    pool::{LeaseRequest, Outcome, Status},
};
use grok2api_testkit::runtime_config;
use tokio::time::Instant;

use crate::support::{Started, lease, settle};

async fn with(config: RuntimeConfig) -> Started {
    Started::with(Arc::new(tempfile::tempdir().unwrap()), config, None).await
}

fn talk() -> LeaseRequest {
    LeaseRequest { affinity: "talk".into(), ..lease(1) }
}

/// What comes of it, if that is before so much time has passed. However slow the machine is, whoever waits for less is
/// asked first.
async fn before<T>(ms: u64, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = tokio::time::sleep(Duration::from_millis(ms)) => None,
    }
}

#[rstest::rstest]
#[case::not_at_all(0, 300)]
#[case::less_than_usual(40, 300)]
#[case::more_than_usual(1700, 60_000)]
#[tokio::test]
async fn a_lease_waits_for_a_slot_as_long_as_it_may(#[case] wait_ms: u32, #[case] at_most_ms: u64) {
    let started =
        with(RuntimeConfig { capacity_wait_ms: wait_ms, account_concurrency: 1, ..runtime_config() }).await;
    started.add(&["sim-basic-0001"]).await;
    let _held = started.pool.lease(talk()).await.unwrap();
    for request in [lease(1), talk()] {
        let begun = Instant::now();
        let refused = before(at_most_ms, started.pool.lease(request)).await.expect("no longer than it may");
        assert_eq!(refused.unwrap_err().code, "pool_saturated");
        assert!(begun.elapsed() >= Duration::from_millis(wait_ms.into()), "{:?}", begun.elapsed());
    }
    started.kill().await;
}

#[rstest::rstest]
#[case::less_than_usual(30, 30, 90)]
#[case::as_usual(1700, 100, 1600)]
#[tokio::test]
async fn a_conversation_waits_for_its_account_and_no_longer_than_for_any(
    #[case] wait_ms: u32,
    #[case] at_least_ms: u64,
    #[case] at_most_ms: u64,
) {
    let started =
        with(RuntimeConfig { capacity_wait_ms: wait_ms, account_concurrency: 1, ..runtime_config() }).await;
    started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let held = started.pool.lease(talk()).await.unwrap();
    let begun = Instant::now();
    let borrowed =
        before(at_most_ms, started.pool.lease(talk())).await.expect("no longer than it may").unwrap();
    assert_ne!(borrowed.account_id, held.account_id);
    assert!(begun.elapsed() >= Duration::from_millis(at_least_ms), "{:?}", begun.elapsed());
    started.kill().await;
}

#[rstest::rstest]
#[case::a_tenth(10, 3)]
#[case::never_less_than_two(1, 2)]
#[case::all_but_the_last(100, 29)]
#[tokio::test]
async fn no_more_than_the_share_rests_for_one_kind_of_failure(
    #[case] resting_share_percent: u32,
    #[case] rest: usize,
) {
    let started = with(RuntimeConfig { resting_share_percent, ..runtime_config() }).await;
    let tokens: Vec<String> = (0..30).map(|number| format!("sim-basic-{number:04}")).collect();
    started.add(&tokens.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for number in 0..40 {
        let request = LeaseRequest { request_id: format!("request-{number}"), ..lease(1) };
        let grant = started.pool.lease(request).await.unwrap();
        started.pool.settle(settle(&grant.lease_id, Outcome::UpstreamFailed, false)).await.unwrap();
    }
    let accounts = started.list().await;
    let cooling = accounts.iter().filter(|account| account.status() == Status::Cooling).count();
    assert_eq!(cooling, rest);
    started.stop().await;
}
