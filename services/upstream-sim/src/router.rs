//! The whole route table.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::map_response,
    routing::{get, post},
};

use crate::{
    edge,
    routes::{assets, chat, control, media, quota, session, unknown, upload},
    world::World,
};

/// A 64 MiB attachment as base64 inside JSON.
const LARGEST_BODY: usize = 90 << 20;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/rest/app-chat/conversations/new", post(chat::create))
        .route("/rest/app-chat/conversations/{id}/responses", post(chat::carry_on))
        .route("/rest/app-chat/upload-file", post(upload::json))
        .route("/http/upload-file-v2/direct", post(upload::multipart))
        .route("/rest/rate-limits", post(quota::rate_limits))
        .route("/rest/media/post/create", post(media::create_post))
        .route("/api/auth/session", get(session::session))
        .route("/users/{user}/generated/{id}/{file}", get(assets::generated))
        .route("/users/{user}/{id}/content", get(assets::uploaded))
        .route("/__sim/health", get(control::health))
        .route("/__sim/state", get(control::state))
        .route("/__sim/faults", get(control::faults))
        .route("/__sim/reset", post(control::reset))
        .route("/__sim/scenario", post(control::scenario))
        .route("/__sim/accounts/{token}", post(control::account))
        .route("/__sim/clock", post(control::clock))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(map_response(edge::mark))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(world)
}
