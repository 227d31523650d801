//! The operations port: `/livez`, `/readyz`, `/metrics`.

use std::sync::{Arc, OnceLock};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{lifecycle::Tasks, metrics, readiness::Readiness};

/// What Prometheus reads.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

const OPEN: &str = "the API is open to everybody who reaches it: make a client key, or set api_key";

/// Whether the API asks for no key, told by the process that serves it; others say nothing of it.
#[derive(Clone, Default)]
pub struct OpenApi(Arc<OnceLock<Box<dyn Fn() -> bool + Send + Sync>>>);

impl OpenApi {
    /// Says who knows; whoever said so first is believed.
    pub fn told_by(&self, knows: impl Fn() -> bool + Send + Sync + 'static) {
        self.0.get_or_init(|| Box::new(knows));
    }

    fn is_open(&self) -> Option<bool> {
        self.0.get().map(|knows| knows())
    }
}

/// Serves the operations routes until the hard stop, so that probes see the draining.
pub fn serve(listener: TcpListener, readiness: Readiness, open_api: OpenApi, tasks: &Tasks) {
    metrics::watch_process();
    let ready = readiness.clone();
    metrics::READY.by(move |seen| seen.is(if ready.pending().is_empty() { 1.0 } else { 0.0 }, []));
    let router = Router::new()
        .route("/livez", get(|| async { Json(json!({"status": "alive"})) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(tell))
        .with_state((readiness, open_api));
    tasks.spawn_background("ops", async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "operations port: {error}");
        }
    });
}

/// `200 {"status":"ready"}` or `503 {"status":"waiting","waiting_for":[…]}`; where the gateway runs also whether the API is
/// open, which is no reason to send nobody there.
async fn readyz(State((readiness, open_api)): State<(Readiness, OpenApi)>) -> (StatusCode, Json<Value>) {
    let pending = readiness.pending();
    if !pending.is_empty() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "waiting", "waiting_for": pending})));
    }
    let mut told = json!({"status": "ready"});
    if let Some(open) = open_api.is_open() {
        told["open_api"] = open.into();
        if open {
            told["warning"] = OPEN.into();
        }
    }
    (StatusCode::OK, Json(told))
}

async fn tell() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, EXPOSITION)], metrics::text())
}
