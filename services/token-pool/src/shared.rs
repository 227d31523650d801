//! The pool between its callers, its store and its background work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{Error, Result, pool::PoolEvent};
use grok2api_storage::{
    Error as StoreError,
    accounts::{Accounts, Inserted, StoredAccount},
};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast, oneshot};
use uuid::Uuid;

use crate::{Deps, pool::Pool};

/// How long changes gather before they are written.
const GATHER: Duration = Duration::from_millis(200);
/// How long a removed account can come back with its history.
const REMOVED_KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a store that fails is left alone.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Events kept for a watcher that is slow.
const EVENTS: usize = 4096;

/// Everything the service and its tasks share.
pub(crate) struct Shared {
    pool: Mutex<Pool>,
    /// Held over every use of the store that the pool must agree with; the version of the store seen last.
    store: tokio::sync::Mutex<u64>,
    accounts: Arc<dyn Accounts>,
    runtime: Runtime,
    clock: Clock,
    tasks: Tasks,
    writing: AtomicBool,
    /// A slot, a window or an account may have become free.
    pub(crate) freed: Notify,
    /// A reading may have become due.
    pub(crate) wanted: Notify,
    /// A reading has ended.
    pub(crate) read: Notify,
    /// What happens, to those who watch.
    pub(crate) events: broadcast::Sender<PoolEvent>,
    /// Whether there is a way to the upstream to read quotas from.
    pub(crate) reads: bool,
}

impl Shared {
    /// Loads every account.
    pub(crate) async fn load(deps: Deps) -> Result<Arc<Self>> {
        let shared = Arc::new(Self {
            pool: Mutex::default(),
            store: tokio::sync::Mutex::new(0),
            accounts: deps.accounts,
            runtime: deps.runtime,
            clock: deps.clock,
            tasks: deps.tasks,
            writing: AtomicBool::new(false),
            freed: Notify::new(),
            wanted: Notify::new(),
            read: Notify::new(),
            events: broadcast::channel(EVENTS).0,
            reads: deps.egress.is_some(),
        });
        shared.sync().await?;
        Ok(shared)
    }

    /// Uses the pool now, and sees to it that what was changed is written.
    pub(crate) fn with<R>(self: &Arc<Self>, act: impl FnOnce(&mut Pool, i64) -> R) -> R {
        let now = self.clock.now_ms();
        let concurrency = self.runtime.current().config.account_concurrency.max(1);
        let mut pool = self.pool.lock();
        pool.set_concurrency(concurrency, now);
        pool.watch(self.events.receiver_count() > 0);
        let result = act(&mut pool, now);
        // Under the lock, so that they are told in the order they happened. Nobody may be left to be told.
        pool.take_events().into_iter().for_each(|event| drop(self.events.send(event)));
        let unwritten = pool.is_unwritten();
        drop(pool);
        if unwritten && !self.writing.swap(true, Ordering::AcqRel) {
            self.tasks.spawn("pool-write", self.clone().write_all());
        }
        result
    }

    /// [`Shared::with`] for what may free an account or ask for a reading.
    pub(crate) fn update<R>(self: &Arc<Self>, act: impl FnOnce(&mut Pool, i64) -> R) -> R {
        let result = self.with(act);
        self.freed.notify_waiters();
        self.wanted.notify_one();
        result
    }

    /// Runs work on the store that must not stop half-way when its caller leaves.
    pub(crate) async fn finish<T, F>(self: &Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        self.tasks.spawn("pool-store", async move {
            // The caller may have left; the work is done all the same.
            done.send(work.await).ok();
        });
        result.await.unwrap_or_else(|_| Err(Error::internal("the token pool is stopping")))
    }

    /// Takes over what other processes wrote since the last time.
    pub(crate) async fn sync(self: &Arc<Self>) -> Result<()> {
        let mut seen = self.store.lock().await;
        if self.accounts.version().await? == *seen {
            return Ok(());
        }
        let changes = self.accounts.changed_since(*seen).await?;
        self.update(|pool, now| changes.accounts.into_iter().for_each(|row| pool.merge(row, now)));
        *seen = changes.version;
        Ok(())
    }

    /// Adds accounts to the store and the pool; known ones stay as they are. Answers in order.
    pub(crate) async fn insert(self: &Arc<Self>, rows: &[StoredAccount]) -> Result<Vec<Inserted>> {
        let _store = self.store.lock().await;
        let inserted = self.accounts.insert(rows).await?;
        let accounts = inserted.iter().map(|inserted| inserted.account().clone());
        self.update(|pool, now| accounts.for_each(|row| pool.merge(row, now)));
        Ok(inserted)
    }

