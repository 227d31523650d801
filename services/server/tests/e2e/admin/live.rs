//! What runs, pushed, and cancelled.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Admin, keys, start};
use crate::support::{Product, Shape, Streamed};

const LONG: Duration = Duration::from_secs(30);

/// The events of a live stream, by their names.
struct Events {
    body: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Events {
    async fn open(admin: &Admin) -> Self {
        let response = admin.open(Method::GET, "/api/live", None).await;
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (reqwest::StatusCode::OK, &"text/event-stream".parse().unwrap())
        );
        Self { body: response.bytes_stream().boxed(), text: String::new() }
    }

    /// The data of the next event of that name for which this holds.
    async fn until(&mut self, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                while let Some((event, rest)) = self.text.split_once("\n\n") {
                    let line = |prefix: &str| {
                        event.lines().find_map(|line| line.strip_prefix(prefix)).map(str::to_owned)
                    };
                    let (named, data) = (line("event: "), line("data: "));
                    self.text = rest.to_owned();
                    if named.as_deref() == Some(name) {
                        let data: Value = serde_json::from_str(&data.unwrap()).unwrap();
                        if holds(&data) {
                            return data;
                        }
                    }
                }
                let chunk = self.body.next().await.expect("the stream goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        timeout(LONG, found).await.unwrap_or_else(|_| panic!("no {name} as wanted"))
    }
}

/// A stream that says something and then nothing for a long time.
async fn hanging(product: &Product) -> reqwest::Response {
    let body = json!({"model": "grok-3-fast", "stream": true,
        "messages": [{"role": "user", "content": "[[sim:fault=stall-mid]] [[sim:say=a long answer of many words]]"}]});
    product.open(&body).await
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn a_running_stream_is_seen_and_cancelled(#[case] shape: Shape) {
    let (product, owner) = start(shape, &["sim-basic-0001"]).await;
    product.patience(60).await;
    let mut events = Events::open(&owner).await;
    let first = events.until("snapshot", |_| true).await;
    assert_eq!(keys(&first), ["accounts", "at", "dry", "errors", "replicas", "running", "shared", "totals"]);
    let hanging = hanging(&product).await;
    let snapshot = events
        .until("snapshot", |data| data["totals"]["running"] == 1 && data["running"][0]["phase"] == "running")
        .await;
    let running = &snapshot["running"][0];
    let fields = [
        "account",
        "account_token",
        "attempts",
        "cancellable",
        "client_key",
        "endpoint",
        "first_output_at",
        "id",
        "key_name",
        "model",
        "phase",
        "replica",
        "request_id",
        "started_at",
        "stream",
        "tokens",
        "tokens_per_second",
    ];
    assert_eq!(keys(running), fields);
    assert_eq!((&running["model"], &running["stream"]), (&json!("grok-3-fast"), &json!(true)));
    assert!(running["account_token"].as_str().unwrap().starts_with("sim-…"));
    let id = running["id"].as_str().unwrap();
    assert_eq!(owner.post(&format!("/api/live/{id}/cancel"), &json!({})).await, json!({"cancelled": true}));
    let streamed = timeout(LONG, Streamed::read(hanging)).await.unwrap();
    assert_eq!(streamed.error_code(), "cancelled_by_operator");
    events.until("snapshot", |data| data["totals"]["running"] == 0).await;
    let accounts = product.settled().await;
    assert!(accounts[0].failures.is_empty(), "nobody is to blame");
    assert_eq!(
        owner.refused(Method::POST, &format!("/api/live/{id}/cancel"), &json!({})).await,
        (404, "not_found".into())
    );
    assert!(owner.actions().await.contains(&"admin live.cancel".to_owned()));

    // An error of the last minute, and what happens in the pool.
    assert_ne!(product.ask("grok-3-fast", "[[sim:fault=429:9]]").await.status, 200);
    events
        .until("snapshot", |data| {
            data["errors"].as_array().unwrap().iter().any(|error| error["http_status"] == 429)
        })
        .await;
    owner.work("/api/accounts/bulk", &json!({"action": "disable", "filter": {}})).await;
    let changed = events.until("pool", |data| data["kind"] == "changed").await;
    assert_eq!(keys(&changed), ["account_id", "at", "cause", "class", "kind", "missed", "until"]);
    product.stop().await;
}

#[tokio::test]
async fn a_live_stream_ends_with_its_session() {
    let (product, owner) = start(Shape::Whole, &[]).await;
    let mut events = Events::open(&owner).await;
    events.until("snapshot", |_| true).await;
    owner.post("/api/logout", &json!({})).await;
    assert_eq!(events.until("end", |_| true).await, json!({"code": "SESSION_INVALID"}));
    assert!(timeout(LONG, events.body.next()).await.unwrap().is_none());
    product.stop().await;
}

#[tokio::test]
async fn the_playground_asks_by_session() {
    let (product, owner) = start(Shape::Whole, &["sim-basic-1"]).await;
    owner.post("/api/keys", &json!({"spec": {"name": "closes the API"}})).await;
    let body =
        json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "[[sim:say=hello]]"}]});
    assert_eq!(product.chat(&body).await.status, 401);
    let answer = owner.post("/api/playground/chat/completions", &body).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "hello");
    assert_eq!(owner.get("/api/playground/models").await["object"], "list");
    let models = owner.get("/api/models").await;
    assert_eq!(
        keys(&models["items"][0]),
        ["class", "cost", "description", "display_name", "id", "minimum_tier", "video"]
    );
    product.stop().await;
}
