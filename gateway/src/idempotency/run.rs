//! Doing a request to its end, whether or not its client stays.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header, response::Parts},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use grok2api_kit::trace;
use grok2api_proto::{Error, Kind, Result, idempotency::Recorded};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use super::{REPLAYED, claim::Claim, recording::Recording};
use crate::unwind::caught;

const EVENTS: &[u8] = b"text/event-stream";

/// Does the request in a task of its own.
///
/// # Errors
/// `server_overloaded`; `internal_error` when it panicked.
pub(super) async fn run(claim: Claim, request: Request, next: Next) -> Result<Response> {
    let inner = claim.of.0.clone();
    let Ok(place) = inner.places.clone().try_acquire_owned() else {
        let message = "the server is busy with as many requests as it takes";
        return Err(Error::new(Kind::Unavailable, "server_overloaded", message));
    };
    let (sender, answer) = oneshot::channel();
    let (done, waited_for) = oneshot::channel::<()>();
    // A stop waits for it as for any request; the hard one does not cut it off, since its route says why it ends.
    inner.tasks.spawn("idempotent-request", async move { drop(waited_for.await) });
    inner.tasks.spawn_finishing(trace::carried(async move {
        let (_place, _done) = (place, done);
        serve(claim, next.run(request).await, sender).await;
    }));
    answer.await.unwrap_or_else(|_| Err(Error::internal("the server failed on this request")))
}

async fn serve(claim: Claim, response: Response, sender: oneshot::Sender<Result<Response>>) {
    let (parts, body) = caught(response).into_parts();
    // The client may have left, which changes nothing.
    if !parts.status.is_success() {
        claim.released().await;
        sender.send(Ok(Response::from_parts(parts, body))).ok();
    } else if kind(&parts).as_bytes().starts_with(EVENTS) {
        let (frames, stream) = mpsc::channel(1);
        let (status, kind) = (parts.status, kind(&parts));
        sender.send(Ok(Response::from_parts(parts, Body::from_stream(ReceiverStream::new(stream))))).ok();
        pass_on(claim, status, kind, body, frames).await;
    } else {
        sender.send(whole(claim, parts, body).await).ok();
    }
}

/// One that is no stream.
async fn whole(claim: Claim, parts: Parts, body: Body) -> Result<Response> {
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        claim.released().await;
        return Err(Error::internal("the server failed on this request"));
    };
    let mut recording = Recording::new(claim.of.0.recording.clone());
    recording.push(&body);
    let answer = recorded(parts.status, &kind(&parts), recording.finish());
    claim.answered(answer).await;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// A stream, to its end; to the client as long as that takes it.
async fn pass_on(
    claim: Claim,
    status: StatusCode,
    kind: HeaderValue,
    body: Body,
    frames: mpsc::Sender<Result<Bytes, axum::Error>>,
) {
    let mut recording = Recording::new(claim.of.0.recording.clone());
    let (mut body, mut broken) = (body.into_data_stream(), false);
    while let Some(frame) = body.next().await {
        match &frame {
            Ok(bytes) => recording.push(bytes),
            Err(_) => broken = true,
        }
        frames.send(frame).await.ok();
    }
    if broken || recording.has_failed() {
        claim.released().await;
    } else {
        claim.answered(recorded(status, &kind, recording.finish())).await;
    }
    // Only now the client sees the end: who asks again after it finds the answer.
    drop(frames);
}

fn kind(parts: &Parts) -> HeaderValue {
    parts.headers.get(header::CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(""))
}

fn recorded(status: StatusCode, kind: &HeaderValue, body: Option<Bytes>) -> Option<Recorded> {
    let content_type = kind.to_str().unwrap_or_default().to_owned();
    Some(Recorded { status: status.as_u16().into(), content_type, body: body? })
}

/// The answer of another time.
pub(super) fn replayed(answer: Recorded) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    if answer.content_type.as_bytes().starts_with(EVENTS) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    if let Ok(kind) = HeaderValue::try_from(answer.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
