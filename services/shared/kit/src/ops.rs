//! The operations port: `/livez`, `/readyz`.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{lifecycle::Tasks, readiness::Readiness};

/// Serves the operations routes until the hard stop, so that probes see the draining.
pub fn serve(listener: TcpListener, readiness: Readiness, tasks: &Tasks) {
    let router = Router::new()
        .route("/livez", get(|| async { Json(json!({"status": "alive"})) }))
        .route("/readyz", get(ready))
        .with_state(readiness);
    tasks.spawn_background("ops", async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "operations port: {error}");
        }
    });
}

/// `200 {"status":"ready"}` or `503 {"status":"waiting","waiting_for":[…]}`.
async fn ready(State(readiness): State<Readiness>) -> (StatusCode, Json<Value>) {
    let pending = readiness.pending();
    if pending.is_empty() {
        (StatusCode::OK, Json(json!({"status": "ready"})))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "waiting", "waiting_for": pending})))
    }
}
