//! The operations port: `/livez`, `/readyz`, `/metrics`.

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

/// Serves the operations routes until the hard stop, so that probes see the draining.
pub fn serve(listener: TcpListener, readiness: Readiness, tasks: &Tasks) {
    metrics::watch_process();
    let ready = readiness.clone();
    metrics::READY.by(move |seen| seen.is(if ready.pending().is_empty() { 1.0 } else { 0.0 }, []));
    let router = Router::new()
        .route("/livez", get(|| async { Json(json!({"status": "alive"})) }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(tell))
        .with_state(readiness);
    tasks.spawn_background("ops", async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "operations port: {error}");
        }
    });
}

/// `200 {"status":"ready"}` or `503 {"status":"waiting","waiting_for":[…]}`.
async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, Json<Value>) {
    let pending = readiness.pending();
    if pending.is_empty() {
        (StatusCode::OK, Json(json!({"status": "ready"})))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "waiting", "waiting_for": pending})))
    }
}

async fn tell() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, EXPOSITION)], metrics::text())
}
