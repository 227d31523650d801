//! How long a request took, told to client and operator.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use grok2api_kit::metrics::OVERHEAD;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::request_id;
use crate::openai::error::UPSTREAM_MS;

pub(super) const PROCESSING_MS: HeaderName = HeaderName::from_static("openai-processing-ms");
const RETRY_COUNT: &str = "x-stainless-retry-count";
pub(super) const OVERHEAD_MS: HeaderName = HeaderName::from_static("x-g2a-overhead-ms");

/// A request's body, with the time of its end.
struct Clocked {
    body: Body,
    ended: Arc<OnceLock<Instant>>,
}

/// `openai-processing-ms`, from the whole request to the answer's head; `x-g2a-overhead-ms`, what of it was not spent
/// with the upstream; and one log line.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let (begun, ended) = (Instant::now(), Arc::<OnceLock<_>>::default());
    let id = request_id(request.headers()).to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let retry = retry(request.headers());
    let request = request.map(|body| Body::new(Clocked { body, ended: ended.clone() }));
    let mut response = next.run(request).await;
    let whole = ended.get().copied().unwrap_or(begun);
    let millis = u64::try_from(whole.elapsed().as_millis()).unwrap_or(u64::MAX);
    let overhead = overhead(millis, response.headers());
    response.headers_mut().insert(PROCESSING_MS, millis.into());
    if let Some(overhead) = overhead {
        response.headers_mut().insert(OVERHEAD_MS, overhead.into());
        if let Some(route) = route {
            OVERHEAD.record(Duration::from_millis(overhead).as_secs_f64(), [route.into()]);
        }
    }
    let status = response.status().as_u16();
    tracing::info!(
        request.id = id,
        http.method = %method,
        http.path = path,
        http.status = status,
        duration_ms = millis,
        overhead_ms = overhead,
        client.retry = retry,
        "{method} {path} answered {status} after {millis} ms"
    );
    response
}

/// Which repetition of a request this is, as OpenAI's SDKs count them.
fn retry(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_COUNT)?.to_str().ok()?.parse().ok()
}

/// Nothing for a stream that began before its turns said how long they took.
fn overhead(millis: u64, headers: &HeaderMap) -> Option<u64> {
    let streamed = || {
        let kind = headers.get(header::CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
        kind.starts_with(b"text/event-stream")
    };
    match headers.get(UPSTREAM_MS) {
        Some(upstream) => Some(millis.saturating_sub(upstream.to_str().ok()?.parse().ok()?)),
        None if streamed() => None,
        None => Some(millis),
    }
}

impl HttpBody for Clocked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() && (self.body.is_end_stream() || matches!(polled, Poll::Ready(None))) {
            self.ended.get_or_init(Instant::now);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::first("0", Some(0))]
    #[case::third("2", Some(2))]
    #[case::nonsense("many", None)]
    #[case::negative("-1", None)]
    fn a_repetition_is_counted_as_its_client_does(#[case] given: &str, #[case] expected: Option<u32>) {
        let headers = HeaderMap::from_iter([(HeaderName::from_static(RETRY_COUNT), given.parse().unwrap())]);
        assert_eq!(retry(&headers), expected);
        assert_eq!(retry(&HeaderMap::new()), None);
    }
}
