//! Requests of several turns: one entry, in which all that the turns brought is added up.

use super::*;

fn asked(n: usize, stream: bool) -> Value {
    let mut request = hello();
    request["n"] = json!(n);
    request["stream"] = json!(stream);
    request
}

fn attempts(entry: &Entry) -> Vec<(&str, &str, u32)> {
    entry.attempts.iter().map(|one| (one.account.as_str(), one.outcome.as_str(), one.units)).collect()
}

#[rstest::rstest]
#[tokio::test(start_paused = true)]
async fn choices_are_one_entry_with_the_sums_of_all(#[values(false, true)] stream: bool) {
    let after = |text, ms| Turn::answer(text).after(Duration::from_millis(ms));
    let gateway = Gateway::playing([after("one", 700), after("two", 300), after("three", 900)]);
    assert_eq!(gateway.post(&asked(3, stream)).await.status, 200);
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::Success, 200, ""));
    assert_eq!(attempts(&entry), [("account-1", "success", 1); 3]);
    assert_eq!((entry.prompt_tokens, entry.completion_tokens, entry.tokens_estimated), (9, 6, true));
    assert_eq!((entry.units, entry.duration_ms), (3, 900));
    // A stream begins when all its choices have.
    assert_eq!(entry.first_output_ms, Some(if stream { 900 } else { 300 }));
    assert_eq!(entry.id, gateway.chat.requests()[0].request_id);
}

#[rstest::rstest]
#[tokio::test]
async fn a_choice_that_is_refused_fails_the_entry_and_blames_no_other_account(
    #[values(false, true)] stream: bool,
) {
    let error = Error::new(Kind::RateLimited, "pool_exhausted", "no account is left")
        .after(vec![attempt("a", "rate_limited", 4), attempt("b", "upstream_failed", 0)]);
    let begun = Step::Batch(Turn::answer("x").steps.into_iter().find_map(beginning).unwrap());
    let gateway = Gateway::playing([Turn::of([begun, Step::Hang]), Turn::refused(error)]);
    assert_eq!(gateway.post(&asked(2, stream)).await.status, 429);
    let entry = gateway.entry().await;
    assert_eq!(outcome(&entry), (Outcome::RateLimited, 429, "pool_exhausted"));
    let (refused, others): (Vec<_>, Vec<_>) =
        attempts(&entry).into_iter().partition(|(account, ..)| *account != "account-1");
    assert_eq!(refused, [("a", "rate_limited", 4), ("b", "upstream_failed", 0)]);
    assert!(others.iter().all(|one| *one == ("account-1", "client_cancelled", 1)), "{others:?}");
}

#[rstest::rstest]
#[tokio::test(start_paused = true)]
async fn only_if_every_choice_ended_well_is_it_a_success(#[values(false, true)] stream: bool) {
    let gone = Error::new(Kind::Upstream, "reset", "gone").after(vec![attempt("a", "upstream_failed", 1)]);
    let begun = Turn::answer("x").steps.into_iter().find_map(beginning).unwrap();
    let wait = || Step::Wait(Duration::from_secs(1));
    let failing = Turn::of([Step::Batch(begun.clone()), wait(), Step::Fail(gone)]);
    let turns = [Turn::answer("well"), failing, Turn::of([Step::Batch(begun), Step::Hang])];
    let gateway = Gateway::playing(turns);
    gateway.post(&asked(3, stream)).await;
    let entry = gateway.entry().await;
    assert_eq!((entry.outcome(), entry.error_code.as_str()), (Outcome::Upstream, "reset"));
    assert_eq!(entry.http_status, if stream { 200 } else { 502 });
    let told =
        [("account-1", "success", 1), ("a", "upstream_failed", 1), ("account-1", "client_cancelled", 1)];
    assert_eq!(attempts(&entry), told);
    assert_eq!((entry.units, entry.prompt_tokens, entry.completion_tokens), (3, 3, 2));
    assert_eq!(entry.attempts[2].cause, "another choice of the request failed");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_one_choice_is_still_told_has_left() {
    let begun = Turn::answer("x").steps.into_iter().find_map(beginning).unwrap();
    let gateway = Gateway::playing([Turn::answer("well"), Turn::of([Step::Batch(begun), Step::Hang])]);
    let asked = tokio::time::timeout(Duration::from_secs(1), async { gateway.post(&asked(2, false)).await });
    assert!(asked.await.is_err());
    let entry = gateway.entry().await;
    assert_eq!((entry.outcome(), entry.units), (Outcome::ClientCancelled, 2));
    assert_eq!(attempts(&entry), [("account-1", "success", 1), ("account-1", "client_cancelled", 1)]);
}
