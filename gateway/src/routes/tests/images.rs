//! Images drawn and edited.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grok2api_proto::{
    Error, Kind,
    chat::{Attachment, End, ImageProgress, Media, Text, Usage, attachment::Source, chat_event, part},
    media,
};
use grok2api_testkit::Step;
use rstest::rstest;

use super::*;

fn picture(name: &str) -> Media {
    Media { name: name.into(), content_type: "image/jpeg".into(), size: 3 }
}

fn preview(index: u32, name: &str) -> chat_event::Kind {
    let preview = Some(picture(name));
    chat_event::Kind::ImageProgress(ImageProgress { index, percent: 50, preview })
}

/// Three images, one of them with two previews.
fn drawing() -> Turn {
    let usage = Usage { prompt_tokens: 3, completion_tokens: 2, reasoning_tokens: 0, estimated: true };
    Turn::of([
        Step::Batch(vec![chat_event::Kind::Text(Text { text: "I draw".into() })]),
        Step::Batch(vec![preview(0, "p0.jpg"), preview(0, "p1.jpg")]),
        Step::Batch(["a.jpg", "b.jpg", "c.jpg"].map(|name| chat_event::Kind::Image(picture(name))).to_vec()),
        Step::Batch(vec![chat_event::Kind::Usage(usage), chat_event::Kind::End(End::default())]),
    ])
}

fn gateway(turn: Turn) -> Gateway {
    let gateway = Gateway::playing([turn]);
    for name in ["p0.jpg", "p1.jpg", "a.jpg", "b.jpg", "c.jpg"] {
        gateway.media.put(media::Kind::Image, name, "image/jpeg", name.to_owned());
    }
    gateway
}

fn to(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).header("host", "g.example").body(body.to_string().into()).unwrap()
}

/// The events of a stream, each named as its data says.
fn events(answer: &Answer) -> Vec<Value> {
    let frames = answer.text().split_terminator("\n\n");
    let read = |frame: &str| {
        let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert!(data["type"] == name || name == "error", "{frame}");
        data
    };
    frames.map(read).collect()
}

#[rstest]
#[tokio::test]
async fn images_are_links_or_base64(
    #[values("/v1/images/generations", "/images/generations", "/v1/v1/images/generations")] path: &str,
) {
    let gateway = gateway(drawing());
    let asked = json!({"prompt": "a moon", "model": "grok-4-fast", "n": 2, "size": "1024x1536"});
    let answer = gateway.ask(to(path, &asked)).await.json();
    let urls = json!([{"url": "http://g.example/images/a.jpg"}, {"url": "http://g.example/images/b.jpg"}]);
    assert_eq!(answer["data"], urls);
    assert_eq!((&answer["output_format"], &answer["size"]), (&json!("jpeg"), &json!("1024x1536")));
    assert_eq!(answer["usage"]["total_tokens"], 5);
    let request = &gateway.chat.requests()[0];
    let drawing = request.drawing.as_ref().unwrap();
    assert_eq!((drawing.count, drawing.aspect_ratio.as_str(), drawing.previews), (2, "2:3", false));
    assert_eq!(request.model, "grok-4-fast");
}

#[tokio::test]
async fn base64_is_inside_the_answer() {
    let asked = json!({"prompt": "a moon", "response_format": "b64_json"});
    let answer = gateway(drawing()).ask(to("/v1/images/generations", &asked)).await.json();
    assert_eq!(answer["data"], json!([{"b64_json": STANDARD.encode("a.jpg")}]));
    assert!(answer.get("size").is_none());
}

