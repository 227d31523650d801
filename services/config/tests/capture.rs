//! What the service of captured bodies must do, however it is reached.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{sync::Arc, time::Duration};

use grok2api_config::capture::{Deps, open, start};
use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{
    Kind, Result,
    capture::{self, Bodies, Body, Captures, KeepRequest, ReadRequest},
    config::RuntimeConfig,
};
use grok2api_storage::{Store, actions::Actions};
use grok2api_testkit::{Ground, Standing, reach, runtime_config};
use rstest::rstest;

const HOUR: i64 = 60 * 60 * 1000;
const NOW: i64 = 1_800_000_000_000;

struct Fixture {
    captures: Arc<dyn Captures>,
    actions: Arc<dyn Actions>,
    tasks: Tasks,
    _standing: Standing,
}

impl Fixture {
    async fn new(ground: Ground) -> Self {
        let (standing, tasks) = (ground.store(), Tasks::new());
        let store = Store::open(&standing.settings).await.unwrap();
        let service = start(Deps {
            captures: store.captures(),
            actions: store.actions(),
            runtime: Runtime::fixed(runtime_config()),
            clock: Clock::manual(NOW),
            tasks: tasks.clone(),
        });
        let captures = reach(ground.reach(), service, capture::server, capture::client, &tasks).await;
        Self { captures, actions: store.actions(), tasks, _standing: standing }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

/// Those of a request of `hours` ago.
fn bodies(hours: i64) -> Bodies {
    let digits = (u128::try_from(NOW - hours * HOUR).unwrap() << 80) | (7 << 76) | (2 << 62);
    let body = |data: &'static [u8]| Body { media_type: "text/plain".into(), data: data.into(), size: 9 };
    Bodies { id: format!("turn_{digits:032x}"), request: Some(body(b"asked")), answer: Some(body(b"\xff")) }
}

fn read(id: &str, reader: &str) -> ReadRequest {
    ReadRequest { id: id.into(), reader: reader.into() }
}

fn refused(answer: Result<Bodies>) -> (Kind, String) {
    let error = answer.unwrap_err();
    (error.kind, error.param.unwrap_or_default())
}

#[rstest]
#[tokio::test]
async fn bodies_come_back_and_who_read_them_is_written_down(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let given = bodies(1);
    fixture.captures.keep(KeepRequest { bodies: vec![given.clone(), bodies(2)] }).await.unwrap();
    assert_eq!(fixture.captures.read(read(&given.id, "ann")).await, Ok(given.clone()));
    let [action] = &fixture.actions.page(None, 9).await.unwrap()[..] else { panic!("one action") };
    assert_eq!((action.actor.as_str(), action.what.as_str()), ("ann", "bodies.read"));
    assert_eq!((&action.target, action.at), (&given.id, NOW));

    assert_eq!(
        refused(fixture.captures.read(read(&bodies(3).id, "ann")).await),
        (Kind::NotFound, "id".into())
    );
    assert_eq!(refused(fixture.captures.read(read("x", "ann")).await), (Kind::InvalidRequest, "id".into()));
    assert_eq!(refused(fixture.captures.read(read(&given.id, "")).await).1, "reader");
    let wrong = KeepRequest { bodies: vec![Bodies { id: "x".into(), ..Bodies::default() }] };
    assert_eq!(fixture.captures.keep(wrong).await.unwrap_err().kind, Kind::InvalidRequest);
    let many = KeepRequest { bodies: vec![bodies(1); 101] };
    assert_eq!(fixture.captures.keep(many).await.unwrap_err().param.as_deref(), Some("bodies"));
    assert_eq!(fixture.actions.page(None, 9).await.unwrap().len(), 1);
}

#[rstest]
#[case::too_old(RuntimeConfig { capture_retention_hours: 3, ..runtime_config() })]
#[case::older_than_their_entries(RuntimeConfig { capture_retention_hours: 900, usage_retention_days: 1, ..runtime_config() })]
#[tokio::test]
async fn old_bodies_are_taken_away_also_when_nothing_is_captured_any_more(#[case] config: RuntimeConfig) {
    assert_eq!(config.capture_share_percent, 0);
    let (standing, tasks, clock) = (Ground::Direct.store(), Tasks::new(), Clock::manual(NOW));
    let store = Store::open(&standing.settings).await.unwrap();
    let before = open(store.captures(), store.actions(), clock.clone());
    before.keep(KeepRequest { bodies: vec![bodies(25), bodies(2)] }).await.unwrap();
    let captures = start(Deps {
        captures: store.captures(),
        actions: store.actions(),
        runtime: Runtime::fixed(config),
        clock,
        tasks: tasks.clone(),
    });
    let gone = async { while captures.read(read(&bodies(25).id, "ann")).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    captures.read(read(&bodies(2).id, "ann")).await.unwrap();
    tasks.shutdown().stop();
}