    /// Changes what is said of an account, in the store first; what changes by use is not `change`'s to touch.
    /// Returns whether the account is there.
    pub(crate) async fn change(
        self: &Arc<Self>,
        id: Uuid,
        change: impl Fn(&mut StoredAccount) + Send + Sync,
    ) -> Result<bool> {
        let _store = self.store.lock().await;
        let mut known = self.pool.lock().stored(id).cloned();
        while let Some(before) = known {
            let mut row = before.clone();
            change(&mut row);
            if row == before {
                return Ok(true);
            }
            match self.accounts.update(&row).await {
                Ok(version) => {
                    row.version = version;
                    self.update(|pool, now| pool.merge(row, now));
                    return Ok(true);
                }
                // Another process was first: the change is made to what that has written.
                Err(StoreError::Conflict { .. }) => {
                    known = self.accounts.get(id).await?.filter(|row| row.deleted_at.is_none());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// Notes whose account it is. Of two accounts of one user, one is kept and takes over what is said of the other.
    pub(crate) async fn identify(self: &Arc<Self>, id: Uuid, user: &str) -> Result<()> {
        self.change(id, |row| row.user_id = Some(user.to_owned())).await?;
        while let Some((keep, drop)) = self.with(|pool, _| pool.twins(id)) {
            let Some(gone) = self.pool.lock().stored(drop).cloned() else { break };
            let inherit = |row: &mut StoredAccount| {
                row.tags.extend(gone.tags.iter().cloned());
                row.priority = row.priority.max(gone.priority);
                row.tier = row.tier.max(gone.tier);
                if row.note.is_empty() {
                    row.note.clone_from(&gone.note);
                }
            };
            self.change(keep, inherit).await?;
            self.remove(drop).await?;
            tracing::warn!(
                account.id = %keep,
                account.merged = %drop,
                "accounts {keep} and {drop} are one user of the upstream: {drop} was merged into {keep}"
            );
            self.update(|pool, now| pool.merged(drop, keep, now));
        }
        Ok(())
    }

    /// Forgets for good what was removed a day ago.
    pub(crate) async fn purge(&self) -> Result<u64> {
        Ok(self.accounts.purge(self.now() - REMOVED_KEPT_MS).await?)
    }

    /// Removes an account from the store and the pool.
    pub(crate) async fn remove(self: &Arc<Self>, id: Uuid) -> Result<bool> {
        let _store = self.store.lock().await;
        let removed = self.accounts.remove(id, self.clock.now_ms()).await?;
        self.update(|pool, now| pool.remove(id, now));
        Ok(removed)
    }

    /// Writes what is unwritten before it returns.
    pub(crate) async fn write_through(self: &Arc<Self>) -> Result<()> {
        let _store = self.store.lock().await;
        self.write_rows().await.map_err(Error::from)
    }

    /// Runs work whose caller may leave.
    pub(crate) fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(name, work);
    }

    /// Resolves when the process is to end.
    pub(crate) async fn draining(&self) {
        self.tasks.shutdown().draining().await;
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Writes behind until nothing is left. Once draining it no longer waits for more to gather.
    async fn write_all(self: Arc<Self>) {
        loop {
            let shutdown = self.tasks.shutdown();
            tokio::select! {
                () = shutdown.draining() => {}
                () = tokio::time::sleep(GATHER) => {}
            }
            if let Err(error) = self.write_through().await {
                tracing::warn!(%error, "accounts could not be written, will try again");
                tokio::time::sleep(STORE_RETRY).await;
            }
            let pool = self.pool.lock();
            if !pool.is_unwritten() {
                // Under the lock: whoever changes the pool next sees that nobody writes.
                self.writing.store(false, Ordering::Release);
                return;
            }
        }
    }

    /// Writes row by row; the caller holds the store.
    async fn write_rows(&self) -> Result<(), StoreError> {
        let mut rows = self.pool.lock().take_unwritten().into_iter();
        while let Some(row) = rows.next() {
            let id = row.id;
            if let Err(error) = self.write_row(row).await {
                let mut pool = self.pool.lock();
                pool.not_written(id);
                rows.for_each(|row| pool.not_written(row.id));
                return Err(error);
            }
        }
        Ok(())
    }

    /// When another process was first, its row is taken over, and what is newer here is written over that.
    async fn write_row(&self, mut row: StoredAccount) -> Result<(), StoreError> {
        loop {
            let id = row.id;
            match self.accounts.update(&row).await {
                Ok(version) => {
                    self.pool.lock().written(row, version);
                    return Ok(());
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
            let theirs = self.accounts.get(id).await?;
            let mut pool = self.pool.lock();
            match theirs {
                Some(theirs) => pool.merge(theirs, self.clock.now_ms()),
                None => pool.remove(id, self.clock.now_ms()),
            }
            match pool.row(id) {
                Some(again) => row = again,
                None => return Ok(()),
            }
        }
    }
}
