//! The hot state in Redis, shared by many replicas.
//!
//! One hash an account, changed by one script only. The rule of eligibility and the order of trying run here, over a
//! copy of every account that lags a little; the script then takes slot and units only if the account is still as it
//! was judged. What leases and settlements change are plain numbers, which the script adds up; everything else is
//! computed here by the same functions that serve a single process, and written if nobody was faster.
//!
//! Versions grow with the server's time and by one at least. So an account's newer state is known by its number,
//! also after another server has taken over, and an answer that is older than what was known when it was asked for
//! tells that state was lost.

mod advance;
mod change;
mod follow;
mod lease;
mod reads;
mod script;
mod settle;
mod share;
mod view;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{Error, Kind, Result};
use grok2api_storage::{accounts::StoredAccount, masked};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Elsewhere, Hot};
use crate::{
    pool::Urgency,
    reading::{ReadEnd, ReadJob},
    roster::{News, Roster},
    wanted::{Granted, Refused, Settlement, Wanted},
};
use follow::Follower;
use script::{Answer, Caller};
use view::{Owed, Sent, View};

/// Begins every key; the braces keep all of them in one slot of a cluster.
pub(crate) const PREFIX: &str = "{g2a-pool}:";
/// Redis keeps the state, so the store may lag; it is asked when Redis has lost it.
const GATHER: Duration = Duration::from_secs(2);
/// Accounts made, written or read at once.
const CHUNK: usize = 200;
/// An answer that took longer tells little of the server's clock.
const PROMPT: Duration = Duration::from_millis(100);

/// The state in Redis, as one replica uses it.
#[derive(Clone)]
pub(crate) struct Redis(Arc<State>);

struct State {
    caller: Caller,
    view: Mutex<View>,
    clock: Clock,
    /// What the server's clock is ahead of ours, in milliseconds.
    ahead: AtomicI64,
    follower: Follower,
    tasks: Tasks,
    /// Claims that wait for their answer.
    claims: AtomicUsize,
    /// Held while time is let pass; how often that has begun.
    advancing: tokio::sync::Mutex<()>,
    advances: AtomicU64,
    /// Held while a loss is mended.
    mending: tokio::sync::Mutex<()>,
    /// Held while an account is made to rest: whether one may depends on how many do.
    resting: tokio::sync::Mutex<()>,
}

impl Redis {
    /// Connects.
    ///
    /// # Errors
    /// An address that is none, or a server that cannot be used.
    pub(crate) async fn connect(url: &str, prefix: &str, clock: Clock, tasks: Tasks) -> Result<Self> {
        let wrong = |error| {
            let place = masked(url);
            let text = format!("{place}, the Redis of the pool's state, cannot be used: {error}");
            Error::new(Kind::Unavailable, "storage_unavailable", text)
        };
        let client = script::client(url).map_err(wrong)?;
        let replica = Uuid::now_v7().to_string();
        let caller = Caller::connect(client.clone(), prefix, replica).await.map_err(wrong)?;
        let follower = Follower::new(client, caller.channel().to_owned());
        Ok(Self(Arc::new(State {
            caller,
            view: Mutex::default(),
            clock,
            ahead: AtomicI64::new(0),
            follower,
            tasks,
            claims: AtomicUsize::new(0),
            advancing: tokio::sync::Mutex::default(),
            advances: AtomicU64::new(0),
            mending: tokio::sync::Mutex::default(),
            resting: tokio::sync::Mutex::default(),
        })))
    }

    /// Runs to its end what must not stop half-way when its caller leaves. What the caller is no longer there to
    /// take is given to `unwanted`.
    async fn owned<T, F, U>(
        &self,
        work: impl FnOnce(Arc<State>) -> F,
        unwanted: impl FnOnce(Arc<State>, T) -> U + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
        U: Future<Output = ()> + Send,
    {
        let (done, result) = oneshot::channel();
        let (state, work) = (self.0.clone(), work(self.0.clone()));
        self.0.tasks.spawn("pool-state", async move {
            if let Err(Ok(left)) = done.send(work.await) {
                unwanted(state, left).await;
            }
        });
        result.await.unwrap_or_else(|_| Err(Error::internal("the token pool is stopping")))
    }
}

impl State {
    /// By the server's clock.
    fn time(&self) -> i64 {
        self.clock.now_ms() + self.ahead.load(Ordering::Relaxed)
    }

