//! Failures in Anthropic's shape.

use std::sync::Arc;

use axum::{
    Json,
    extract::Request,
    http::{HeaderName, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use grok2api_proto::{Error, Kind};
use serde::Serialize;
use utoipa::ToSchema;

use super::schemas::words;
use crate::middleware::REQUEST_ID;

/// What Anthropic's SDKs read; the same as `x-request-id`.
const REQUEST_ID_TOO: HeaderName = HeaderName::from_static("request-id");

/// `{"type":"error","error":{"type","message"},"request_id"}`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessagesError)]
pub(crate) struct Body<'e> {
    #[schema(schema_with = words::error)]
    r#type: &'static str,
    error: Details<'e>,
    /// As in the header of that name; not in a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<&'e str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessagesErrorDetails)]
struct Details<'e> {
    #[schema(schema_with = words::error_type)]
    r#type: &'static str,
    /// For people: what is wrong, and where.
    message: &'e str,
}

impl<'e> Body<'e> {
    pub(crate) fn new(error: &'e Error, request_id: Option<&'e str>) -> Self {
        let details = Details { r#type: type_of(error.kind), message: &error.message };
        Self { r#type: "error", error: details, request_id }
    }
}

/// Anthropic's `error.type` of a kind.
fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::Conflict | Kind::UnsupportedMedia => "invalid_request_error",
        Kind::Unauthenticated => "authentication_error",
        Kind::PermissionDenied => "permission_error",
        Kind::NotFound => "not_found_error",
        Kind::TooLarge => "request_too_large",
        Kind::RateLimited => "rate_limit_error",
        Kind::Unavailable | Kind::Cancelled => "overloaded_error",
        Kind::Timeout | Kind::TooSlow => "timeout_error",
        Kind::Upstream | Kind::Internal => "api_error",
    }
}

/// Gives the failures of the routes below in this shape, with the status and the headers they have.
pub(crate) async fn translate(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<Arc<Error>>() {
        let text = id.as_ref().and_then(|id| id.to_str().ok());
        let (parts, body) = Json(Body::new(&error, text)).into_response().into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
        *response.body_mut() = body;
        response.headers_mut().remove(header::CONTENT_LENGTH);
        kind.into_iter().for_each(|kind| drop(response.headers_mut().insert(header::CONTENT_TYPE, kind)));
    }
    id.into_iter().for_each(|id| drop(response.headers_mut().insert(REQUEST_ID_TOO, id)));
    response
}
