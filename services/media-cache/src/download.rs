//! One asset from the upstream into a draft.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use grok2api_kit::egress;
use grok2api_proto::{Error, Result};
use grok2api_storage::media::Kind;
use http::StatusCode;
use reqwest::Response;
use tokio::time::{sleep, timeout};

use crate::{
    domain::{HEAD, Media},
    error::{fetch_failed, fetch_timeout, forbidden, missing, not_media, too_large},
    store::{Draft, Store, Written},
};

/// Waits between attempts: a fresh asset may be refused or missing for a moment.
const WAITS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(750), Duration::from_millis(1500)];

/// Fetches assets.
pub(crate) struct Downloader {
    egress: egress::Gateway,
    store: Store,
}

/// A fetched asset, whole, not yet under its name.
pub(crate) struct Fetched {
    pub(crate) name: String,
    pub(crate) media: Media,
    pub(crate) written: Written,
}

/// What one fetch may take.
struct Limits {
    /// The whole fetch, retries included.
    total: Option<Duration>,
    /// Longest silence.
    gap: Duration,
    /// Bytes.
    size: u64,
}

/// Why an attempt failed, and whether another one makes sense.
struct Failure {
    error: Error,
    transient: bool,
}

impl Limits {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Image => {
                Self { total: Some(Duration::from_secs(30)), gap: Duration::from_secs(30), size: 64 << 20 }
            }
            Kind::Video => Self { total: None, gap: Duration::from_secs(60), size: 1 << 30 },
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, transient: false }
    }
}

impl Downloader {
    pub(crate) fn new(egress: egress::Gateway, store: Store) -> Self {
        Self { egress, store }
    }

    /// Fetches the asset at `location` as the account of `token`, to be named after `source`.
    ///
    /// # Errors
    /// `asset_forbidden`, `asset_missing`, `asset_fetch_failed`, `asset_not_media`, `asset_too_large`,
    /// `media_store_failed`, and those of [`egress::Egress::asset`].
    pub(crate) async fn fetch(
        &self,
        kind: Kind,
        source: &str,
        location: &str,
        token: &str,
    ) -> Result<Fetched> {
        let limits = Limits::of(kind);
        let attempts = self.attempts(kind, source, location, token, &limits);
        match limits.total {
            Some(total) => timeout(total, attempts).await.unwrap_or_else(|_| Err(fetch_timeout())),
            None => attempts.await,
        }
    }

    async fn attempts(
        &self,
        kind: Kind,
        source: &str,
        location: &str,
        token: &str,
        limits: &Limits,
    ) -> Result<Fetched> {
        let mut waits = WAITS.into_iter();
        loop {
            match self.attempt(kind, source, location, token, limits).await {
                Ok(fetched) => return Ok(fetched),
                Err(Failure { error, transient }) => match waits.next().filter(|_| transient) {
                    Some(wait) => {
                        let wait_ms = wait.as_millis();
                        tracing::debug!(%error, wait_ms, "asset not fetched, will try again: {error}");
                        sleep(wait).await;
                    }
                    None => return Err(error),
                },
            }
        }
    }

    async fn attempt(
        &self,
        kind: Kind,
        source: &str,
        location: &str,
        token: &str,
        limits: &Limits,
    ) -> Result<Fetched, Failure> {
        let request = self.egress.current()?.asset(location, token)?;
        let sent = timeout(limits.gap, egress::send("asset", request)).await.map_err(|_| fetch_timeout())?;
        let (mut response, _step) = sent.map_err(|_| interrupted())?;
        check(&response, limits)?;
        let head = head(&mut response, limits).await?;
        let media = Media::of(kind, &head).ok_or_else(not_media)?;
        let name = format!("{source}.{}", media.extension);
        let mut draft = self.store.draft(kind, &name);
        match copy(&mut draft, head, &mut response, limits).await {
            Ok(()) => Ok(Fetched { name, media, written: draft.written() }),
            Err(failure) => {
                draft.abort().await;
                Err(failure)
            }
        }
    }
}

/// What the status and the announced length say.
fn check(response: &Response, limits: &Limits) -> Result<(), Failure> {
    let status = response.status();
    if status.is_success() {
        let announced = response.content_length().unwrap_or(0);
        return if announced > limits.size { Err(too_large(limits.size).into()) } else { Ok(()) };
    }
    let error = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => forbidden(),
        StatusCode::NOT_FOUND | StatusCode::GONE => missing(),
        status => fetch_failed(&format!("status {}", status.as_u16())),
    };
    let transient = status.is_server_error() || matches!(status.as_u16(), 403 | 404 | 408 | 425 | 429);
    Err(Failure { error, transient })
}

/// The first bytes, enough to judge by.
async fn head(response: &mut Response, limits: &Limits) -> Result<Bytes, Failure> {
    let mut head = BytesMut::new();
    while head.len() < HEAD
        && let Some(chunk) = next(response, limits).await?
    {
        if head.is_empty() && chunk.len() >= HEAD {
            return Ok(chunk);
        }
        head.extend_from_slice(&chunk);
    }
    Ok(head.freeze())
}

async fn copy(
    draft: &mut Draft,
    head: Bytes,
    response: &mut Response,
    limits: &Limits,
) -> Result<(), Failure> {
    let mut chunk = Some(head);
    while let Some(bytes) = chunk {
        if draft.size() + bytes.len() as u64 > limits.size {
            return Err(too_large(limits.size).into());
        }
        draft.write(bytes).await?;
        chunk = next(response, limits).await?;
    }
    Ok(())
}

async fn next(response: &mut Response, limits: &Limits) -> Result<Option<Bytes>, Failure> {
    let chunk = timeout(limits.gap, response.chunk()).await.map_err(|_| fetch_timeout())?;
    chunk.map_err(|_| interrupted())
}

/// The connection failed before the end; the error's own text names the address, which nobody needs to read.
fn interrupted() -> Failure {
    Failure { error: fetch_failed("the connection failed"), transient: true }
}
