//! The one mapping of failures to HTTP: architecture section 8.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use grok2api_proto::{Error, Kind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// Longest wait a client is told: some SDKs sleep it out.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What is told when the failure passes by itself, but nobody knows when.
const USUAL_WAIT: Duration = Duration::from_secs(1);
pub(crate) const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// How many accounts were asked.
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-g2a-attempts");
/// How long they took.
pub(crate) const UPSTREAM_MS: HeaderName = HeaderName::from_static("x-g2a-upstream-ms");

/// A failure on its way to an HTTP client.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    error: Error,
}

/// The body: `{"error":{"message","type","param","code"}}`, all four keys always.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorResponse)]
pub struct Body<'e> {
    error: Details<'e>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ErrorDetails)]
struct Details<'e> {
    /// For people: what is wrong, and where.
    message: &'e str,
    #[schema(schema_with = words::error_type)]
    r#type: &'static str,
    /// The place in the request: `messages[2].content`.
    #[schema(required)]
    param: Option<&'e str>,
    /// For programs.
    code: &'e str,
}

impl<'e> From<&'e Error> for Body<'e> {
    fn from(error: &'e Error) -> Self {
        let Error { kind, code, message, param, .. } = error;
        let r#type = if code == NOTHING_LEFT { NOTHING_LEFT } else { type_of(*kind) };
        Self { error: Details { message, r#type, param: param.as_deref(), code } }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: status_of(error.kind), error }
    }
}

impl Failure {
    /// A route that exists, asked with a method it does not know.
    pub(crate) fn method_not_allowed(message: String) -> Self {
        let error = Error::new(Kind::InvalidRequest, "method_not_allowed", message);
        Self { status: StatusCode::METHOD_NOT_ALLOWED, error }
    }

    /// A part of a media file that does not exist.
    pub(crate) fn range_not_satisfiable(message: String) -> Self {
        let error = Error::new(Kind::InvalidRequest, "range_not_satisfiable", message);
        Self { status: StatusCode::RANGE_NOT_SATISFIABLE, error }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Body::from(&self.error))).into_response();
        advise(&self.error, response.headers_mut());
        // For protocols that say it in their own shape.
        response.extensions_mut().insert(Arc::new(self.error));
        response
    }
}

/// HTTP status of a kind.
pub fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::InvalidRequest => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::PermissionDenied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable | Kind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Upstream => StatusCode::BAD_GATEWAY,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// OpenAI's `error.type` of a kind.
pub fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::InvalidRequest | Kind::NotFound | Kind::Conflict => "invalid_request_error",
        Kind::TooLarge | Kind::TooSlow | Kind::UnsupportedMedia => "invalid_request_error",
        Kind::Unauthenticated => "authentication_error",
        Kind::PermissionDenied => "permission_error",
        Kind::RateLimited => "rate_limit_error",
        Kind::Unavailable | Kind::Upstream | Kind::Timeout | Kind::Cancelled | Kind::Internal => {
            "server_error"
        }
    }
}

/// Only the operator can mend these, or wants them so: asking again does not help.
const NEEDS_THE_OPERATOR: [&str; 5] =
    ["no_accounts", "no_account_for_tier", "no_account_for_tags", "invalid_proxy", "cancelled_by_operator"];

/// A budget of the key is used up: code and type, as with OpenAI.
const NOTHING_LEFT: &str = "insufficient_quota";

/// Limits of the key that pass by themselves, and soon.
const ASK_AGAIN: [&str; 2] = ["rate_limit_exceeded", "concurrency_limit_exceeded"];

/// Whether the same request may succeed within the wait a client is told.
fn retry_helps(error: &Error) -> bool {
    match error.kind {
        _ if NEEDS_THE_OPERATOR.contains(&error.code.as_ref()) || error.code == NOTHING_LEFT => false,
        // A minute is counted in slices, so that it may last a slice longer.
        _ if ASK_AGAIN.contains(&error.code.as_ref()) => true,
        Kind::RateLimited | Kind::Unavailable | Kind::Upstream | Kind::Timeout | Kind::Cancelled => {
            error.retry_after.is_none_or(|wait| wait <= LONGEST_WAIT)
        }
        Kind::Conflict => error.retry_after.is_some_and(|wait| wait <= LONGEST_WAIT),
        _ => false,
    }
}

/// `retry-after`, `retry-after-ms` and `x-should-retry`.
fn advise(error: &Error, headers: &mut HeaderMap) {
    let passes = matches!(error.kind, Kind::RateLimited | Kind::Unavailable | Kind::Cancelled)
        && !NEEDS_THE_OPERATOR.contains(&error.code.as_ref());
    if let Some(wait) = error.retry_after.or(passes.then_some(USUAL_WAIT)) {
        let millis = wait.min(LONGEST_WAIT).as_millis();
        headers.insert(header::RETRY_AFTER, whole_number(millis.div_ceil(1000).max(1)));
        headers.insert(RETRY_AFTER_MS, whole_number(millis));
    }
    if !error.attempts().is_empty() {
        let upstream = error.attempts().iter().map(|attempt| attempt.duration_ms).sum();
        served(error.attempts().len(), upstream, headers);
    }
    if !retry_helps(error) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    } else if ASK_AGAIN.contains(&error.code.as_ref()) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("true"));
    }
    if error.kind == Kind::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

/// Says what an answer took of the pool.
pub(crate) fn served(attempts: usize, upstream_ms: u64, headers: &mut HeaderMap) {
    headers.insert(ATTEMPTS, attempts.into());
    headers.insert(UPSTREAM_MS, upstream_ms.into());
}

fn whole_number(value: u128) -> HeaderValue {
    HeaderValue::from(u64::try_from(value).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
