//! Keys with limits: leave, refusals, headers, and what is settled when.

use std::time::Duration;

use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Kind,
    chat::{Started, Text, chat_event::Kind as Event},
    keys::{
        AdmitResponse, Budget, BudgetState, Facts, Key, Limits, Rate, Refusal, Settlement, Spec,
        StandingResponse, Used,
    },
    ledger::Outcome,
};
use grok2api_testkit::{FakeKeys, Step};
use rstest::rstest;
use sha2::{Digest as _, Sha256};

use super::*;

struct Limited {
    gateway: Gateway,
    service: Arc<FakeKeys>,
}

fn key(secret: &str, limited: bool) -> Facts {
    let digest = Sha256::digest(secret.as_bytes()).to_vec().into();
    Facts { id: format!("id-{secret}"), digest, limited, ..Facts::default() }
}

/// A gateway with a key that has limits and one that has none, beside the parameter.
async fn playing(turns: impl IntoIterator<Item = Turn>) -> Limited {
    let (service, tasks) = (FakeKeys::of(vec![key("sk-limited", true), key("sk-free", false)]), Tasks::new());
    let known = ClientKeys::follow(service.clone(), Clock::system(), &tasks).await.unwrap();
    service.answers(Some(admitted()));
    let gateway = Gateway::keyed(turns, |config| config.api_key = "sk-shared".into(), known, tasks);
    Limited { gateway, service }
}

fn admitted() -> AdmitResponse {
    AdmitResponse {
        requests: Some(Rate { limit: 600, remaining: 599, reset_ms: 60_100 }),
        tokens: Some(Rate { limit: 9_000, remaining: 8_999, reset_ms: 120 }),
        holds_slot: true,
        limits: true,
        budgets: true,
        ..AdmitResponse::default()
    }
}

fn refused(code: &str, wait_ms: Option<u64>) -> AdmitResponse {
    let refused = Some(Refusal { code: code.into(), message: "no".into(), wait_ms });
    AdmitResponse { refused, limits: false, budgets: false, holds_slot: false, ..admitted() }
}

fn with(secret: &str, mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request
}

fn said(text: &str) -> Step {
    Step::Batch(vec![Event::Started(Started::default()), Event::Text(Text { text: text.into() })])
}

fn used(settlements: &[Settlement]) -> Vec<Option<(u64, u64)>> {
    settlements.iter().map(|one| one.used.map(|Used { tokens, units }| (tokens, units))).collect()
}

#[rstest]
#[case::free("sk-free")]
#[case::shared("sk-shared")]
#[tokio::test]
async fn who_has_no_limits_is_never_asked_for(#[case] secret: &str) {
    let limited = playing([]).await;
    limited.service.answers(None);
    for body in [hello(), streamed()] {
        let answer = limited.gateway.ask(with(secret, post(&body))).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("x-ratelimit")));
    }
    limited.gateway.tasks.finish(Duration::from_secs(5)).await;
    assert_eq!((limited.service.asks().len(), limited.service.settlements().len()), (0, 0));
}

#[rstest]
#[case::whole(hello())]
#[case::streamed(streamed())]
#[tokio::test]
async fn who_has_limits_costs_one_call_before_and_one_behind(#[case] body: Value) {
    let limited = playing([]).await;
    let answer = limited.gateway.ask(with("sk-limited", post(&body))).await;
    assert_eq!(answer.status, 200);
    let told = ["limit", "remaining", "reset"].map(|what| {
        let of = |family: &str| answer.header(&format!("x-ratelimit-{what}-{family}")).unwrap().to_owned();
        (of("requests"), of("tokens"))
    });
    let expected = [("600", "9000"), ("599", "8999"), ("1m1s", "120ms")];
    assert_eq!(told, expected.map(|(requests, tokens)| (requests.to_owned(), tokens.to_owned())));
    let settled = limited.service.settled(1).await;
    let turn = limited.gateway.chat.requests()[0].request_id.clone();
    let used = Some(Used { tokens: 5, units: 1 });
    let (key, request) = ("id-sk-limited".to_owned(), turn);
    assert_eq!(settled, [Settlement { key, request: request.clone(), used, limits: true, budgets: true }]);
    let asks = limited.service.asks();
    assert_eq!((asks.len(), asks[0].request.as_str(), asks[0].tokens), (1, request.as_str(), 1));
}

