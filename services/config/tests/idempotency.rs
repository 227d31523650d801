//! What keeps requests from being done twice, however it is reached.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::sync::Arc;

use grok2api_config::idempotency::start;
use grok2api_kit::lifecycle::Tasks;
use grok2api_proto::{
    Kind,
    idempotency::{
        self, AnswerRequest, Claim, ClaimRequest, Found, Idempotency, Recorded, ReleaseRequest, RenewRequest,
    },
};
use grok2api_storage::Store;
use grok2api_testkit::{Ground, Standing, reach};
use rstest::rstest;

struct Fixture {
    requests: Arc<dyn Idempotency>,
    tasks: Tasks,
    _standing: Standing,
}

impl Fixture {
    async fn new(ground: Ground) -> Self {
        let (standing, tasks) = (ground.store(), Tasks::new());
        let store = Store::open(&standing.settings).await.unwrap();
        let service = start(store.idempotency(&standing.settings.storage).await.unwrap());
        let requests = reach(ground.reach(), service, idempotency::server, idempotency::client, &tasks).await;
        Self { requests, tasks, _standing: standing }
    }

    async fn claim(&self, fingerprint: u8, owner: &str) -> (Found, Option<Recorded>) {
        let (id, fingerprint) = (vec![1; 32].into(), vec![fingerprint; 32].into());
        let request = ClaimRequest { id, fingerprint, owner: owner.into() };
        let claimed = self.requests.claim(request).await.unwrap();
        (claimed.found(), claimed.answer)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

fn claim(owner: &str) -> Claim {
    Claim { id: vec![1; 32].into(), owner: owner.into() }
}

#[rstest]
#[tokio::test]
async fn a_request_is_done_once_and_its_answer_told_again(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    assert_eq!(fixture.claim(2, "a").await.0, Found::Nothing);
    fixture.requests.renew(RenewRequest { claims: vec![claim("a")] }).await.unwrap();
    assert_eq!(fixture.claim(2, "b").await.0, Found::Running);
    fixture.requests.release(ReleaseRequest { claim: Some(claim("a")) }).await.unwrap();
    assert_eq!(fixture.claim(2, "b").await.0, Found::Nothing);
    let answer = Recorded { status: 200, content_type: "application/json".into(), body: vec![0, 255].into() };
    let told =
        |owner| AnswerRequest { claim: Some(claim(owner)), answer: Some(answer.clone()), keep_ms: 60_000 };
    assert!(!fixture.requests.answer(told("a")).await.unwrap().kept);
    assert!(fixture.requests.answer(told("b")).await.unwrap().kept);
    assert_eq!(fixture.claim(2, "c").await, (Found::Answer, Some(answer.clone())));
    assert_eq!(fixture.claim(3, "c").await.0, Found::Different);
    assert!(!format!("{answer:?}").contains("255"), "{answer:?}");
}

#[tokio::test]
async fn an_id_that_is_no_digest_is_refused() {
    let fixture = Fixture::new(Ground::Wired).await;
    let request = ClaimRequest { id: vec![1; 31].into(), ..ClaimRequest::default() };
    let error = fixture.requests.claim(request).await.unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, Some("id")));
    let nothing = fixture.requests.release(ReleaseRequest::default()).await.unwrap_err();
    assert_eq!(nothing.param.as_deref(), Some("claim.id"));
}
