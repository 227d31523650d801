//! What the ledger is told of requests.

mod choices;
mod media;

use std::time::Duration;

use grok2api_proto::{
    Error, Kind,
    chat::{Attempt, Text, chat_event},
    ledger::{Entry, Outcome},
};
use grok2api_testkit::Step;

use super::*;

fn attempt(account: &str, outcome: &str, units: u32) -> Attempt {
    Attempt { account_id: account.into(), outcome: outcome.into(), units, ..Attempt::default() }
}

impl Gateway {
    /// The only entry.
    async fn entry(&self) -> Entry {
        let entries = self.ledger.recorded(1).await;
        assert_eq!(entries.len(), 1);
        entries[0].clone()
    }
}

fn outcome(entry: &Entry) -> (Outcome, u32, &str) {
    (entry.outcome(), entry.http_status, &entry.error_code)
}

#[rstest::rstest]
#[case(hello())]
#[case(streamed())]
#[tokio::test(start_paused = true)]
async fn an_answered_request_has_one_entry(#[case] request: Value) {
    let gateway = Gateway::playing([Turn::answer("Hello").after(Duration::from_millis(700))]);
    let answer = gateway.post(&request).await;
    let entry = gateway.entry().await;
    assert_eq!(entry.request_id, answer.header("x-request-id").unwrap());
    assert_eq!(entry.id, gateway.chat.requests()[0].request_id);
    assert_eq!(outcome(&entry), (Outcome::Success, 200, ""));
    assert_eq!((entry.endpoint.as_str(), entry.model.as_str()), ("/v1/chat/completions", "grok-4-fast"));
    assert_eq!(entry.stream, request["stream"] == true);
    assert_eq!((entry.first_output_ms, entry.duration_ms), (Some(700), 700));
    assert_eq!((entry.prompt_tokens, entry.completion_tokens, entry.tokens_estimated), (3, 2, true));
    assert_eq!((entry.units, entry.attempts.len()), (1, 1));
    let served = &entry.attempts[0];
    assert_eq!((served.account.as_str(), served.outcome.as_str(), served.units), ("account-1", "success", 1));
}

#[tokio::test]
async fn refusals_tell_their_attempts_and_clients_never_see_them() {
    let error = Error::new(Kind::RateLimited, "upstream_rate_limited", "the limit")
        .after(vec![attempt("a", "upstream_failed", 0), attempt("b", "rate_limited", 4)]);
    let gateway = Gateway::playing([Turn::refused(error)]);
    let answer = gateway.post(&hello()).await;
    assert!(!answer.text().contains("rate_limited\"}]") && !answer.text().contains("upstream_failed"));
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::RateLimited, 429, "upstream_rate_limited"));
    assert_eq!((entry.error_message.as_str(), entry.first_output_ms, entry.units), ("the limit", None, 4));
    let accounts: Vec<_> = entry.attempts.iter().map(|one| (one.account.as_str(), one.units)).collect();
    assert_eq!(accounts, [("a", 0), ("b", 4)]);
}

#[tokio::test]
async fn a_request_that_is_wrong_is_recorded_too() {
    let gateway = Gateway::new();
    gateway.post(&json!({"messages": []})).await;
    assert_eq!(outcome(&gateway.entry().await), (Outcome::InvalidRequest, 400, "missing_required_parameter"));
}

#[tokio::test]
async fn names_of_models_that_do_not_exist_are_not_counted() {
    let unknown = Error::new(Kind::NotFound, "model_not_found", "the model \"x\" does not exist");
    let gateway = Gateway::playing([Turn::refused(unknown)]);
    gateway.post(&hello()).await;
    let entry = gateway.entry().await;
    assert_eq!((entry.model.as_str(), entry.http_status), ("", 404));
    assert!(entry.error_message.contains("\"x\""));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_stream_is_recorded_as_such() {
    let steps = [Step::Batch(Turn::answer("a").steps.into_iter().find_map(beginning).unwrap()), Step::Hang];
    let gateway = Gateway::playing([Turn::of(steps)]);
    let (_, _, mut body) = gateway.open(post(&streamed())).await;
    body.frame().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(250)).await;
    drop(body);
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::ClientCancelled, 200, ""));
    assert_eq!((entry.duration_ms, entry.units), (250, 1));
    let last = &entry.attempts[0];
    assert_eq!((last.account.as_str(), last.outcome.as_str()), ("account-1", "client_cancelled"));
}

