//! The hot state of a single process.

use std::time::Duration;

use async_trait::async_trait;
use grok2api_kit::clock::Clock;
use grok2api_proto::Result;
use grok2api_storage::accounts::StoredAccount;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use uuid::Uuid;

use super::{Elsewhere, Hot};
use crate::{
    pool::{Pool, Urgency},
    reading::{ReadEnd, ReadJob},
    roster::Roster,
    wanted::{Granted, Refused, Settlement, Wanted},
};

/// A process that dies takes the state with it, so the store must not lag far behind.
const GATHER: Duration = Duration::from_millis(200);

/// A [`Pool`] and a clock.
pub(crate) struct Memory {
    pool: Mutex<Pool>,
    clock: Clock,
}

impl Memory {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { pool: Mutex::default(), clock }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Pool, i64) -> R) -> R {
        act(&mut self.pool.lock(), self.clock.now_ms())
    }
}

#[async_trait]
impl Hot for Memory {
    async fn lease(&self, wanted: &Wanted, patient: bool) -> Result<Result<Granted, Refused>> {
        let lease = Uuid::now_v7();
        Ok(self.with(|pool, now| {
            pool.lease(wanted, lease, patient, now).map_err(|refusal| refusal.refused(now))
        }))
    }

    async fn settle(&self, lease: Uuid, settlement: &Settlement) -> Result<Option<Uuid>> {
        Ok(self.with(|pool, now| pool.settle(lease, settlement, now)))
    }

    async fn renew(&self, owner: &str, leases: &[Uuid]) -> Result<Vec<Uuid>> {
        Ok(self.with(|pool, now| pool.renew(owner, leases, now)))
    }

    async fn advance(&self) -> Result<bool> {
        Ok(self.with(Pool::advance))
    }

    async fn clear(&self, id: Uuid) -> Result<bool> {
        Ok(self.with(|pool, now| pool.clear(id, now)))
    }

    async fn bound(&self, conversation: &str) -> Result<Option<Uuid>> {
        Ok(self.with(|pool, now| pool.bound(conversation, now)))
    }

    async fn merge(&self, rows: Vec<StoredAccount>, anyway: bool) -> Result<()> {
        self.with(|pool, now| rows.into_iter().for_each(|row| pool.merge(row, anyway, now)));
        Ok(())
    }

    async fn remove(&self, id: Uuid) -> Result<()> {
        self.with(|pool, now| pool.remove(id, now));
        Ok(())
    }

    async fn ask(&self, ids: &[Uuid]) -> Result<u64> {
        Ok(self.with(|pool, now| pool.ask(ids, now)))
    }

    async fn recheck(&self, id: Uuid) -> Result<()> {
        self.with(|pool, now| pool.want_all(id, Urgency::Used, now));
        Ok(())
    }

    async fn next_read(&self) -> Result<Option<ReadJob>> {
        Ok(self.with(Pool::next_read))
    }

    async fn read_done(&self, job: &ReadJob, end: &ReadEnd) -> Result<()> {
        self.with(|pool, now| pool.read_done(job, end, now));
        Ok(())
    }

    async fn read_told(&self, job: &ReadJob) -> Result<()> {
        self.with(|pool, _| pool.read_told(job));
        Ok(())
    }

    async fn stored(&self) -> Result<()> {
        // There is no other replica; other processes poll the store.
        Ok(())
    }

    async fn follow(&self) -> Elsewhere {
        std::future::pending().await
    }

    fn roster(&self) -> MappedMutexGuard<'_, Roster> {
        MutexGuard::map(self.pool.lock(), |pool| &mut pool.roster)
    }

    fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    fn gather(&self) -> Duration {
        GATHER
    }
}