#[rstest]
#[case::rate("rate_limit_exceeded", "rate_limit_error", Some(1_500), ("2", "1500"), "true")]
#[case::minute("rate_limit_exceeded", "rate_limit_error", Some(60_180), ("60", "60000"), "true")]
#[case::slots("concurrency_limit_exceeded", "rate_limit_error", Some(1_000), ("1", "1000"), "true")]
#[case::budget("insufficient_quota", "insufficient_quota", Some(9_000_000), ("60", "60000"), "false")]
#[case::soon("insufficient_quota", "insufficient_quota", Some(5_000), ("5", "5000"), "false")]
#[case::ever("insufficient_quota", "insufficient_quota", None, ("60", "60000"), "false")]
#[tokio::test]
async fn a_refusal_says_what_it_is_and_when_to_come_again(
    #[case] code: &str,
    #[case] kind: &str,
    #[case] wait_ms: Option<u64>,
    #[case] told: (&str, &str),
    #[case] retry: &str,
) {
    let limited = playing([]).await;
    limited.service.answers(Some(refused(code, wait_ms)));
    let answer = limited.gateway.ask(with("sk-limited", post(&streamed()))).await;
    answer.is_error(429, kind, code);
    assert_eq!((answer.header("retry-after"), answer.header("retry-after-ms")), (Some(told.0), Some(told.1)));
    assert_eq!(answer.header("x-should-retry"), Some(retry));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("600"));
    let entries = limited.gateway.ledger.recorded(1).await;
    assert_eq!((entries[0].outcome(), entries[0].http_status), (Outcome::RateLimited, 429));
    limited.gateway.tasks.finish(Duration::from_secs(5)).await;
    assert_eq!(limited.gateway.chat.requests().len(), 0);
    assert_eq!(limited.service.settlements(), [], "there is nothing to settle");
}

#[tokio::test]
async fn a_stream_holds_its_permit_until_its_body_has_ended() {
    let go_on = Arc::new(tokio::sync::Notify::new());
    let mut turn = Turn::answer("hello");
    turn.steps.insert(0, Step::Until(go_on.clone()));
    let limited = playing([turn]).await;
    let (status, _, body) = limited.gateway.open(with("sk-limited", post(&streamed()))).await;
    assert_eq!((status.as_u16(), limited.service.settlements().len()), (200, 0));
    go_on.notify_one();
    body.collect().await.unwrap();
    assert_eq!(used(&limited.service.settled(1).await), [Some((5, 1))]);
}

#[tokio::test]
async fn a_whole_answer_holds_its_permit_until_it_is_written() {
    let limited = playing([]).await;
    let (status, headers, body) = limited.gateway.open(with("sk-limited", post(&hello()))).await;
    assert_eq!(status, 200);
    // The record is finished, and its entry is sent; whoever reads slowly still counts as being served.
    limited.gateway.ledger.recorded(1).await;
    assert_eq!(limited.service.settlements(), []);
    assert!(
        headers.get("transfer-encoding").is_none()
            && axum::body::HttpBody::size_hint(&body).exact().is_some()
    );
    drop(body);
    assert_eq!(used(&limited.service.settled(1).await), [Some((5, 1))]);
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_it_got() {
    let limited = playing([Turn::of([said(&"x".repeat(40)), Step::Hang])]).await;
    let (_, _, mut body) = limited.gateway.open(with("sk-limited", post(&streamed()))).await;
    body.frame().await.unwrap().unwrap();
    drop(body);
    // The prompt was counted as one token; ten were delivered.
    assert_eq!(used(&limited.service.settled(1).await), [Some((11, 0))]);
}

#[rstest]
#[case::upstream(Error::new(Kind::Upstream, "upstream_failed", "x"), None)]
#[case::exhausted(Error::new(Kind::RateLimited, "pool_exhausted", "x"), None)]
#[case::no_such_model(Error::new(Kind::NotFound, "model_not_found", "x"), None)]
#[case::moderated(
    Error::new(Kind::PermissionDenied, "content_refused", "x")
        .after(vec![grok2api_proto::chat::Attempt::default()]),
    Some((1, 0))
)]
#[tokio::test]
async fn what_fails_without_the_clients_fault_is_given_back(
    #[case] error: Error,
    #[case] counted: Option<(u64, u64)>,
    #[values(true, false)] stream: bool,
) {
    let limited = playing([Turn { refusal: Some(error), ..Turn::default() }]).await;
    let body = if stream { streamed() } else { hello() };
    let answer = limited.gateway.ask(with("sk-limited", post(&body))).await;
    assert!(answer.status.as_u16() >= 400 && answer.header("x-ratelimit-limit-requests").is_some());
    assert_eq!(used(&limited.service.settled(1).await), [counted]);
}

