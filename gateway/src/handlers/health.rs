//! `GET /health`, in the seed's shape.

use axum::{Json, extract::State, http::StatusCode};
use serde_json::{Value, json};

use crate::Deps;

/// Cheap: no service is asked. `503` while the process starts or drains.
pub(crate) async fn health(State(deps): State<Deps>) -> (StatusCode, Json<Value>) {
    let pending = deps.readiness.pending();
    let version = env!("CARGO_PKG_VERSION");
    if pending.is_empty() {
        return (
            StatusCode::OK,
            Json(json!({"status": "healthy", "service": "Grok2API", "version": version})),
        );
    }
    let body =
        json!({"status": "unavailable", "service": "Grok2API", "version": version, "waiting_for": pending});
    (StatusCode::SERVICE_UNAVAILABLE, Json(body))
}
