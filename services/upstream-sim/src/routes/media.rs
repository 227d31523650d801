//! `POST /rest/media/post/create` (reference 1.5).

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::{ids::Kind, journal::Visit, reply::Reply, world::World};

/// Keys of 2026, and those of December 2025.
#[derive(Deserialize)]
struct PostRequest {
    #[serde(rename = "mediaType", alias = "media_type")]
    media_type: String,
}

pub(crate) async fn create_post(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    visit.carried(&body);
    let result = post(&world, &visit, &headers, &body);
    visit.answer(result)
}

fn post(world: &World, visit: &Visit, headers: &HeaderMap, body: &[u8]) -> Result<Reply, Reply> {
    let account = world.enter(visit, headers)?;
    let request: PostRequest =
        serde_json::from_slice(body).map_err(|error| Reply::invalid(error.to_string()))?;
    if !matches!(request.media_type.as_str(), "MEDIA_POST_TYPE_IMAGE" | "MEDIA_POST_TYPE_VIDEO") {
        return Err(Reply::invalid(format!("unknown media type {}", request.media_type)));
    }
    let id = world.settings().mint.issue(Kind::Post, account.user, account.next_number());
    Ok(Reply::ok(&json!({"post": {"id": id, "videos": []}})))
}
