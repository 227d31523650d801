//! Bodies of requests and answers in domain terms, and the trait every store of them implements. They are sealed
//! before they reach a row.

use async_trait::async_trait;
use uuid::Uuid;

use crate::Result;

/// Keeps bodies by the ledger's id of their request. Several processes may write and prune at once.
#[async_trait]
pub trait Captures: Send + Sync + 'static {
    /// Adds what is not known by its id.
    async fn put(&self, captures: &[Capture]) -> Result<()>;

    /// The bodies of one request.
    async fn get(&self, id: Uuid) -> Result<Option<Capture>>;

    /// Takes away at most `limit` that are too old at `now`, or the oldest while all take too much; returns how many. It
    /// is called again until there are none.
    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64>;
}

/// The bodies of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// A UUIDv7: the time of the start.
    pub id: Uuid,
    /// As the service writes them; never seen by the store but sealed.
    pub bodies: Vec<u8>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Hours.
    pub hours: u64,
    /// Sealed bytes of all together.
    pub bytes: u64,
}

impl Keep {
    /// The first id that is not too old.
    pub(crate) fn first(self, now: i64) -> Uuid {
        const HOUR: i64 = 60 * 60 * 1000;
        crate::ledger::first_id(now - i64::try_from(self.hours).unwrap_or(i64::MAX).saturating_mul(HOUR))
    }

    /// How many of the oldest go, given their ids and sizes, and what all take.
    pub(crate) fn excess(self, oldest: &[(Uuid, u64)], mut all: u64, now: i64) -> usize {
        let first = self.first(now);
        let goes = |(id, size): &(Uuid, u64)| {
            let goes = *id < first || all > self.bytes;
            all = all.saturating_sub(*size);
            goes
        };
        // Only a beginning may go: a younger one stays longer than an older one.
        oldest.iter().map(goes).take_while(|goes| *goes).count()
    }
}
