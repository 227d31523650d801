//! The routes as a client meets them, without a socket.

mod capture;
mod chat;
mod choices;
mod common;
mod docs;
mod headers;
mod idempotency;
mod images;
mod keys;
mod limits;
mod links;
mod media;
mod responses;
mod stream;
mod usage;
mod videos;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use grok2api_kit::{lifecycle::Tasks, readiness::Readiness, runtime::Runtime, settings::Settings};
use grok2api_proto::config::RuntimeConfig;
use grok2api_testkit::{
    FakeCaptures, FakeChat, FakeIdempotency, FakeLedger, FakeMediaCache, FakeResponses, FakeVideoJobs, Turn,
    runtime_config,
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::{ClientKeys, Deps, Idempotency, Videos, capture::Capturer, router, usage::Recorder};

/// A gateway over fakes.
struct Gateway {
    router: Router,
    chat: Arc<FakeChat>,
    media: Arc<FakeMediaCache>,
    ledger: Arc<FakeLedger>,
    captures: Arc<FakeCaptures>,
    responses: Arc<FakeResponses>,
    videos: Arc<FakeVideoJobs>,
    once: Arc<FakeIdempotency>,
    tasks: Tasks,
}

impl Gateway {
    fn new() -> Self {
        Self::playing([])
    }

    fn playing(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::configured(turns, |_| {})
    }

    fn configured(turns: impl IntoIterator<Item = Turn>, change: impl FnOnce(&mut RuntimeConfig)) -> Self {
        Self::keyed(turns, change, ClientKeys::default(), Tasks::new())
    }

    fn keyed(
        turns: impl IntoIterator<Item = Turn>,
        change: impl FnOnce(&mut RuntimeConfig),
        client_keys: ClientKeys,
        tasks: Tasks,
    ) -> Self {
        let mut config = runtime_config();
        change(&mut config);
        let (chat, media) = (Arc::new(FakeChat::playing(turns).filming()), Arc::<FakeMediaCache>::default());
        let responses = Arc::<FakeResponses>::default();
        let (ledger, videos) = (Arc::<FakeLedger>::default(), Arc::<FakeVideoJobs>::default());
        let usage = Recorder::start(ledger.clone(), None, &tasks);
        let (captures, runtime) = (Arc::<FakeCaptures>::default(), Runtime::fixed(config));
        let (http, once) = (Settings::load(None, []).unwrap().http, Arc::<FakeIdempotency>::default());
        let router = router(Deps {
            chat: chat.clone(),
            media: media.clone(),
            videos: Videos::start(videos.clone(), chat.clone(), usage.clone(), client_keys.clone(), &tasks),
            capture: Capturer::start(captures.clone(), runtime.clone(), &tasks),
            responses: responses.clone(),
            runtime,
            client_keys,
            trusted_proxies: "10.0.0.0/8".to_owned().try_into().unwrap(),
            readiness: Readiness::new(tasks.shutdown().clone()),
            max_body_bytes: 4096,
            idempotency: Idempotency::start(once.clone(), &http, &tasks),
            max_in_flight: 100,
            usage,
            tasks: tasks.clone(),
            admin: None,
        });
        Self { router, chat, media, ledger, captures, responses, videos, once, tasks }
    }

    /// Asks, and returns when the headers are there.
    async fn open(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Body) {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        (parts.status, parts.headers, body)
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let (status, headers, body) = self.open(request).await;
        Answer { status, headers, body: body.collect().await.unwrap().to_bytes().to_vec() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(get(path)).await
    }

    async fn post(&self, body: &Value) -> Answer {
        self.ask(post(body)).await
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks that this is an error in OpenAI's shape.
    fn is_error(&self, status: u16, kind: &str, code: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        let body = self.json();
        let error = body["error"].as_object().unwrap();
        assert_eq!(error.len(), 4);
        assert_eq!((&error["type"], &error["code"]), (&json!(kind), &json!(code)));
        assert!(error["message"].is_string() && (error["param"].is_null() || error["param"].is_string()));
        assert!(self.header("x-request-id").is_some());
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

fn post(body: &Value) -> Request<Body> {
    let request = Request::post("/v1/chat/completions").header("host", "g.example");
    request.header("content-type", "application/json").body(body.to_string().into()).unwrap()
}

fn hello() -> Value {
    json!({"model": "grok-4-fast", "messages": [{"role": "user", "content": "hi"}]})
}

fn streamed() -> Value {
    let mut request = hello();
    request["stream"] = json!(true);
    request
}
