//! The hot state behind one trait: what changes with every request, and must be agreed on by all replicas.

mod memory;
mod redis;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use grok2api_proto::Result;
use grok2api_storage::accounts::StoredAccount;
use parking_lot::MappedMutexGuard;
use uuid::Uuid;

pub(crate) use memory::Memory;
pub(crate) use redis::{PREFIX, Redis};

use crate::{
    reading::{ReadEnd, ReadJob},
    roster::Roster,
    wanted::{Granted, Refused, Settlement, Wanted},
};

/// Leases, windows, conversations and readings, atomically. A call fails as `storage_unavailable` when the state is
/// away.
#[async_trait]
pub(crate) trait Hot: Send + Sync + 'static {
    /// Reserves the units of a request on the account its conversation is bound to, else on the best. A `patient`
    /// caller rather waits for the bound account than borrows another.
    async fn lease(&self, wanted: &Wanted, patient: bool) -> Result<Result<Granted, Refused>>;

    /// Ends a lease and applies its outcome. Returns whose it was, unless it had ended before.
    async fn settle(&self, lease: Uuid, settlement: &Settlement) -> Result<Option<Uuid>>;

    /// Keeps an owner's leases alive. Returns those that are gone.
    async fn renew(&self, owner: &str, leases: &[Uuid]) -> Result<Vec<Uuid>>;

    /// Lets time pass: dead leases end, rests end, windows refill, and what others did is seen. Returns whether
    /// anybody may have become free.
    async fn advance(&self) -> Result<bool>;

    /// Ends the blocking states of an account by hand, and asks for the truth. Returns whether there was one.
    async fn clear(&self, id: Uuid) -> Result<bool>;

    /// The account a conversation is bound to.
    async fn bound(&self, conversation: &str) -> Result<Option<Uuid>>;

    /// Takes in rows of the store: new accounts, and what other processes made of known ones. Rows that count `anyway`
    /// are what a store has that lost what was written last: what people say is as they have it.
    async fn merge(&self, rows: Vec<StoredAccount>, anyway: bool) -> Result<()>;

    /// Drops an account that the store does not know any more; its leases end with it.
    async fn remove(&self, id: Uuid) -> Result<()>;

    /// Asks for readings of accounts, ahead of everything else. Returns how many had begun before.
    async fn ask(&self, ids: &[Uuid]) -> Result<u64>;

    /// Asks for readings of an account that has just taken over another's.
    async fn recheck(&self, id: Uuid) -> Result<()>;

    /// The next reading to make, if one is due and the budget of the deployment allows it.
    async fn next_read(&self) -> Result<Option<ReadJob>>;

    /// Takes in what a reading brought.
    async fn read_done(&self, job: &ReadJob, end: &ReadEnd) -> Result<()>;

    /// Everything that comes of a reading has come of it: those who wait for it may know.
    async fn read_told(&self, job: &ReadJob) -> Result<()>;

    /// Tells the other replicas that the store has changed.
    async fn stored(&self) -> Result<()>;

    /// Waits until other replicas have done something, and sees what it was.
    async fn follow(&self) -> Elsewhere;

    /// The accounts as they are known here.
    fn roster(&self) -> MappedMutexGuard<'_, Roster>;

    /// Epoch milliseconds by the clock that all replicas share.
    fn now(&self) -> i64;

    /// How long changes gather before they are written to the store.
    fn gather(&self) -> Duration;
}

/// What other replicas have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Elsewhere {
    /// Leases were taken, which frees nobody.
    Leases,
    /// The hot state, which has been caught up with.
    Accounts,
    /// The store as well.
    Store,
}
