//! Requests with an `Idempotency-Key`.

use std::time::Duration;

use grok2api_proto::{
    Error, Kind,
    chat::{End, Text, chat_event::Kind as Event},
    ledger::Outcome,
};
use grok2api_testkit::Step;
use rstest::rstest;
use tokio::time::sleep;

use super::*;

fn keyed(key: &str, body: &Value) -> Request<Body> {
    let mut request = post(body);
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    request
}

fn asked(stream: bool) -> Value {
    if stream { streamed() } else { hello() }
}

#[rstest]
#[tokio::test]
async fn a_repeated_request_gets_the_same_answer_and_costs_nothing(#[values(false, true)] stream: bool) {
    let gateway = Gateway::new();
    let first = gateway.ask(keyed("one", &asked(stream))).await;
    assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (200, None));
    assert!(first.header("x-g2a-attempts").is_some());
    let again = gateway.ask(keyed("one", &asked(stream))).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(again.text(), first.text());
    for name in ["content-type", "cache-control", "x-accel-buffering"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    assert_eq!(gateway.chat.requests().len(), 1);
    let other = gateway.ask(keyed("two", &asked(stream))).await;
    assert_ne!(other.text(), first.text());
    assert_eq!(gateway.chat.requests().len(), 2);
}

#[tokio::test]
async fn a_key_is_for_one_body() {
    let gateway = Gateway::new();
    gateway.ask(keyed("one", &hello())).await;
    let other = gateway.ask(keyed("one", &streamed())).await;
    other.is_error(400, "invalid_request_error", "idempotency_key_reused");
    assert_eq!(other.json()["error"]["param"], "Idempotency-Key");
    assert_eq!(gateway.chat.requests().len(), 1);
}

#[rstest]
#[case::empty("")]
#[case::blank("a b")]
#[case::long(&"x".repeat(256))]
#[tokio::test]
async fn a_key_that_is_none_is_refused(#[case] key: &str) {
    let gateway = Gateway::new();
    let answer = gateway.ask(keyed(key, &hello())).await;
    answer.is_error(400, "invalid_request_error", "invalid_idempotency_key");
    assert!(gateway.chat.requests().is_empty());
    let longest = gateway.ask(keyed(&"x".repeat(255), &hello())).await;
    assert_eq!(longest.status, 200);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn who_asks_while_it_is_done_waits(#[values(false, true)] stream: bool) {
    let gateway = Gateway::playing([Turn::answer("slow").after(Duration::from_secs(45))]);
    let ask = || gateway.ask(keyed("one", &asked(stream)));
    let later = async {
        sleep(Duration::from_secs(3)).await;
        ask().await
    };
    let (first, second, third) = tokio::join!(ask(), ask(), later);
    assert_eq!(gateway.chat.requests().len(), 1);
    assert!(first.text().contains("slow") && first.header("idempotent-replayed").is_none());
    assert_eq!((second.text(), third.text()), (first.text(), first.text()));
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    // Claims last half a minute; this one was kept alive.
    assert!(gateway.once.renewed().len() >= 3);
}

#[tokio::test(start_paused = true)]
async fn who_waited_long_is_told_to_come_back() {
    let gateway = Gateway::playing([Turn::answer("slow").after(Duration::from_secs(300))]);
    let ask = || gateway.ask(keyed("one", &hello()));
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!(first.status, 200);
    second.is_error(409, "invalid_request_error", "idempotency_key_in_use");
    assert_eq!((second.header("retry-after"), second.header("x-should-retry")), (Some("1"), None));
}

#[rstest]
#[case::refused(Turn::refused(Error::new(Kind::RateLimited, "pool_exhausted", "no")))]
#[case::broken(Turn::of([Step::Batch(vec![Event::Text(Text { text: "a".into() })]), Step::Fail(Error::internal("no"))]))]
#[case::panics(Turn::of([Step::Panic]))]
#[tokio::test]
async fn what_failed_can_be_done_again(#[case] turn: Turn, #[values(false, true)] stream: bool) {
    let gateway = Gateway::playing([turn]);
    let failed = gateway.ask(keyed("one", &asked(stream))).await;
    assert!(failed.text().contains("\"error\""), "{}", failed.text());
    // A panic gives the claim up behind the answer.
    while gateway.once.known() > 0 {
        tokio::task::yield_now().await;
    }
    let again = gateway.ask(keyed("one", &asked(stream))).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (200, None));
    assert!(again.text().contains("Hello"));
    assert_eq!(gateway.chat.requests().len(), 2);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_client_that_left_can_come_back_for_its_answer(
    #[values(false, true)] stream: bool,
    #[values(5, 40)] leaves_after: u64,
) {
    let steps = [
        Step::Batch(vec![Event::Text(Text { text: "late".into() })]),
        Step::Wait(Duration::from_secs(50)),
        Step::Batch(vec![Event::End(End::default())]),
    ];
    let gateway = Gateway::playing([Turn::of(steps).after(Duration::from_secs(20))]);
    let asking = gateway.ask(keyed("one", &asked(stream)));
    assert!(tokio::time::timeout(Duration::from_secs(leaves_after), asking).await.is_err());
    gateway.chat.closed().await;
    while gateway.once.answered() == 0 {
        tokio::task::yield_now().await;
    }
    let answer = gateway.ask(keyed("one", &asked(stream))).await;
    assert!(answer.text().contains("late") && answer.header("idempotent-replayed").is_some());
    assert_eq!(gateway.chat.requests().len(), 1);
    while gateway.ledger.entries().is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(gateway.ledger.entries()[0].outcome(), Outcome::Success);
}

#[tokio::test]
async fn without_whom_to_ask_requests_are_done_as_if_they_had_no_key() {
    let gateway = Gateway::new();
    gateway.once.break_down();
    for _ in 0..2 {
        assert_eq!(gateway.ask(keyed("one", &hello())).await.status, 200);
    }
    assert_eq!(gateway.chat.requests().len(), 2);
}

#[tokio::test]
async fn a_body_over_the_limit_is_told_by_its_route() {
    let gateway = Gateway::new();
    let answer = gateway.ask(keyed("one", &json!({"x": "x".repeat(5000)}))).await;
    answer.is_error(413, "invalid_request_error", "request_too_large");
    assert_eq!(gateway.once.known(), 0);
    while gateway.ledger.entries().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.ledger.entries()[0].http_status, 413);
}

#[tokio::test]
async fn a_video_is_made_once() {
    let gateway = Gateway::new();
    let ask = || {
        let mut request = keyed("one", &json!({"prompt": "a cat", "model": "grok-imagine-0.9"}));
        *request.uri_mut() = "/v1/videos".parse().unwrap();
        gateway.ask(request)
    };
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status.as_u16(), first.json()), (200, second.json()));
    assert_eq!(gateway.videos.all().len(), 1);
}
