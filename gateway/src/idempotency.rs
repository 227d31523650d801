//! Requests that a client repeats under one key: done once, and answered each time.
//!
//! A client that does not know whether its request was done asks again with the same `Idempotency-Key`. The request is
//! then not done again: whoever asks while it is being done waits, and later the answer is told anew. So that a client
//! whose connection broke can come back for its answer, such a request is done to its end even when nobody waits for it.
//! What failed is not remembered, and can be done again under its key.

mod claim;
mod recording;
mod run;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, request::Parts},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use grok2api_kit::{lifecycle::Tasks, settings::Http};
use grok2api_proto::{
    Error, Kind, Result,
    idempotency::{self, Claim, RenewRequest},
};
use memchr::memmem;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::{Caller, Deps, body, openai::error::Failure};
use claim::Claimed;

pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LONGEST_KEY: usize = 255;
/// A third of a claim's life.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A handle; clones share it.
#[derive(Clone)]
pub struct Idempotency(Arc<Inner>);

struct Inner {
    service: Arc<dyn idempotency::Idempotency>,
    /// How long answers are kept; zero ignores the header.
    keep: Duration,
    /// Ids by the owners of our claims.
    held: Mutex<HashMap<String, Bytes>>,
    /// Bytes of answers that are being recorded.
    recording: Arc<AtomicUsize>,
    /// Requests that go on without their clients are requests too.
    places: Arc<Semaphore>,
    tasks: Tasks,
}

impl Idempotency {
    /// Begins to keep the claims alive that will be made.
    pub fn start(service: Arc<dyn idempotency::Idempotency>, settings: &Http, tasks: &Tasks) -> Self {
        let this = Self(Arc::new(Inner {
            service,
            keep: Duration::from_secs(settings.idempotency_seconds),
            held: Mutex::default(),
            recording: Arc::default(),
            places: Arc::new(Semaphore::new(settings.max_in_flight.min(Semaphore::MAX_PERMITS))),
            tasks: tasks.clone(),
        }));
        let beating = this.clone();
        tasks.spawn_background("idempotency-heartbeat", async move {
            let mut beat = tokio::time::interval(HEARTBEAT);
            loop {
                beat.tick().await;
                beating.renew().await;
            }
        });
        this
    }

    async fn renew(&self) {
        let claim = |(owner, id): (&String, &Bytes)| Claim { id: id.clone(), owner: owner.clone() };
        let claims: Vec<Claim> = self.0.held.lock().iter().map(claim).collect();
        if claims.is_empty() {
            return;
        }
        if let Err(error) = self.0.service.renew(RenewRequest { claims }).await {
            tracing::warn!(%error, "requests with an idempotency key could not be kept claimed: {error}");
        }
    }
}

/// Does requests with a key once; all others pass.
pub(crate) async fn once(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let idempotency = &deps.idempotency;
    if request.method() != Method::POST || idempotency.0.keep.is_zero() {
        return Ok(next.run(request).await);
    }
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    let body = match body::read(&parts.headers, body, deps.max_body_bytes).await {
        Ok(body) => body,
        // The route tells it, as of any other request.
        Err(error) => {
            let failing = stream::iter([Err::<Bytes, _>(error)]);
            return Ok(next.run(Request::from_parts(parts, axum::body::Body::from_stream(failing))).await);
        }
    };
    let (id, fingerprint) = (id(&caller, &parts, &key), fingerprint(&parts.headers, &body));
    let request = Request::from_parts(parts, body.into());
    match idempotency.claim(id, fingerprint).await? {
        Claimed::Ours(claim) => Ok(run::run(claim, request, next).await?),
        Claimed::Told(answer) => Ok(run::replayed(answer)),
        Claimed::Nowhere => Ok(next.run(request).await),
    }
}

fn key(headers: &HeaderMap) -> Result<Option<Vec<u8>>> {
    let Some(key) = headers.get(KEY).map(HeaderValue::as_bytes) else { return Ok(None) };
    if (1..=LONGEST_KEY).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic) {
        return Ok(Some(key.to_vec()));
    }
    let message = format!("the header Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters");
    Err(Error::new(Kind::InvalidRequest, "invalid_idempotency_key", message).at("Idempotency-Key"))
}

/// Keys are each caller's own, and each route's.
fn id(caller: &Caller, parts: &Parts, key: &[u8]) -> Bytes {
    let mut path = parts.uri.path();
    while let Some(rest) = path.strip_prefix("/v1/") {
        path = &path[path.len() - rest.len() - 1..];
    }
    let mut digest = Sha256::new();
    for field in [caller.key().as_bytes(), path.as_bytes(), key] {
        digest.update((field.len() as u64).to_le_bytes());
        digest.update(field);
    }
    Bytes::copy_from_slice(&digest.finalize())
}

/// Of the body. The boundary of a form is left out: clients make a new one each time.
fn fingerprint(headers: &HeaderMap, body: &[u8]) -> Bytes {
    let kind = headers.get(axum::http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = kind.and_then(|kind| kind.split_once("boundary=")).map(|(_, rest)| rest);
    let boundary = boundary.and_then(|rest| rest.split(';').next()).map(|text| text.trim().trim_matches('"'));
    let mut digest = Sha256::new();
    match boundary.filter(|boundary| !boundary.is_empty()) {
        None => digest.update(body),
        Some(boundary) => {
            let mut from = 0;
            for at in memmem::find_iter(body, boundary) {
                digest.update(&body[from..at]);
                from = at + boundary.len();
            }
            digest.update(&body[from..]);
        }
    }
    Bytes::copy_from_slice(&digest.finalize())
}

#[cfg(test)]
mod tests;
