//! `GET /health`, in the seed's shape.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Deps, openapi::words};

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(schema_with = words::health)]
    status: &'static str,
    #[schema(schema_with = words::service)]
    service: &'static str,
    version: &'static str,
    /// What is not ready yet, or no longer; left out when healthy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    waiting_for: Vec<&'static str>,
}

/// Tells whether the process serves.
///
/// Cheap: no service is asked. `503` while the process starts or drains, or its store is away.
#[utoipa::path(get, path = "/health", tag = "Service", operation_id = "health",
    responses(
        (status = 200, description = "It serves.", body = Health),
        (status = 503, description = "It starts or drains, or its store is away.", body = Health),
    ))]
pub(crate) async fn health(State(deps): State<Deps>) -> (StatusCode, Json<Health>) {
    let waiting_for = deps.readiness.pending();
    let (code, status) = if waiting_for.is_empty() {
        (StatusCode::OK, "healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    (code, Json(Health { status, service: "Grok2API", version: env!("CARGO_PKG_VERSION"), waiting_for }))
}