/// Started, charge and text of an answer.
fn beginning(step: Step) -> Option<Vec<chat_event::Kind>> {
    let Step::Batch(kinds) = step else { return None };
    Some(kinds.into_iter().take(3).collect())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_first_output_is_recorded_as_such() {
    let gateway = Gateway::playing([Turn::answer("late").after(Duration::from_secs(5))]);
    let request = hello();
    let asked = tokio::time::timeout(Duration::from_secs(1), gateway.post(&request));
    assert!(asked.await.is_err());
    let entry = gateway.entry().await;
    assert_eq!((entry.outcome(), entry.duration_ms), (Outcome::ClientCancelled, 1_000));
}

#[rstest::rstest]
#[case::streamed(streamed(), 200)]
#[case::whole(hello(), 502)]
#[tokio::test]
async fn what_fails_after_its_first_output_has_the_status_that_was_sent(
    #[case] request: Value,
    #[case] status: u32,
) {
    let text = chat_event::Kind::Text(Text { text: "half".into() });
    let gone = Error::new(Kind::Upstream, "reset", "gone").after(vec![attempt("a", "upstream_failed", 1)]);
    let gateway = Gateway::playing([Turn::of([
        Step::Batch([beginning(Turn::answer("x").steps.remove(0)).unwrap(), vec![text]].concat()),
        Step::Fail(gone),
    ])]);
    assert_eq!(u32::from(gateway.post(&request).await.status.as_u16()), status);
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::Upstream, status, "reset"));
    assert!(entry.first_output_ms.is_some());
    assert_eq!(entry.attempts[0].outcome, "upstream_failed");
}

#[tokio::test]
async fn a_panic_is_recorded_as_ours() {
    let gateway = Gateway::playing([Turn::of([Step::Panic])]);
    gateway.post(&hello()).await;
    assert_eq!(outcome(&gateway.entry().await), (Outcome::Internal, 500, "internal_error"));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_away_costs_requests_nothing_and_gets_its_entries_later() {
    let gateway = Gateway::new();
    gateway.ledger.away(true);
    for _ in 0..3 {
        assert_eq!(gateway.post(&hello()).await.status, 200);
    }
    gateway.ledger.called().await;
    gateway.ledger.called().await;
    gateway.ledger.away(false);
    assert_eq!(gateway.ledger.recorded(3).await.len(), 3);
    assert_eq!(gateway.ledger.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_counted() {
    let gateway = Gateway::new();
    gateway.ledger.away(true);
    let recorder = Recorder::start(gateway.ledger.clone(), None, &gateway.tasks);
    for _ in 0..20_010 {
        drop(recorder.begin("/v1/chat/completions", "req"));
    }
    gateway.ledger.away(false);
    assert_eq!(gateway.ledger.recorded(20_000).await.len(), 20_000);
    assert_eq!(gateway.ledger.lost(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_hard_stop_writes_down_what_is_open_and_what_waits() {
    let gateway = Gateway::playing([Turn::answer("one"), Turn::of([Step::Hang])]);
    gateway.post(&hello()).await;
    let (_, _, body) = gateway.open(post(&streamed())).await;
    let reading = tokio::time::timeout(Duration::from_secs(60), body.collect());
    let (_, stopped) = tokio::join!(reading, async {
        gateway.tasks.shutdown().drain();
        gateway.tasks.finish(Duration::from_secs(1)).await
    });
    assert!(stopped, "no work was left behind");
    let outcomes: Vec<_> = gateway.ledger.entries().iter().map(Entry::outcome).collect();
    assert_eq!(outcomes, [Outcome::Success, Outcome::Unavailable]);
}
