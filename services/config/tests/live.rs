//! What the view of running requests must do, however it is reached.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::sync::Arc;

use grok2api_config::live::{Deps, start};
use grok2api_kit::{clock::Clock, lifecycle::Tasks, settings::Mode};
use grok2api_proto::live::{self, CancelRequest, ListRequest, Live, Replica, ReportRequest, Request};
use grok2api_storage::board;
use grok2api_testkit::{Ground, Reach, RedisServer, reach};
use rstest::rstest;

async fn service(how: Reach, redis: Option<&str>, tasks: &Tasks) -> Arc<dyn Live> {
    let service = start(Deps {
        board: board::open(redis).await.unwrap(),
        shared: redis.is_some(),
        storage_mode: "FILE".into(),
        clock: Clock::manual(7),
    });
    reach(how, service, live::server, live::client, tasks).await
}

async fn report(live: &Arc<dyn Live>, id: &str, running: &[&str]) -> Vec<String> {
    let running: Vec<_> =
        running.iter().map(|id| Request { id: (*id).to_owned(), ..Request::default() }).collect();
    let running_total = u32::try_from(running.len()).unwrap();
    let replica = Replica { id: id.into(), running, running_total, ..Replica::default() };
    live.report(ReportRequest { replica: Some(replica) }).await.unwrap().cancel
}

#[rstest]
#[tokio::test]
async fn what_processes_tell_is_listed_and_orders_reach_them_once(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let (standing, tasks) = (ground.store(), Tasks::new());
    // Beside MySQL it is the Redis of what replicas share, and in the mode `redis` the store itself.
    let storage = &standing.settings.storage;
    let live = service(ground.reach(), storage.hot_url(), &tasks).await;
    report(&live, "one", &["turn_a"]).await;
    report(&live, "two", &["turn_b", "turn_c"]).await;
    let listed = live.list(ListRequest {}).await.unwrap();
    assert_eq!(
        (listed.replicas.len(), listed.storage_mode.as_str(), listed.shared),
        (2, "FILE", storage.mode != Mode::File)
    );
    assert_eq!(listed.replicas[1].seen_at, 7);
    let cancel = |id: &str| live.cancel(CancelRequest { id: id.to_owned() });
    assert!(cancel("turn_c").await.unwrap().known);
    assert!(!cancel("turn_x").await.unwrap().known);
    assert!(report(&live, "one", &["turn_a"]).await.is_empty());
    assert_eq!(report(&live, "two", &["turn_b", "turn_c"]).await, ["turn_c"]);
    assert!(report(&live, "two", &["turn_b"]).await.is_empty(), "told once");
    assert_eq!(live.list(ListRequest {}).await.unwrap().replicas.len(), 2);
    assert!(live.report(ReportRequest { replica: None }).await.is_err());
    tasks.shutdown().stop();
}

#[tokio::test]
async fn two_services_share_a_redis() {
    let (server, tasks) = (RedisServer::start(), Tasks::new());
    let one = service(Reach::Direct, Some(&server.url()), &tasks).await;
    let other = service(Reach::Direct, Some(&server.url()), &tasks).await;
    report(&one, "one", &["turn_a"]).await;
    assert!(other.list(ListRequest {}).await.unwrap().shared);
    assert!(other.cancel(CancelRequest { id: "turn_a".into() }).await.unwrap().known);
    assert_eq!(report(&one, "one", &["turn_a"]).await, ["turn_a"]);
    assert!(report(&other, "one", &[]).await.is_empty());
}
