//! Chat completions as server-sent events.

use std::time::Duration;

use bytes::Bytes;
use grok2api_proto::{
    Error, Kind,
    chat::{End, Media, Text, chat_event},
    media,
};
use grok2api_testkit::Step;
use tokio::time::Instant;

use super::*;

fn text(text: &str) -> chat_event::Kind {
    chat_event::Kind::Text(Text { text: text.into() })
}

fn end() -> chat_event::Kind {
    chat_event::Kind::End(End::default())
}

/// The next write, or nothing at the end.
async fn write(body: &mut Body) -> Option<Bytes> {
    Some(body.frame().await?.unwrap().into_data().unwrap())
}

fn is_ping(write: &[u8]) -> bool {
    write == b": ping\n\n"
}

/// The answer's text, put together.
fn content(stream: &[u8]) -> String {
    let text = std::str::from_utf8(stream).unwrap();
    let chunks =
        text.split("\n\n").filter_map(|frame| frame.strip_prefix("data: ").filter(|data| *data != "[DONE]"));
    let chunks = chunks.map(|chunk| serde_json::from_str::<Value>(chunk).unwrap());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn one_batch_is_one_write() {
    let steps = [Step::Batch(vec![text("a"), text("b")]), Step::Batch(vec![text("c"), end()])];
    let gateway = Gateway::playing([Turn::of(steps)]);
    let (status, headers, mut body) = gateway.open(post(&streamed())).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(content(&write(&mut body).await.unwrap()), "ab");
    assert!(write(&mut body).await.unwrap().ends_with(b"data: [DONE]\n\n"));
    assert_eq!(write(&mut body).await, None);
    assert_eq!(gateway.chat.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_turn_is_accepted_after_ten_seconds_and_kept_alive() {
    let gateway = Gateway::playing([Turn::answer("Hello").after(Duration::from_secs(25))]);
    let asked = Instant::now();
    let (status, headers, mut body) = gateway.open(post(&streamed())).await;
    assert_eq!((status, asked.elapsed().as_secs()), (StatusCode::OK, 10));
    assert!(headers["openai-processing-ms"].to_str().unwrap().starts_with("1000"));
    for seconds in [10, 20] {
        assert!(is_ping(&write(&mut body).await.unwrap()));
        assert_eq!(asked.elapsed().as_secs(), seconds);
    }
    assert_eq!(content(&write(&mut body).await.unwrap()), "Hello");
    assert_eq!(asked.elapsed().as_secs(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_alive() {
    let steps = [Step::Batch(vec![text("a")]), Step::Wait(Duration::from_secs(35)), Step::Batch(vec![end()])];
    let (_, _, mut body) = Gateway::playing([Turn::of(steps)]).open(post(&streamed())).await;
    let mut pings = Vec::new();
    while let Some(frame) = write(&mut body).await {
        pings.push(is_ping(&frame));
    }
    assert_eq!(pings, [false, true, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_within_ten_seconds_has_its_status_and_a_later_one_is_in_band() {
    let refusal = |seconds| {
        let error = Error::new(Kind::RateLimited, "pool_exhausted", "no account is left");
        Turn::refused(error).after(Duration::from_secs(seconds))
    };
    let gateway = Gateway::playing([refusal(9), refusal(11)]);
    gateway.post(&streamed()).await.is_error(429, "rate_limit_error", "pool_exhausted");
    let late = gateway.post(&streamed()).await;
    assert_eq!(late.status, 200);
    let error =
        r#"{"message":"no account is left","type":"rate_limit_error","param":null,"code":"pool_exhausted"}"#;
    assert_eq!(late.text(), format!(": ping\n\ndata: {{\"error\":{error}}}\n\ndata: [DONE]\n\n"));
}

#[tokio::test]
async fn a_stream_that_fails_or_is_cut_never_finishes() {
    let failing = [Step::Batch(vec![text("half")]), Step::Fail(Error::new(Kind::Upstream, "reset", "gone"))];
    let gateway = Gateway::playing([Turn::of(failing), Turn::of([Step::Batch(vec![text("half")])])]);
    for code in ["reset", "upstream_stream_incomplete"] {
        let answer = gateway.post(&streamed()).await;
        assert!(answer.text().contains(&format!("\"code\":\"{code}\"")), "{}", answer.text());
        assert!(answer.text().ends_with("data: [DONE]\n\n"));
        assert!(!answer.text().contains("\"finish_reason\":\""));
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_turn_along() {
    let gateway = Gateway::playing([Turn::of([Step::Batch(vec![text("a")]), Step::Hang])]);
    let (_, _, mut body) = gateway.open(post(&streamed())).await;
    write(&mut body).await.unwrap();
    assert_eq!(gateway.chat.open(), 1);
    drop(body);
    assert_eq!(gateway.chat.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_commit_takes_the_turn_along() {
    let gateway = Gateway::playing([Turn::answer("never").after(Duration::from_secs(3600))]);
    let (_, _, body) = gateway.open(post(&streamed())).await;
    assert_eq!(gateway.chat.open(), 1);
    drop(body);
    assert_eq!(gateway.chat.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_lingers_behind_its_end_is_let_go() {
    let gateway = Gateway::playing([Turn::of([Step::Batch(vec![text("a"), end()]), Step::Hang])]);
    let answer = gateway.post(&streamed()).await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    assert_eq!(gateway.chat.open(), 0);
}

#[tokio::test]
async fn the_hard_stop_ends_a_stream_with_an_error() {
    let gateway = Gateway::playing([Turn::of([Step::Batch(vec![text("a")]), Step::Hang])]);
    let (_, _, mut body) = gateway.open(post(&streamed())).await;
    write(&mut body).await.unwrap();
    gateway.tasks.shutdown().drain();
    assert!(futures_util::poll!(Box::pin(write(&mut body))).is_pending());
    gateway.tasks.shutdown().stop();
    let last = write(&mut body).await.unwrap();
    assert!(std::str::from_utf8(&last).unwrap().contains("server_stopping"));
    assert_eq!(write(&mut body).await, None);
}

#[tokio::test]
async fn an_image_inside_the_content_comes_in_pieces() {
    let image = Media { name: "a.png".into(), content_type: "image/png".into(), size: 9000 };
    let image = chat_event::Kind::Image(image);
    let turn = Turn::of([Step::Batch(vec![text("Look:"), image, text("Done."), end()])]);
    let gateway = Gateway::configured([turn], |config| config.image_mode = "base64".into());
    gateway.media.put(media::Kind::Image, "a.png", "image/png", vec![7; 9000]);
    let answer = gateway.post(&streamed()).await;
    let expected = "BwcH".repeat(3000);
    let whole = format!("Look:\n![Generated Image](data:image/png;base64,{expected})\nDone.");
    assert_eq!(content(&answer.body), whole);
    let longest = answer.text().split("\n\n").map(str::len).max().unwrap();
    assert!(longest < 8192 + 512, "a frame of {longest} bytes");
    assert!(answer.text().contains("\"finish_reason\":\"stop\""));
}

#[tokio::test]
async fn an_image_that_is_gone_is_an_error_in_band() {
    let image = chat_event::Kind::Image(Media { name: "a.png".into(), ..Media::default() });
    let turn = Turn::of([Step::Batch(vec![text("Look:"), image, end()])]);
    let gateway = Gateway::configured([turn], |config| config.image_mode = "base64".into());
    let answer = gateway.post(&streamed()).await;
    assert!(answer.text().contains("\"code\":\"media_not_found\""));
    assert!(!answer.text().contains("\"finish_reason\":\""));
    assert_eq!(gateway.chat.open(), 0);
}
