//! Request bodies, up to a limit.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody as _},
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use grok2api_proto::{Error, Kind, Result};
use http_body_util::BodyExt as _;

/// A length is only a promise: no more than this is reserved for it.
const RESERVED: usize = 64 * 1024;
/// How long the rest of a refused body is read on.
const PATIENCE: Duration = Duration::from_secs(5);

/// The whole body.
///
/// A body that is too large is read on for a while and thrown away: a client that is still writing would otherwise
/// meet a reset connection instead of the answer. One that waits for `100 Continue` is answered without.
///
/// # Errors
/// `TooLarge`; `TooSlow`; `InvalidRequest` when the client stops in the middle. A body that fails with an [`Error`] of ours
/// fails with that.
pub(crate) async fn read(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Bytes> {
    if body.size_hint().lower() > limit as u64 {
        if !headers.contains_key(header::EXPECT) {
            discard(body, limit).await;
        }
        return Err(too_large(limit));
    }
    let promised = usize::try_from(body.size_hint().lower()).unwrap_or(RESERVED);
    let mut whole = BytesMut::with_capacity(promised.min(RESERVED));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| known(&error).cloned().unwrap_or_else(cut))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            drop(whole);
            discard(body, limit).await;
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Bounded in time and by once more the limit.
async fn discard(mut body: Body, limit: usize) {
    let rest = async {
        let mut left = limit;
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    if tokio::time::timeout(PATIENCE, rest).await.is_err() {
        tracing::debug!("a client keeps writing a body that is too large");
    }
}

/// The error of ours among the causes, if there is one.
fn known<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Error> {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(|cause| cause.downcast_ref())
}

fn too_large(limit: usize) -> Error {
    let message = format!("the request body is larger than the limit of {limit} bytes");
    Error::new(Kind::TooLarge, "request_too_large", message)
}

fn cut() -> Error {
    Error::new(Kind::InvalidRequest, "incomplete_body", "the request body ended early")
}
