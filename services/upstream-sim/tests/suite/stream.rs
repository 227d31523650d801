//! Framing, splitting, pacing, leaving.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use grok2api_upstream_sim::{Outcome, SimConfig};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, BASIC, Bench};

#[tokio::test]
async fn every_framing_carries_the_same_objects() {
    let mut texts = Vec::new();
    for (framing, mime) in [
        ("a", "application/json"),
        ("b", "text/event-stream"),
        ("c", "application/json"),
        ("d", "application/json"),
    ] {
        let bench = Bench::start().await;
        let message = format!("[[sim:framing={framing}]]Hello {{\"brace\"}}");
        let response = bench.open(BASIC, json!({"modelName": "grok-3", "message": message})).await;
        assert_eq!(response.headers()["content-type"], mime);
        let answer = Answer::of(response.bytes().await.unwrap().to_vec());
        let raw = String::from_utf8(answer.raw.clone()).unwrap();
        match framing {
            "a" => assert!(raw.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())),
            "b" => assert!(raw.starts_with("event: message\ndata: {") && raw.ends_with("data: [DONE]\n\n")),
            "c" => assert!(raw.contains("}{") && !raw.contains('\n')),
            _ => assert!(raw.contains("\n\n") && raw.contains("\n  \n")),
        }
        texts.push((answer.objects, answer.raw.len()));
    }
    assert!(texts.windows(2).all(|pair| pair[0].0 == pair[1].0));
}

#[tokio::test]
async fn splits_fall_inside_characters_and_lose_nothing() {
    let bench = Bench::start().await;
    let response = bench
        .open(
            BASIC,
            json!({"modelName": "grok-3", "message": "[[sim:split]][[sim:say=月光🌕月光🌕月光🌕月光🌕]]"}),
        )
        .await;
    let pieces: Vec<_> = response.bytes_stream().map(|piece| piece.unwrap()).collect().await;
    assert!(pieces.len() > 50, "{} pieces", pieces.len());
    assert!(pieces.iter().any(|piece| std::str::from_utf8(piece).is_err()), "no piece cuts a character");
    assert_eq!(Answer::of(pieces.concat()).text(), "月光🌕月光🌕月光🌕月光🌕");
}

#[rstest]
#[case("[[sim:say=exactly this, 月]]", "exactly this, 月", 4)]
#[case("[[sim:tokens=250]]", "", 250)]
#[tokio::test]
async fn markers_choose_the_text(#[case] message: &str, #[case] text: &str, #[case] tokens: usize) {
    let bench = Bench::start().await;
    let answer = bench.ask(BASIC, message).await;
    assert!(text.is_empty() || answer.text() == text);
    assert_eq!(answer.tokens().iter().filter(|token| !token.is_empty()).count(), tokens);
}

#[tokio::test]
async fn markers_are_not_echoed_and_delays_are_kept() {
    let bench = Bench::start().await;
    let start = Instant::now();
    let answer = bench.ask(BASIC, "a[[sim:first_delay_ms=60]]b[[sim:delay_ms=4]]").await;
    assert!(answer.text().starts_with("You said: ab."));
    let tokens = answer.tokens().len() as u64 - 1;
    assert!(start.elapsed() >= Duration::from_millis(60 + 4 * tokens), "{:?}", start.elapsed());
}

#[tokio::test]
async fn equal_seeds_give_equal_bytes() {
    let script = ["hello", "search it", "draw it", "[[sim:split]][[sim:e4]]draw it"];
    let mut runs = Vec::new();
    for seed in [5, 5, 6] {
        let bench = Bench::with(SimConfig { seed, ..SimConfig::default() }).await;
        let mut bytes = Vec::new();
        for message in script {
            bytes.push(bench.ask(BASIC, message).await.raw);
        }
        runs.push(bytes);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded() {
    let bench = Bench::start().await;
    let body = json!({"modelName": "grok-3", "message": "[[sim:tokens=10000]][[sim:delay_ms=5]]"});
    let mut response = bench.open(BASIC, body).await;
    response.chunk().await.unwrap().unwrap();
    assert_eq!(bench.sim.in_flight(), 1);
    drop(response);
    bench.sim.idle().await;
    let request = bench.sim.requests().pop().unwrap();
    assert_eq!((request.outcome, request.fault), (Outcome::Cancelled, None));
    assert!(request.bytes > 0 && request.ended_ms.is_some());
    assert_eq!(bench.sim.cancelled(), 1);
}

#[tokio::test]
async fn a_thousand_open_streams_are_all_answered() {
    let bench = Bench::start().await;
    let turns = (0..1000).map(|number| {
        let bench = &bench;
        async move {
            let token = format!("sim-basic-{number}");
            bench.ask(&token, "[[sim:tokens=20]][[sim:delay_ms=10]]").await.tokens().len()
        }
    });
    let lengths = futures_util::future::join_all(turns).await;
    assert!(lengths.iter().all(|length| *length == 21), "20 tokens and the soft stop");
    bench.sim.idle().await;
    assert_eq!(bench.sim.counters().completed, 1000);
}

#[tokio::test]
async fn draining_ends_stalls_and_the_listener() {
    let bench = Bench::start().await;
    let mut stalled =
        bench.open(BASIC, json!({"modelName": "grok-3", "message": "[[sim:fault=stall-mid]]x y z"})).await;
    stalled.chunk().await.unwrap();
    bench.tasks.shutdown().drain();
    while let Ok(Some(_)) = stalled.chunk().await {}
    assert!(bench.tasks.finish(Duration::from_secs(5)).await);
    assert_eq!(bench.tasks.crashed(), None);
}
