//! `GET /api/auth/session` (reference 1.5): who is this, and may they come in.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use serde_json::json;

use crate::{journal::Visit, reply::Reply, world::World};

pub(crate) async fn session(State(world): State<Arc<World>>, visit: Visit, headers: HeaderMap) -> Response {
    let result = match world.enter(&visit, &headers) {
        Err(reply) if reply.status == 401 => Ok(Reply::ok(&json!({"status": "unauthenticated"}))),
        Err(reply) => Err(reply),
        Ok(account) if world.blocked(&account) => Ok(Reply::ok(&json!({"status": "blocked"}))),
        Ok(account) => {
            let email = format!("{}@sim.invalid", account.token);
            let session = json!({"userId": account.user, "email": email, "organizationId": "sim"});
            Ok(Reply::ok(&json!({"status": "authenticated", "session": session})))
        }
    };
    visit.answer(result)
}
