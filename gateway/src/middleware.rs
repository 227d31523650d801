//! What every request passes through, outermost first.

pub(crate) mod address;
mod auth;
mod in_flight;
mod measure;
mod request_id;
mod traced;

use std::{any::Any, time::Duration};

use axum::{
    Router,
    http::{HeaderName, Method, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use grok2api_kit::trace::{TRACEPARENT, TRACESTATE};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, Any as AnyOrigin, CorsLayer},
};

use crate::{
    idempotency::REPLAYED,
    openai::error::{ATTEMPTS, Failure, RETRY_AFTER_MS, SHOULD_RETRY, UPSTREAM_MS},
    unwind,
};
use measure::{OVERHEAD_MS, PROCESSING_MS};

pub(crate) use auth::key;
pub(crate) use request_id::{REQUEST_ID, request_id};

/// What a browser's script may read of an answer: all that is not there for the connection alone.
const EXPOSED: [HeaderName; 20] = [
    REQUEST_ID,
    TRACEPARENT,
    TRACESTATE,
    PROCESSING_MS,
    ATTEMPTS,
    UPSTREAM_MS,
    OVERHEAD_MS,
    REPLAYED,
    SHOULD_RETRY,
    RETRY_AFTER_MS,
    header::RETRY_AFTER,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ETAG,
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
const PREFLIGHT_HOLDS: Duration = Duration::from_secs(600);

/// Puts the layers around the routes.
pub(crate) fn around(routes: Router) -> Router {
    routes.layer(
        ServiceBuilder::new()
            // Everything below, and every log line, knows the request by its id.
            .layer(from_fn(request_id::give))
            // The same for the systems around us.
            .layer(from_fn(traced::hold))
            // Time and outcome, seen by client and operator; outside of what may fail.
            .layer(from_fn(measure::measure))
            // A defect in one request is that request's 500.
            .layer(CatchPanicLayer::custom(panicked)),
    )
}

/// Puts the layers around the routes that clients ask, pages of any origin among them; those of the admin API are not.
pub(crate) fn public(routes: Router, max_in_flight: usize) -> Router {
    routes.layer(
        ServiceBuilder::new()
            // Browser clients: preflights need no key, and errors must be readable too.
            .layer(cors())
            // Too much at once is refused at the door. The operator still gets in.
            .layer(from_fn_with_state(in_flight::Places::new(max_in_flight), in_flight::limit))
            // Within the others, so that browsers may read that answer as well.
            .layer(CatchPanicLayer::custom(panicked)),
    )
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS])
        // The wildcard would leave `authorization` out.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(EXPOSED)
        .max_age(PREFLIGHT_HOLDS)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the panic handler's")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = unwind::message(&*panic);
    tracing::error!(panic.message = text, "a request panicked: {text}");
    Failure::from(unwind::failed()).into_response()
}
