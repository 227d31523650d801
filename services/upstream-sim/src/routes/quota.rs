//! `POST /rest/rate-limits` (reference 4.1).

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{fault::Scope, journal::Visit, models::Choice, reply::Reply, world::World};

/// Both request shapes; `requestKind` changes nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuotaRequest {
    model_name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuotaReport {
    window_size_seconds: u32,
    remaining_queries: u32,
    total_queries: u32,
    remaining_tokens: u32,
    total_tokens: u32,
    low_effort_rate_limits: Option<()>,
    high_effort_rate_limits: Option<()>,
}

pub(crate) async fn rate_limits(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    visit.carried(&body);
    let result = report(&world, &visit, &headers, &body).await;
    visit.answer(result)
}

async fn report(world: &World, visit: &Visit, headers: &HeaderMap, body: &[u8]) -> Result<Reply, Reply> {
    let account = world.enter(visit, headers)?;
    let request: QuotaRequest =
        serde_json::from_slice(body).map_err(|error| Reply::invalid(error.to_string()))?;
    world.gate(visit, Scope::RateLimits, &account, None).await?;
    let choice = Choice::quota(account.tier, &request.model_name)?;
    let window = account.window(choice.pool, world.clock.now_ms());
    let window = window.ok_or_else(|| Reply::not_found("no such window"))?;
    // "Tokens" are credits; "queries" are calls of this model, each at its own cost.
    Ok(Reply::ok(&QuotaReport {
        window_size_seconds: window.seconds,
        remaining_queries: window.remaining / choice.cost,
        total_queries: window.total / choice.cost,
        remaining_tokens: window.remaining,
        total_tokens: window.total,
        low_effort_rate_limits: None,
        high_effort_rate_limits: None,
    }))
}
