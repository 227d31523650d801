//! What admins did.

use axum::{Json, extract::State};
use grok2api_proto::admin::ListActionsRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Console,
    extract::{Params, limit},
    words,
};
use crate::openai::error::Failure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(console): State<Console>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, Failure> {
    let request = ListActionsRequest { before: page.cursor.unwrap_or_default(), limit: limit(page.limit)? };
    let listed = console.services.admins.list_actions(request).await?;
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let items: Vec<Value> = listed
        .actions
        .into_iter()
        .map(|action| {
            json!({
                "id": action.id,
                "at": action.at,
                "actor": action.actor,
                "what": action.what,
                "target": action.target,
                "before": read(&action.before),
                "after": read(&action.after),
            })
        })
        .collect();
    Ok(Json(json!({"items": items, "next_cursor": words::some(listed.next_cursor)})))
}
