//! What the service of responses must do, however it is reached.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{sync::Arc, time::Duration};

use grok2api_config::responses::{Deps, start};
use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{
    Kind,
    config::RuntimeConfig,
    response::{self, GetRequest, KeepRequest, Response, Responses},
};
use grok2api_storage::Store;
use grok2api_testkit::{Ground, Standing, reach, runtime_config};
use rstest::rstest;

const HOUR: i64 = 60 * 60 * 1000;
const NOW: i64 = 1_800_000_000_000;

struct Fixture {
    responses: Arc<dyn Responses>,
    tasks: Tasks,
    _standing: Standing,
}

impl Fixture {
    async fn new(ground: Ground, config: RuntimeConfig) -> Self {
        let (standing, tasks) = (ground.store(), Tasks::new());
        let store = Store::open(&standing.settings).await.unwrap();
        let service = start(Deps {
            responses: store.responses(),
            runtime: Runtime::fixed(config),
            clock: Clock::manual(NOW),
            tasks: tasks.clone(),
        });
        let responses = reach(ground.reach(), service, response::server, response::client, &tasks).await;
        Self { responses, tasks, _standing: standing }
    }

    async fn keep(&self, response: &Response) {
        self.responses.keep(KeepRequest { response: Some(response.clone()) }).await.unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

fn id(hours: i64) -> String {
    let digits = (u128::try_from(NOW - hours * HOUR).unwrap() << 80) | (7 << 76) | (2 << 62);
    format!("resp_{digits:032x}")
}

/// One of `hours` ago, of the client `ann`, that continues another.
fn response(hours: i64, previous: &str) -> Response {
    Response {
        id: id(hours),
        client: "ann".into(),
        previous: previous.into(),
        conversation: "c".into(),
        input: "[]".into(),
        answer: format!("{{\"hours\":{hours}}}").into(),
    }
}

fn asked(id: &str, client: &str) -> GetRequest {
    GetRequest { id: id.into(), client: client.into() }
}

#[rstest]
#[tokio::test]
async fn a_client_comes_back_to_its_own_responses(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground, runtime_config()).await;
    let (first, second) = (response(3, ""), response(2, &id(3)));
    let third = response(1, &id(2));
    for response in [&first, &second, &third] {
        fixture.keep(response).await;
    }
    let responses = &fixture.responses;
    assert_eq!(responses.get(asked(&first.id, "ann")).await, Ok(first.clone()));
    // What is kept stays.
    fixture.keep(&Response { answer: "{}".into(), ..first.clone() }).await;
    let history = responses.history(asked(&third.id, "ann")).await.unwrap().responses;
    assert_eq!(history, [first.clone(), second.clone(), third.clone()]);

    for (id, client) in
        [(first.id.as_str(), "bob"), (&first.id, ""), (&id(9), "ann"), ("resp_1", "ann"), ("", "ann")]
    {
        for error in [
            responses.get(asked(id, client)).await.unwrap_err(),
            responses.remove(asked(id, client)).await.unwrap_err(),
        ] {
            assert_eq!((error.kind, error.code.as_ref()), (Kind::NotFound, "response_not_found"), "{id:?}");
        }
    }
    responses.remove(asked(&first.id, "ann")).await.unwrap();
    assert_eq!(responses.get(asked(&first.id, "ann")).await.unwrap_err().kind, Kind::NotFound);
    // A conversation without its beginning is another one.
    assert_eq!(responses.history(asked(&third.id, "ann")).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(responses.get(asked(&third.id, "ann")).await, Ok(third));
    let wrong = KeepRequest { response: Some(Response { id: "x".into(), ..second }) };
    assert_eq!(responses.keep(wrong).await.unwrap_err().param.as_deref(), Some("response.id"));
}

#[tokio::test]
async fn what_is_too_much_of_a_conversation_is_not_gone_on_with() {
    // Nothing of it goes meanwhile to make room.
    let config = RuntimeConfig { response_max_size_mb: 512, ..runtime_config() };
    let fixture = Fixture::new(Ground::Direct, config).await;
    let mut previous = String::new();
    for hours in (1..8).rev() {
        let large = Response { input: vec![b' '; 8 << 20].into(), ..response(hours, &previous) };
        previous.clone_from(&large.id);
        fixture.keep(&large).await;
    }
    let error = fixture.responses.history(asked(&previous, "ann")).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Kind::TooLarge, "conversation_too_long"));
}

#[rstest]
#[case::too_old(RuntimeConfig { response_retention_hours: 3, ..runtime_config() })]
#[case::none_are_kept(RuntimeConfig { response_retention_hours: 0, ..runtime_config() })]
#[tokio::test]
async fn old_ones_go(#[case] config: RuntimeConfig) {
    let (standing, tasks) = (Ground::Direct.store(), Tasks::new());
    let store = Store::open(&standing.settings).await.unwrap();
    let (old, new) = (response(5, ""), response(2, ""));
    let all = config.response_retention_hours == 0;
    for response in [&old, &new] {
        let id = response.id.trim_start_matches("resp_").parse().unwrap();
        let said = prost::Message::encode_to_vec(response);
        store.responses().put(&grok2api_storage::responses::Response { id, said }).await.unwrap();
    }
    let responses = start(Deps {
        responses: store.responses(),
        runtime: Runtime::fixed(config),
        clock: Clock::manual(NOW),
        tasks: tasks.clone(),
    });
    let gone = async { while responses.get(asked(&old.id, "ann")).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    assert_eq!(responses.get(asked(&new.id, "ann")).await.is_err(), all);
    tasks.shutdown().stop();
}
