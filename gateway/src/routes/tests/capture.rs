//! Which bodies are kept, and what of them.

use grok2api_proto::{
    capture::{Bodies, Body as Kept},
    chat::{Text, chat_event::Kind},
};
use grok2api_testkit::Step;

use super::*;

const ALL: u32 = 100;

fn capturing(share: u32, turns: impl IntoIterator<Item = Turn>) -> Gateway {
    Gateway::configured(turns, |config| {
        config.capture_share_percent = share;
        config.capture_max_body_kb = 1;
        config.api_key = "sk-secret".into();
    })
}

fn asked(body: &Value) -> Request<Body> {
    let mut request = post(body);
    let headers = request.headers_mut();
    headers.insert("authorization", "Bearer sk-secret".parse().unwrap());
    headers.insert("cookie", "session=sk-cookie".parse().unwrap());
    request
}

fn text(body: Option<&Kept>) -> String {
    String::from_utf8(body.unwrap().data.to_vec()).unwrap()
}

#[tokio::test]
async fn bodies_are_kept_under_the_ledgers_id_and_hold_no_key() {
    let gateway = capturing(ALL, []);
    let answer = gateway.ask(asked(&hello())).await;
    let kept = gateway.captures.kept(1).await;
    let [Bodies { id, request, answer: told }] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(*id, gateway.ledger.recorded(1).await[0].id);
    assert_eq!(text(request.as_ref()), hello().to_string());
    assert_eq!(request.as_ref().unwrap().media_type, "application/json");
    assert_eq!(text(told.as_ref()), answer.text());
    assert_eq!(told.as_ref().unwrap().media_type, "application/json");
    let all = format!("{:?}", prost::Message::encode_to_vec(&kept[0]));
    for secret in ["sk-secret", "sk-cookie"] {
        assert!(!all.contains(&format!("{:?}", secret.as_bytes()).replace(['[', ']'], "")));
    }
}

#[tokio::test]
async fn a_stream_is_kept_and_so_is_what_a_client_that_left_had_of_it() {
    let steps = [Step::Batch(vec![Kind::Text(Text { text: "first words".into() })]), Step::Hang];
    let gateway = capturing(ALL, [Turn::of([]), Turn::of(steps)]);
    let whole = gateway.ask(asked(&streamed())).await;
    let (_, _, mut body) = gateway.open(asked(&streamed())).await;
    body.frame().await.unwrap().unwrap();
    drop(body);
    let kept = gateway.captures.kept(2).await;
    let told = |bodies: &Bodies| text(bodies.answer.as_ref());
    assert!(kept.iter().any(|bodies| whole.text().starts_with(&told(bodies))));
    assert!(kept.iter().any(|bodies| told(bodies).contains("first words")));
    assert!(kept[0].answer.as_ref().unwrap().media_type.starts_with("text/event-stream"));
}

#[tokio::test]
async fn a_long_body_is_shortened_and_its_size_told() {
    let gateway = capturing(ALL, []);
    let image = format!("data:image/png;base64,{}", "A".repeat(3000));
    let parts = json!([{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": "see?"}]);
    let body = json!({"model": "grok-4-fast", "messages": [{"role": "user", "content": parts}]});
    gateway.ask(asked(&body)).await;
    let kept = gateway.captures.kept(1).await;
    let request = kept[0].request.as_ref().unwrap();
    assert_eq!(request.size as usize, body.to_string().len());
    assert!(request.data.len() < 1024);
    let text = text(Some(request));
    assert!(text.contains("more)") && text.contains("see?"), "{text}");
}

#[tokio::test]
async fn nothing_is_kept_unless_wanted_nor_of_strangers() {
    let (off, on) = (capturing(0, []), capturing(ALL, []));
    off.ask(asked(&hello())).await;
    off.ledger.recorded(1).await;
    // Without a key there is no entry either.
    assert_eq!(on.post(&hello()).await.status, 401);
    on.ask(asked(&hello())).await;
    let kept = on.captures.kept(1).await;
    assert_eq!(kept[0].id, on.ledger.recorded(1).await[0].id);
    assert!(off.captures.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_holds_nobody_up_and_fills_no_memory() {
    let gateway = capturing(ALL, []);
    gateway.captures.away(true);
    for _ in 0..200 {
        assert_eq!(gateway.ask(asked(&hello())).await.status, 200);
    }
    gateway.captures.away(false);
    // What found no place is not kept; what comes later is.
    gateway.captures.kept(1).await;
    assert!(gateway.captures.all().len() <= 64);
}
