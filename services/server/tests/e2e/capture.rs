//! Captured bodies, in one process and split, up to the command line; and the attempts of every kind of request.

use grok2api_kit::settings::Mode;
use grok2api_proto::capture::{Bodies, ReadRequest};
use grok2api_testkit::Backing;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    cli::{grok2api, output},
    support::{Product, Shape},
};

const KEY: &str = "sk-capture-tests";
const TOKENS: [&str; 3] = ["sim-basic-1", "sim-basic-2", "sim-basic-3"];

impl Product {
    /// Waits until the bodies of that request are kept.
    async fn bodies(&self, id: &str) -> Bodies {
        loop {
            let read = ReadRequest { id: id.to_owned(), reader: "a test".to_owned() };
            match self.gateway().services.captures.read(read).await {
                Ok(bodies) => return bodies,
                Err(error) => assert_eq!(error.code, "bodies_not_found", "{error}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

#[rstest]
#[case(Shape::Whole, Mode::File)]
#[case(Shape::Split, Mode::Mysql)]
#[case(Shape::Split, Mode::Redis)]
#[tokio::test]
async fn bodies_are_kept_when_wanted_and_hold_no_key(#[case] shape: Shape, #[case] mode: Mode) {
    let product = Product::on_store(shape, &TOKENS, Backing::start(mode)).await;
    product.ask("grok-3-fast", "[[sim:say=unseen]]").await;
    product.set(&[("capture_share_percent", json!(100)), ("api_key", json!(KEY))]).await;
    let answer = product.ask_with(KEY, "grok-3-fast", "[[sim:say=seen]]").await;
    let entries = product.entries(2).await;
    let bodies = product.bodies(&entries[1].id).await;
    assert_eq!(bodies.answer.unwrap().data, answer.text);
    let request = bodies.request.unwrap();
    let text = String::from_utf8(request.data.to_vec()).unwrap();
    assert!(text.contains("[[sim:say=seen]]") && !text.contains(KEY), "{text}");
    let read = ReadRequest { id: entries[0].id.clone(), reader: "a test".to_owned() };
    assert_eq!(product.gateway().services.captures.read(read).await.unwrap_err().code, "bodies_not_found");
    product.stop().await;
}

#[tokio::test]
async fn the_command_line_shows_a_request_and_its_bodies_and_writes_down_that_it_did() {
    let product = Product::with(Shape::Whole, &TOKENS).await;
    product.set(&[("capture_share_percent", json!(100))]).await;
    product.ask("grok-3-fast", "[[sim:fault=500:1]][[sim:say=rescued]]").await;
    product.post("/v1/images/generations", json!({"prompt": "a moon"}).to_string()).await;
    let video = product.post("/v1/videos", json!({"prompt": "the sun rises"}).to_string()).await.json();
    let entries = product.entries(3).await;
    for entry in &entries {
        assert!(!entry.attempts.is_empty() && entry.attempts.iter().all(|attempt| attempt.duration_ms > 0));
        product.bodies(&entry.id).await;
    }
    let (id, data) = (entries[0].id.clone(), product.data.clone());
    product.stop().await;

    let (code, text, _) = output(grok2api(data.path()).args(["usage", "show", &id])).await;
    assert_eq!(code, 0);
    for told in [
        id.as_str(),
        "/v1/chat/completions",
        "success, status 200",
        "attempt 1",
        "upstream_failed",
        "attempt 2",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert!(!text.contains("[[sim:say=rescued]]"), "{text}");
    let (code, text, _) = output(grok2api(data.path()).args(["usage", "show", &id, "--bodies"])).await;
    assert!(
        code == 0 && text.contains("[[sim:say=rescued]]") && text.contains("\"content\":\"rescued\""),
        "{text}"
    );
    let (_, text, _) = output(grok2api(data.path()).args(["usage", "show", &id, "--bodies", "--json"])).await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["attempts"].as_array().unwrap().len(), 2);
    assert!(told["request"]["data"].as_str().unwrap().contains("rescued"));
    let film = entries.iter().find(|entry| entry.endpoint == "/v1/videos").unwrap();
    assert_eq!(
        film.id.trim_start_matches("turn_"),
        video["id"].as_str().unwrap().trim_start_matches("video_")
    );

    let (code, _, said) = output(grok2api(data.path()).args(["usage", "show", "turn_x"])).await;
    assert!(code == 1 && said.contains("turn_x"), "{said}");
    let mut expected: Vec<_> = entries.iter().map(|entry| ("a test".to_owned(), entry.id.clone())).collect();
    expected.extend([(); 2].map(|()| ("command line".to_owned(), id.clone())));
    assert_eq!(reads(data.path()).await, expected);
}

/// Who read which bodies, in order, as the log of actions has it.
async fn reads(data: &std::path::Path) -> Vec<(String, String)> {
    let settings = [("G2A_DATA_DIR".to_owned(), data.display().to_string())];
    let settings = grok2api_kit::settings::Settings::load(None, settings).unwrap();
    let store = grok2api_storage::Store::open(&settings).await.unwrap();
    let actions = store.actions().page(None, 100).await.unwrap();
    store.close().await;
    let reads = actions.into_iter().rev().filter(|action| action.what == "bodies.read");
    reads.map(|action| (action.actor, action.target)).collect()
}
