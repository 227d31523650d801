//! A simulator on a free port and a client that speaks like the product.

use std::time::Duration;

use grok2api_kit::lifecycle::Tasks;
use grok2api_upstream_sim::{Scenario, Sim, SimConfig, start};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const BASIC: &str = "sim-basic-one";
pub(crate) const SUPER: &str = "sim-super-one";
pub(crate) const CHAT: &str = "/rest/app-chat/conversations/new";

/// A simulator and a client for it. The tasks end with the test's runtime.
pub(crate) struct Bench {
    pub(crate) sim: Sim,
    pub(crate) tasks: Tasks,
    client: Client,
}

/// A whole streamed answer.
pub(crate) struct Answer {
    pub(crate) raw: Vec<u8>,
    pub(crate) objects: Vec<Value>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(SimConfig { seed: 1, ..SimConfig::default() }).await
    }

    pub(crate) async fn scenario(text: &str) -> Self {
        let scenario: Scenario = text.parse().unwrap();
        Self::with(SimConfig { seed: 1, scenario: Some(scenario), ..SimConfig::default() }).await
    }

    pub(crate) async fn with(config: SimConfig) -> Self {
        let tasks = Tasks::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = start(listener, config, &tasks).await.unwrap();
        Self { sim, tasks, client: client() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// A request with the cookie of `token`.
    pub(crate) fn post(&self, token: &str, path: &str) -> RequestBuilder {
        self.client
            .post(format!("{}{path}", self.sim.url()))
            .header("cookie", format!("sso-rw={token};sso={token}"))
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> RequestBuilder {
        let url = format!("{}/{}", self.sim.url(), path.trim_start_matches('/'));
        self.client.get(url).header("cookie", format!("sso={token}; sso-rw={token}"))
    }

    pub(crate) async fn json(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        let response = self.post(token, path).json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// Sends a chat request and returns the response as soon as its headers are there.
    pub(crate) async fn open(&self, token: &str, body: Value) -> Response {
        self.post(token, CHAT).json(&body).send().await.unwrap()
    }

    /// One turn with `grok-3`, read to its end.
    pub(crate) async fn ask(&self, token: &str, message: &str) -> Answer {
        self.turn(token, json!({"modelName": "grok-3", "message": message, "temporary": true})).await
    }

    pub(crate) async fn turn(&self, token: &str, body: Value) -> Answer {
        let response = self.open(token, body).await;
        assert_eq!(response.status(), 200);
        Answer::of(response.bytes().await.unwrap().to_vec())
    }

    /// The status of one turn with `grok-3`.
    pub(crate) async fn status(&self, token: &str, message: &str) -> u16 {
        let response = self.open(token, json!({"modelName": "grok-3", "message": message})).await;
        let status = response.status().as_u16();
        response.bytes().await.unwrap();
        status
    }

    pub(crate) async fn quota(&self, token: &str, model: &str) -> Value {
        self.json(token, "/rest/rate-limits", json!({"requestKind": "DEFAULT", "modelName": model})).await.1
    }
}

impl Answer {
    pub(crate) fn of(raw: Vec<u8>) -> Self {
        let objects = objects(&raw).iter().filter_map(|object| serde_json::from_slice(object).ok()).collect();
        Self { raw, objects }
    }

    /// The values of one field of `result.response`, in order.
    pub(crate) fn all(&self, field: &str) -> Vec<&Value> {
        self.objects.iter().filter_map(|object| object["result"]["response"].get(field)).collect()
    }

    /// The text tokens that are not thinking.
    pub(crate) fn tokens(&self) -> Vec<&str> {
        let lines = self.objects.iter().map(|object| &object["result"]["response"]);
        lines.filter(|line| line["isThinking"] == false).filter_map(|line| line["token"].as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        self.tokens().concat()
    }

    pub(crate) fn closing(&self) -> &Value {
        self.all("modelResponse").pop().unwrap()
    }
}

/// The balanced top-level objects of a body, whatever stands between them; an unfinished one at the end is dropped.
pub(crate) fn objects(raw: &[u8]) -> Vec<&[u8]> {
    let (mut found, mut depth, mut start, mut string, mut escaped) = (Vec::new(), 0, 0, false, false);
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' if depth > 0 => string = !string,
            _ if string => {}
            b'{' => {
                start = if depth == 0 { at } else { start };
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    found.push(&raw[start..=at]);
                }
            }
            _ => {}
        }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "the client of these tests is not the product's")]
fn client() -> Client {
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}