#[rstest]
#[case::whole(hello(), None)]
#[case::streamed(streamed(), Some((11, 0)))]
#[tokio::test]
async fn an_answer_that_breaks_off_counts_if_the_client_saw_some_of_it(
    #[case] body: Value,
    #[case] counted: Option<(u64, u64)>,
) {
    let failure = Error::new(Kind::Upstream, "upstream_failed", "x");
    let limited = playing([Turn::of([said(&"x".repeat(40)), Step::Fail(failure)])]).await;
    limited.gateway.ask(with("sk-limited", post(&body))).await;
    assert_eq!(used(&limited.service.settled(1).await), [counted]);
}

#[tokio::test]
async fn while_nobody_can_say_only_keys_with_limits_are_refused() {
    let limited = playing([]).await;
    limited.service.answers(None);
    let answer = limited.gateway.ask(with("sk-limited", post(&hello()))).await;
    answer.is_error(503, "server_error", "limits_unavailable");
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), (Some("1"), None));
    assert_eq!(limited.gateway.ask(with("sk-free", post(&hello()))).await.status, 200);
    assert_eq!(limited.gateway.chat.requests().len(), 1);
    // It may have been counted: as soon as somebody hears it, it is given back, wherever it was.
    limited.service.answers(Some(admitted()));
    let settled = limited.service.settled(1).await;
    assert_eq!((used(&settled), settled[0].limits, settled[0].budgets), (vec![None], true, true));
}

#[tokio::test(start_paused = true)]
async fn what_holds_a_slot_gives_signs_of_life() {
    let limited = playing([Turn::of([said("x"), Step::Hang])]).await;
    let (_, _, body) = limited.gateway.open(with("sk-limited", post(&streamed()))).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    let renewed = limited.service.renewed();
    assert!(renewed.len() >= 2 && renewed[0].key == "id-sk-limited", "{renewed:?}");
    assert_eq!(renewed[0].request, limited.gateway.chat.requests()[0].request_id);
    drop(body);
    limited.service.settled(1).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(limited.service.renewed().len(), renewed.len(), "what has ended is silent");
}

#[tokio::test]
async fn a_refused_request_for_models_is_not_counted_and_a_wrong_one_neither() {
    let limited = playing([]).await;
    for request in [get("/v1/models"), get("/v1/videos"), post(&json!({"model": 7}))] {
        limited.gateway.ask(with("sk-limited", request)).await;
    }
    assert_eq!(limited.service.asks().len(), 0);
}

#[tokio::test]
async fn a_video_is_settled_when_it_is_made() {
    let limited = playing([]).await;
    let body = json!({"model": "grok-imagine-0.9", "prompt": "a red fox"}).to_string();
    let request = Request::post("/v1/videos").header("content-type", "application/json").body(body.into());
    let answer = limited.gateway.ask(with("sk-limited", request.unwrap())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("600"));
    let entry = limited.gateway.ledger.recorded(1).await.remove(0);
    let settled = limited.service.settled(1).await;
    assert_eq!(settled[0].request, entry.id);
    assert_eq!(entry.outcome() == Outcome::Success, settled[0].used.is_some(), "{entry:?}");
}

#[tokio::test]
async fn the_holder_of_a_key_sees_what_is_used_and_left() {
    let limited = playing([]).await;
    let budget = Budget { unit: "requests".into(), period: "day".into(), amount: 10 };
    let limits = Some(Limits { requests_per_minute: Some(600), concurrency: Some(4), ..Limits::default() });
    let spec = Spec { name: "Anna".into(), limits, budgets: vec![budget.clone()], ..Spec::default() };
    let state = BudgetState { budget: Some(budget), spent: 4, resets_at: Some(1_760_054_400_000) };
    let masked = "sk-g2a-…abcd".to_owned();
    let budgets = vec![state];
    let key = Key { id: "id-sk-limited".into(), masked, spec: Some(spec), budgets, ..Key::default() };
    let AdmitResponse { requests, .. } = admitted();
    limited.service.stands(StandingResponse { key: Some(key), requests, tokens: None, in_flight: 1 });
    limited.gateway.ask(with("sk-limited", post(&hello()))).await;
    limited.gateway.ledger.recorded(1).await;
    let usage = limited.gateway.ask(with("sk-limited", get("/v1/usage"))).await.json();
    insta::assert_json_snapshot!("usage", usage, { ".models.since" => "[time]" });
    let nobody = limited.gateway.ask(with("sk-shared", get("/v1/usage"))).await.json();
    assert_eq!((&nobody["key"], nobody.get("models")), (&json!(null), None));
    assert_eq!(
        nobody["limits"],
        json!({"requests_per_minute": null, "tokens_per_minute": null, "concurrency": null})
    );
}
