//! Chat completions in one answer.

use std::{net::SocketAddr, time::Duration};

use axum::extract::ConnectInfo;
use grok2api_proto::{
    Error, Kind,
    chat::{End, Media, Reasoning, Started, Text, chat_event},
    media,
};
use grok2api_testkit::Step;
use rstest::rstest;

use super::*;

fn text(text: &str) -> chat_event::Kind {
    chat_event::Kind::Text(Text { text: text.into() })
}

fn end() -> chat_event::Kind {
    chat_event::Kind::End(End::default())
}

fn image(name: &str) -> chat_event::Kind {
    chat_event::Kind::Image(Media { name: name.into(), content_type: "image/png".into(), size: 9000 })
}

fn content(answer: &Answer) -> String {
    answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

#[rstest]
#[tokio::test]
async fn every_spelling_of_the_path_answers(
    #[values(
        "/v1/chat/completions",
        "/chat/completions",
        "/v1/v1/chat/completions",
        "/v1/chat/completions?beta=true"
    )]
    path: &str,
) {
    let gateway = Gateway::new();
    let request = Request::post(path).header("content-type", "text/plain").body(hello().to_string().into());
    let answer = gateway.ask(request.unwrap()).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
    assert_eq!(content(&answer), "Hello");
    let body = answer.json();
    assert!(body["id"].as_str().unwrap().strip_prefix("chatcmpl-").is_some_and(|id| id.len() == 32));
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("grok-4-fast")));
    assert_eq!(body["usage"]["total_tokens"], 5);
    assert_eq!(gateway.chat.requests()[0].model, "grok-4-fast");
    assert_eq!(gateway.chat.open(), 0);
}

#[rstest]
#[case(Kind::NotFound, "model_not_found", 404, "invalid_request_error")]
#[case(Kind::RateLimited, "pool_exhausted", 429, "rate_limit_error")]
#[case(Kind::PermissionDenied, "content_refused", 403, "permission_error")]
#[case(Kind::Upstream, "upstream_failed", 502, "server_error")]
#[tokio::test]
async fn a_refused_turn_has_its_own_status_streamed_or_not(
    #[case] kind: Kind,
    #[case] code: &'static str,
    #[case] status: u16,
    #[case] class: &str,
) {
    let refusal = || Turn::refused(Error::new(kind, code, "no").retry_after(Duration::from_secs(7)));
    let gateway = Gateway::playing([refusal(), refusal()]);
    for request in [hello(), streamed()] {
        let answer = gateway.post(&request).await;
        answer.is_error(status, class, code);
        assert_eq!(answer.header("retry-after"), Some("7"));
    }
}

#[tokio::test]
async fn a_bad_request_reaches_no_service() {
    let gateway = Gateway::new();
    let answer = gateway.post(&json!({"model": "m", "messages": [{"role": "robot"}]})).await;
    answer.is_error(400, "invalid_request_error", "invalid_value");
    assert_eq!(answer.json()["error"]["param"], "messages[0].role");
    assert!(gateway.chat.requests().is_empty());
}

#[rstest]
#[case::cut(vec![Step::Batch(vec![text("half")])], "upstream_stream_incomplete")]
#[case::empty(vec![], "upstream_stream_incomplete")]
#[case::failed(vec![Step::Batch(vec![text("half")]), Step::Fail(Error::new(Kind::Upstream, "reset", "gone"))], "reset")]
#[tokio::test]
async fn half_an_answer_is_no_answer(#[case] steps: Vec<Step>, #[case] code: &str) {
    Gateway::playing([Turn::of(steps)]).post(&hello()).await.is_error(502, "server_error", code);
}

#[tokio::test]
async fn a_failure_behind_the_end_does_not_spoil_the_answer() {
    let steps = [Step::Batch(vec![text("whole"), end()]), Step::Fail(Error::internal("too late"))];
    assert_eq!(content(&Gateway::playing([Turn::of(steps)]).post(&hello()).await), "whole");
}

#[rstest]
#[case::by_default(None, "reasoning_content", "b", Some("a"))]
#[case::configured(None, "think", "<think>\na\n</think>\nb", None)]
#[case::asked(Some("think"), "off", "<think>\na\n</think>\nb", None)]
#[case::asked_off(Some("off"), "think", "b", None)]
#[tokio::test]
async fn reasoning_is_shown_as_configured_and_as_asked(
    #[case] asked: Option<&str>,
    #[case] configured: &str,
    #[case] shown: &str,
    #[case] reasoning: Option<&str>,
) {
    let thought = chat_event::Kind::Reasoning(Reasoning { text: "a".into(), ..Reasoning::default() });
    let turn = Turn::of([Step::Batch(vec![thought, text("b"), end()])]);
    let gateway = Gateway::configured([turn], |config| config.thinking_mode = configured.into());
    let mut request = hello();
    request["thinking_mode"] = json!(asked);
    let answer = gateway.post(&request).await;
    assert_eq!(content(&answer), shown);
    assert_eq!(answer.json()["choices"][0]["message"]["reasoning_content"].as_str(), reasoning);
}

#[rstest]
#[case::of_the_request("", None, "http://g.example")]
#[case::forwarded("", Some("10.0.0.1"), "https://pub.example")]
#[case::forwarded_by_anybody("", Some("192.0.2.1"), "http://g.example")]
#[case::configured("https://own.example/", Some("10.0.0.1"), "https://own.example")]
#[tokio::test]
async fn images_are_links_to_ourselves(
    #[case] base: &str,
    #[case] proxy: Option<&str>,
    #[case] expected: &str,
) {
    let turn = Turn::of([Step::Batch(vec![image("a.png"), end()])]);
    let gateway = Gateway::configured([turn], |config| config.base_url = base.into());
    let mut request = post(&hello());
    request.headers_mut().insert("x-forwarded-proto", "https".parse().unwrap());
    request.headers_mut().insert("x-forwarded-host", "pub.example".parse().unwrap());
    if let Some(proxy) = proxy {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(proxy.parse().unwrap(), 4711)));
    }
    let answer = gateway.ask(request).await;
    assert_eq!(content(&answer), format!("\n![Generated Image]({expected}/images/a.png)\n"));
}

#[tokio::test]
async fn images_are_inside_the_answer_when_so_configured() {
    let turn = Turn::of([Step::Batch(vec![image("a.png"), text("Done."), end()])]);
    let gateway = Gateway::configured([turn], |config| config.image_mode = "base64".into());
    gateway.media.put(media::Kind::Image, "a.png", "image/png", vec![7; 9000]);
    let expected = "BwcH".repeat(3000);
    let answer = gateway.post(&hello()).await;
    assert_eq!(content(&answer), format!("\n![Generated Image](data:image/png;base64,{expected})\nDone."));
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_takes_the_turn_along() {
    let started = Step::Batch(vec![chat_event::Kind::Started(Started::default())]);
    let gateway = Gateway::playing([Turn::of([started, Step::Hang])]);
    let request = hello();
    let mut answer = Box::pin(gateway.post(&request));
    assert!(futures_util::poll!(&mut answer).is_pending());
    assert_eq!(gateway.chat.open(), 1);
    drop(answer);
    assert_eq!(gateway.chat.open(), 0);
}