    async fn call(&self, operation: &str, args: &[String]) -> Result<(Sent, Answer)> {
        let now = self.clock.is_manual().then(|| self.clock.now_ms());
        let (sent, begun) = (self.view.lock().sent(), Instant::now());
        let (at, answer) = self.caller.call(operation, now, args).await?;
        let never = self.ahead.load(Ordering::Relaxed) == 0;
        if now.is_none() && (never || begun.elapsed() < PROMPT) {
            self.ahead.store(at - self.clock.now_ms(), Ordering::Relaxed);
        }
        Ok((sent, answer))
    }
}

#[async_trait]
impl Hot for Redis {
    async fn lease(&self, wanted: &Wanted, patient: bool) -> Result<Result<Granted, Refused>> {
        let wanted = wanted.clone();
        let leasing = move |state: Arc<State>| async move { state.lease(&wanted, patient).await };
        self.owned(leasing, |state, leased| async move {
            if let Ok(granted) = leased {
                state.give_back(granted.lease).await;
            }
        })
        .await
    }

    async fn settle(&self, lease: Uuid, settlement: &Settlement) -> Result<Option<Uuid>> {
        let settlement = settlement.clone();
        let settling = move |state: Arc<State>| async move { state.settle(lease, &settlement).await };
        self.owned(settling, async |_, _| {}).await
    }

    async fn renew(&self, owner: &str, leases: &[Uuid]) -> Result<Vec<Uuid>> {
        let mut args = vec![owner.to_owned()];
        args.extend(leases.iter().map(Uuid::to_string));
        let (_, mut answer) = self.0.call("renew", &args).await?;
        let mut lost = Vec::new();
        while answer.has_more() {
            lost.push(answer.id()?);
        }
        Ok(lost)
    }

    async fn advance(&self) -> Result<bool> {
        self.owned(|state| async move { state.advance().await }, async |_, _| {}).await
    }

    async fn clear(&self, id: Uuid) -> Result<bool> {
        self.0.clear(id).await
    }

    async fn bound(&self, conversation: &str) -> Result<Option<Uuid>> {
        let bound = self.0.call("bound", &[conversation.to_owned()]).await?.1.text()?;
        if bound.is_empty() { Ok(None) } else { script::uuid(&bound).map(Some) }
    }

    async fn merge(&self, rows: Vec<StoredAccount>, anyway: bool) -> Result<()> {
        self.owned(move |state| async move { state.merge(rows, anyway).await }, async |_, ()| {}).await
    }

    async fn remove(&self, id: Uuid) -> Result<()> {
        {
            let mut view = self.0.view.lock();
            let row = view.roster.stored(id).map_or(0, |stored| stored.version);
            view.roster.remove(id, self.0.time());
            view.owed.insert(id, Owed::Drop(row));
        }
        self.0.pay().await
    }

    async fn ask(&self, ids: &[Uuid]) -> Result<u64> {
        self.0.want_all(ids, Urgency::Asked).await
    }

    async fn recheck(&self, id: Uuid) -> Result<()> {
        self.0.want_all(&[id], Urgency::Used).await.map(drop)
    }

    async fn next_read(&self) -> Result<Option<ReadJob>> {
        self.0.take_read().await
    }

    async fn read_done(&self, job: &ReadJob, end: &ReadEnd) -> Result<()> {
        self.0.end_read(job, end).await
    }

    async fn read_told(&self, job: &ReadJob) -> Result<()> {
        self.0.tell_read(job).await
    }

    async fn stored(&self) -> Result<()> {
        self.0.call("stored", &[]).await.map(drop)
    }

    async fn follow(&self) -> Elsewhere {
        self.0.hear().await
    }

    fn roster(&self) -> MappedMutexGuard<'_, Roster> {
        MutexGuard::map(self.0.view.lock(), |view| &mut view.roster)
    }

    fn now(&self) -> i64 {
        self.0.time()
    }

    fn gather(&self) -> Duration {
        GATHER
    }
}

impl State {
    async fn merge(&self, rows: Vec<StoredAccount>, anyway: bool) -> Result<()> {
        if self.view.lock().birth.is_empty() {
            // What is read from now on is newer than this.
            self.first_look().await?;
        }
        let now = self.time();
        let mut changed = Vec::new();
        {
            let mut view = self.view.lock();
            for row in rows {
                let (id, version) = (row.id, row.version);
                match view.roster.merge(row, false, anyway, now) {
                    News::Nothing | News::Used => {}
                    News::Changed => changed.push(id),
                    News::Added => drop(view.owed.insert(id, Owed::Load)),
                    News::Removed => drop(view.owed.insert(id, Owed::Drop(version))),
                }
            }
        }
        self.pay().await?;
        self.want_unknown(&changed).await
    }
}
