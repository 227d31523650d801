//! How fast client keys ask: requests and tokens of the last minute, and requests at once.
//!
//! A minute is a window that moves along: whatever 60 seconds one looks at, no more requests were admitted in them than
//! the limit says. It is kept in slices of a tenth of a second, each counted until it is wholly out, so what is kept does
//! not grow with the limit. (GCRA with the minute's allowance as its burst lets almost twice the limit through in a
//! minute; with a small burst it refuses clients that ask for several things at once.)
//!
//! Tokens are counted when they are known. The prompt's are counted beforehand; a request is admitted while anything is
//! left, so what is in flight may go beyond the limit.
//!
//! A request at once holds a *slot* until it is settled, or until 30 s after its last sign of life.

mod memory;
mod redis;
pub mod window;

use std::sync::Arc;

use async_trait::async_trait;
use grok2api_kit::clock::Clock;
use uuid::Uuid;

use crate::{Result, client_keys::Limits};

/// How long a slot is held without a sign of life.
pub const SLOT_MS: i64 = 30_000;
/// How long an admission can still be settled.
const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a settlement is known, so that it is not taken twice.
const ENDED_MS: i64 = 60_000;

/// Admits requests by the limits of their keys, at once and atomically.
#[async_trait]
pub trait Limiter: Send + Sync + 'static {
    /// Counts a request, unless a limit stands against it. One that was counted before is not counted again.
    async fn admit(&self, ask: &Ask, limits: &Limits) -> Result<Admission>;

    /// Ends requests: counts their tokens and frees their slots. Whatever has ended before is left alone.
    async fn settle(&self, settlements: &[Settlement]) -> Result<()>;

    /// Signs of life of requests that hold slots, each of a key. A slot that was given up is taken again.
    async fn renew(&self, slots: &[Slot]) -> Result<()>;

    /// How a key stands.
    async fn gauges(&self, key: Uuid, limits: &Limits) -> Result<Gauges>;
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// The client key's.
    pub key: Uuid,
    /// The request's own.
    pub id: Uuid,
    /// Counted beforehand.
    pub tokens: u64,
}

/// A request that is served.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The client key's.
    pub key: Uuid,
    /// The request's own.
    pub id: Uuid,
}

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Settlement {
    /// The client key's.
    pub key: Uuid,
    /// The request's own.
    pub id: Uuid,
    /// All it used; nothing takes back the tokens that were counted beforehand.
    pub tokens: Option<u64>,
    /// Whether it stays one of the minute's requests.
    pub counts: bool,
}

/// The answer to an [`Ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The limit that stands against it; nothing when it is admitted.
    pub refused: Option<Limit>,
    /// How the key stands now.
    pub gauges: Gauges,
}

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Limits")]
pub enum Limit {
    Requests,
    Tokens,
    Concurrency,
}

/// How a key stands. Times are epoch milliseconds by the clock that all replicas share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Now.
    pub now: i64,
    /// Of the last minute.
    pub requests: Gauge,
    /// Of the last minute.
    pub tokens: Gauge,
    /// Slots held; always 0 for a key without that limit.
    pub in_flight: u64,
}

/// One window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// Counted in it.
    pub used: u64,
    /// When there is something left again; 0 when there is now.
    pub frees_at: i64,
    /// When nothing is counted any more, if nothing comes; 0 when nothing is.
    pub empty_at: i64,
}

/// A limiter for one process.
pub fn memory(clock: Clock) -> Arc<dyn Limiter> {
    Arc::new(memory::Memory::new(clock))
}

/// A limiter that many processes share, at `url` (`redis://` or `rediss://`). Only a manual clock is asked for the time:
/// else it is the server's that counts.
///
/// # Errors
/// [`Redis`](crate::Error::Redis), [`Timeout`](crate::Error::Timeout).
pub async fn redis(url: &str, clock: Clock) -> Result<Arc<dyn Limiter>> {
    Ok(Arc::new(redis::Shared::connect(url, clock).await?))
}
