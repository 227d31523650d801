//! What the headers of an answer tell.

use std::time::Duration;

use futures_util::stream;
use grok2api_proto::{
    Error, Kind,
    chat::{Attempt, End, Started, Text, chat_event::Kind as Event},
};
use grok2api_testkit::Step;
use rstest::rstest;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn tried(durations: &[u64]) -> Vec<Attempt> {
    let attempt = |duration_ms: &u64| Attempt { duration_ms: *duration_ms, ..Attempt::default() };
    durations.iter().map(attempt).collect()
}

/// Two accounts, committed after half a second, of which they had 450 ms; whole a second later.
fn second_try() -> Turn {
    let started = Started { attempts: 2, tried: tried(&[150, 300]), ..Started::default() };
    let first = [Event::Started(started), Event::Text(Text { text: "a".into() })];
    let steps = [
        Step::Batch(first.into()),
        Step::Wait(Duration::from_secs(1)),
        Step::Batch(vec![Event::End(End::default())]),
    ];
    Turn::of(steps).after(Duration::from_millis(500))
}

fn numbers(answer: &Answer) -> [Option<u64>; 4] {
    ["x-g2a-attempts", "x-g2a-upstream-ms", "x-g2a-overhead-ms", "openai-processing-ms"]
        .map(|name| answer.header(name).map(|value| value.parse().unwrap()))
}

#[rstest]
#[case::whole(false, 1450, 1500)]
#[case::streamed(true, 450, 500)]
#[tokio::test(start_paused = true)]
async fn an_answer_tells_its_attempts_and_what_time_was_ours(
    #[case] stream: bool,
    #[case] upstream: u64,
    #[case] processing: u64,
) {
    let gateway = Gateway::playing([second_try()]);
    let answer = gateway.post(&if stream { streamed() } else { hello() }).await;
    assert_eq!(answer.status, 200);
    assert_eq!(numbers(&answer), [Some(2), Some(upstream), Some(50), Some(processing)]);
}

#[tokio::test(start_paused = true)]
async fn turns_side_by_side_add_up_their_attempts_and_not_their_time() {
    let gateway = Gateway::playing([second_try(), second_try()]);
    let mut request = hello();
    request["n"] = json!(2);
    let answer = gateway.post(&request).await;
    assert_eq!(numbers(&answer), [Some(4), Some(1450), Some(50), Some(1500)]);
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_failure_tells_its_attempts_as_well(#[values(false, true)] stream: bool) {
    let error = Error::new(Kind::Upstream, "upstream_error", "no").after(tried(&[100, 200, 300]));
    let gateway = Gateway::playing([Turn::refused(error).after(Duration::from_millis(700))]);
    let answer = gateway.post(&if stream { streamed() } else { hello() }).await;
    assert_eq!(answer.status, 502);
    assert_eq!(numbers(&answer), [Some(3), Some(600), Some(100), Some(700)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_with_its_first_word_has_a_status() {
    let error = Error::new(Kind::RateLimited, "pool_exhausted", "no");
    let gateway = Gateway::playing([Turn::of([Step::Fail(error)])]);
    gateway.post(&streamed()).await.is_error(429, "rate_limit_error", "pool_exhausted");
}

#[tokio::test(start_paused = true)]
async fn a_stream_accepted_in_silence_tells_no_attempts() {
    let gateway = Gateway::playing([Turn::answer("late").after(Duration::from_secs(15))]);
    let answer = gateway.post(&streamed()).await;
    assert_eq!(numbers(&answer), [None, None, None, Some(10_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_from_its_last_byte() {
    let pieces = stream::unfold(hello().to_string().into_bytes(), |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let later = rest.split_off(rest.len() / 2);
        let (piece, rest) = if later.len() < 10 { ([rest, later].concat(), vec![]) } else { (rest, later) };
        Some((Ok::<_, std::io::Error>(piece), rest))
    });
    let request = Request::post("/v1/chat/completions").body(Body::from_stream(pieces)).unwrap();
    let answer = Gateway::new().ask(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(numbers(&answer)[2..], [Some(0), Some(0)]);
    let models = Gateway::new().get("/v1/models").await;
    assert_eq!(numbers(&models), [None, None, Some(0), Some(0)]);
}

#[tokio::test]
async fn a_trace_is_continued_and_one_without_is_begun() {
    let gateway = Gateway::new();
    let mut request = get("/v1/models");
    request.headers_mut().insert("traceparent", PARENT.parse().unwrap());
    request.headers_mut().insert("tracestate", "vendor=1".parse().unwrap());
    let answer = gateway.ask(request).await;
    let given = answer.header("traceparent").unwrap().to_owned();
    assert_eq!((&given[..36], given.len()), (&PARENT[..36], PARENT.len()));
    assert!(given.ends_with("-01") && given != PARENT, "{given}");
    assert_eq!(answer.header("tracestate"), Some("vendor=1"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("tracestate"));
    let fresh = gateway.get("/v1/nope").await.header("traceparent").unwrap().to_owned();
    assert!(fresh.starts_with("00-") && fresh.len() == PARENT.len() && fresh[..36] != given[..36]);
}

/// Hop-by-hop headers aside, which hyper adds, a script in a browser sees every header there is.
#[tokio::test]
async fn a_script_in_a_browser_may_read_every_header() {
    let exhausted = || Error::new(Kind::RateLimited, "pool_exhausted", "no").after(tried(&[1]));
    let gateway = Gateway::playing([Turn::answer("a"), Turn::refused(exhausted())]);
    for _ in 0..2 {
        let answer = gateway.post(&hello()).await;
        let exposed = answer.header("access-control-expose-headers").unwrap();
        let exposed: Vec<&str> = exposed.split(',').map(str::trim).collect();
        let named = |name: &&str| name.starts_with("x-") || name.contains("retry") || name.contains("trace");
        for name in answer.headers.keys().map(axum::http::HeaderName::as_str).filter(named) {
            assert!(exposed.contains(&name), "{name} is not in {exposed:?}");
        }
        for family in ["limit", "remaining", "reset"] {
            for what in ["requests", "tokens"] {
                assert!(exposed.contains(&format!("x-ratelimit-{family}-{what}").as_str()));
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn nothing_is_compressed(#[values(false, true)] stream: bool) {
    let mut request = post(&if stream { streamed() } else { hello() });
    request.headers_mut().insert("accept-encoding", "gzip, br, zstd".parse().unwrap());
    let answer = Gateway::playing([Turn::answer(&"a".repeat(10_000))]).ask(request).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, None));
    assert!(answer.text().contains("aaaa"));
}