#[rstest]
#[case::none(0, &[])]
#[case::one(1, &["p0.jpg"])]
#[case::as_many_as_there_are(3, &["p0.jpg", "p1.jpg"])]
#[tokio::test]
async fn previews_come_before_the_images(#[case] wanted: u32, #[case] shown: &[&str]) {
    let asked = json!({"prompt": "a moon", "n": 2, "stream": true, "partial_images": wanted});
    let answer = gateway(drawing()).ask(to("/v1/images/generations", &asked)).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let events = events(&answer);
    let (partial, completed) = events.split_at(shown.len());
    for (at, (event, name)) in partial.iter().zip(shown).enumerate() {
        assert_eq!(event["type"], "image_generation.partial_image");
        assert_eq!(
            (&event["partial_image_index"], &event["b64_json"]),
            (&json!(at), &json!(STANDARD.encode(name)))
        );
        assert!(event.get("usage").is_none());
    }
    assert_eq!(completed.len(), 2);
    for (event, (name, tokens)) in completed.iter().zip([("a.jpg", 0), ("b.jpg", 5)]) {
        assert_eq!(
            (&event["type"], &event["b64_json"]),
            (&json!("image_generation.completed"), &json!(STANDARD.encode(name)))
        );
        assert_eq!(
            (&event["usage"]["total_tokens"], &event["output_format"]),
            (&json!(tokens), &json!("jpeg"))
        );
    }
}

#[tokio::test]
async fn a_failure_has_its_status_or_is_the_last_event() {
    let error = || Error::new(Kind::Upstream, "upstream_image_missing", "no image");
    let asked = |stream: bool| to("/v1/images/generations", &json!({"prompt": "x", "stream": stream}));
    for stream in [false, true] {
        let answer = gateway(Turn::refused(error())).ask(asked(stream)).await;
        answer.is_error(502, "server_error", "upstream_image_missing");
    }
    let failing = || Turn::of([Step::Batch(vec![preview(0, "p0.jpg")]), Step::Fail(error())]);
    gateway(failing()).ask(asked(false)).await.is_error(502, "server_error", "upstream_image_missing");
    let streamed = gateway(failing()).ask(asked(true)).await;
    assert_eq!(events(&streamed).last().unwrap()["error"]["code"], "upstream_image_missing");
    let cut = gateway(Turn::of([Step::Batch(vec![preview(0, "p0.jpg")])])).ask(asked(true)).await;
    assert_eq!(events(&cut).last().unwrap()["error"]["code"], "upstream_stream_incomplete");
    let bad = gateway(drawing()).ask(to("/v1/images/edits", &json!({"prompt": "x"}))).await;
    bad.is_error(400, "invalid_request_error", "missing_required_parameter");
}

fn form(boundary: &str, entries: &[(&str, Option<&str>, &str)]) -> Request<Body> {
    let mut body = String::new();
    for (name, file, value) in entries {
        let file =
            file.map(|file| format!("; filename=\"{file}\"\r\ncontent-type: image/png")).unwrap_or_default();
        body += &format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
        );
    }
    body += &format!("--{boundary}--\r\n");
    let kind = format!("multipart/form-data; boundary={boundary}");
    Request::post("/v1/images/edits").header("content-type", kind).body(body.into()).unwrap()
}

#[tokio::test]
async fn a_form_brings_the_images_to_be_edited() {
    let gateway = gateway(drawing());
    let entries = [
        ("prompt", None, "a hat"),
        ("n", None, "2"),
        ("stream", None, "true"),
        ("image[]", Some("a.png"), "one"),
        ("image[]", Some("b.png"), "two"),
    ];
    let answer = gateway.ask(form("xyz", &entries)).await;
    assert_eq!(events(&answer).iter().filter(|event| event["type"] == "image_edit.completed").count(), 2);
    let parts = gateway.chat.requests()[0].messages[0].parts.clone();
    let files: Vec<_> = parts
        .iter()
        .filter_map(|part| match &part.kind {
            Some(part::Kind::Attachment(Attachment {
                source: Some(Source::Data(data)), file_name, ..
            })) => Some((file_name.as_str(), data.as_ref())),
            _ => None,
        })
        .collect();
    assert_eq!(files, [("a.png", &b"one"[..]), ("b.png", b"two")]);
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_the_clients_fault() {
    let mut request = form("xyz", &[("prompt", None, "x")]);
    *request.body_mut() = Body::from("--xyz\r\nnonsense");
    gateway(drawing()).ask(request).await.is_error(400, "invalid_request_error", "invalid_form");
}
