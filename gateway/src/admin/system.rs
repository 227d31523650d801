//! What runs, where, and how it is.

use axum::{Json, extract::State};
use grok2api_proto::{
    Result,
    keys::ListRequest,
    live::{self, Replica},
};
use serde_json::{Value, json};

use super::Console;
use crate::openai::error::Failure;

/// The upstream's own host; another one is a simulator, or somebody's mirror.
const UPSTREAM: &str = "https://grok.com";

pub(super) async fn system(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let services = &console.services;
    let (live, keys) =
        tokio::try_join!(services.live.list(live::ListRequest {}), services.keys.list(ListRequest {}))?;
    let applied = console.deps.runtime.current();
    let upstream = services.upstream.trim_end_matches('/');
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "storage_mode": live.storage_mode,
        "shared_live": live.shared,
        "open_api": keys.keys.is_empty() && applied.config.api_key.is_empty(),
        "base_url": applied.config.base_url,
        "revision": applied.number,
        "operations": services.operations,
        "upstream": {"url": upstream, "simulated": upstream != UPSTREAM},
        "replicas": live.replicas.iter().map(replica).collect::<Vec<_>>(),
    })))
}

pub(super) async fn storage_mode(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let mode = console.services.live.list(live::ListRequest {}).await?.storage_mode;
    Ok(Json(json!({"success": true, "data": {"mode": mode}})))
}

fn replica(replica: &Replica) -> Value {
    json!({
        "id": replica.id,
        "host": replica.host,
        "roles": replica.roles,
        "version": replica.version,
        "started_at": replica.started_at,
        "seen_at": replica.seen_at,
        "revision": replica.revision,
        "ready": replica.waiting_for.is_empty(),
        "waiting_for": replica.waiting_for,
        "running": replica.running_total,
    })
}
