//! What every request passes through, outermost first.

pub(crate) mod address;
mod auth;
mod request_id;

use std::{any::Any, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, Method, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
};
use grok2api_proto::Error;
use tokio::time::Instant;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, Any as AnyOrigin, CorsLayer},
};

use crate::openai::error::{Failure, RETRY_AFTER_MS, SHOULD_RETRY};

pub(crate) use auth::key;
pub(crate) use request_id::{REQUEST_ID, request_id};

const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const PREFLIGHT_HOLDS: Duration = Duration::from_secs(600);

/// Puts the layers around the routes.
pub(crate) fn around(routes: Router) -> Router {
    routes.layer(
        ServiceBuilder::new()
            // Everything below, and every log line, knows the request by its id.
            .layer(from_fn(request_id::give))
            // Time and outcome, seen by client and operator; outside of what may fail.
            .layer(from_fn(measure))
            // A defect in one request is that request's 500.
            .layer(CatchPanicLayer::custom(panicked)),
    )
}

/// Puts the layers around the routes that pages of any origin may ask; those of the admin API are not among them.
pub(crate) fn public(routes: Router) -> Router {
    routes.layer(
        ServiceBuilder::new()
            // Browser clients: preflights need no key, and errors must be readable too.
            .layer(cors())
            // Within it, so that browsers may read that answer as well.
            .layer(CatchPanicLayer::custom(panicked)),
    )
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS])
        // The wildcard would leave `authorization` out.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([REQUEST_ID, PROCESSING_MS, header::RETRY_AFTER, RETRY_AFTER_MS, SHOULD_RETRY])
        .max_age(PREFLIGHT_HOLDS)
}

/// `openai-processing-ms`, up to the headers; and one log line.
async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers()).to_owned();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    response.headers_mut().insert(PROCESSING_MS, millis.into());
    let status = response.status().as_u16();
    tracing::info!(
        request.id = id,
        http.method = %method,
        http.path = path,
        http.status = status,
        duration_ms = millis,
        "{method} {path} answered {status} after {millis} ms"
    );
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the panic handler's")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    tracing::error!(panic.message = text, "a request panicked: {text}");
    Failure::from(Error::internal("the server failed on this request")).into_response()
}
