//! Requests that must not be done twice: who does one, and what came of it.
//!
//! Kept in Redis where replicas share one, else in the memory of this process, which is then the only one. Nothing is
//! written to a database: it would be a row for each such request, to be of use for an hour.

mod memory;

use async_trait::async_trait;

use crate::Result;

pub(crate) use memory::Memory;

/// Names a request: a digest of who asks, what, and under which key.
pub type Id = [u8; 32];

/// Most bytes of one answer that are kept.
pub const LARGEST: usize = 4 * 1024 * 1024;
/// What an answer counts at least, whatever it holds.
const LEAST: usize = 512;

/// Keeps claims and answers. An unfinished claim is forgotten when its time is over, so the request of a process that
/// is gone can be done by another one. When there is too much to keep, the answers that would be forgotten first go first.
#[async_trait]
pub trait Idempotency: Send + Sync + 'static {
    /// Takes the request for `owner`, for that many milliseconds, unless somebody was first.
    async fn claim(&self, id: &Id, fingerprint: &[u8; 32], owner: &str, for_ms: u64) -> Result<Claimed>;

    /// Keeps the claims alive that are still their owners'.
    async fn renew(&self, claims: &[(Id, String)], for_ms: u64) -> Result<()>;

    /// Ends the owner's claim with an answer, kept for that many milliseconds. Without one, or with one larger than
    /// [`LARGEST`], only that there was an answer is kept. Whether the claim was the owner's.
    async fn answer(&self, id: &Id, owner: &str, answer: Option<&[u8]>, for_ms: u64) -> Result<bool>;

    /// Ends the owner's claim as if it had never been.
    async fn release(&self, id: &Id, owner: &str) -> Result<()>;
}

/// What a claim found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody was first.
    Yours,
    /// Somebody is at it.
    Running,
    /// The id was used for a request with another fingerprint.
    Different,
    /// It was done, with this answer.
    Answered(Vec<u8>),
    /// It was done, and its answer was too large to be kept.
    NotKept,
}

/// What an answer counts against the limit of all.
pub(crate) fn weight(answer: Option<&[u8]>) -> usize {
    answer.map_or(0, <[u8]>::len).max(LEAST)
}
