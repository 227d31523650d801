//! The pool between its callers, its store and its background work.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use grok2api_kit::{lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{Error, Result, pool::PoolEvent};
use grok2api_storage::{
    Error as StoreError,
    accounts::{Accounts, Inserted, StoredAccount},
};
use tokio::sync::{Notify, broadcast, oneshot};
use uuid::Uuid;

use crate::{
    Deps,
    hot::Hot,
    roster::{Limits, Roster},
    unreadable::UnreadableRows,
};

/// How long a removed account can come back with its history.
const REMOVED_KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Rows written before others get at the store.
const ROWS_AT_ONCE: usize = 50;
/// How long a store that fails is left alone.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// Events kept for a watcher that is slow.
const EVENTS: usize = 4096;

/// Everything the service and its tasks share.
pub(crate) struct Shared {
    /// Who is leased, and to whom.
    pub(crate) hot: Arc<dyn Hot>,
    /// Who is in the store, and cannot be read.
    pub(crate) unreadable: UnreadableRows,
    /// Held over every use of the store that the pool must agree with; what was seen of it last.
    store: tokio::sync::Mutex<Seen>,
    accounts: Arc<dyn Accounts>,
    runtime: Runtime,
    tasks: Tasks,
    writing: AtomicBool,
    /// What was taken is in this process's memory alone until it is written.
    written_behind: bool,
    /// Somebody waits for what is unwritten.
    hurry: Notify,
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

/// How far the store was read.
#[derive(Default)]
struct Seen {
    version: u64,
    interruptions: u64,
}

impl Shared {
    /// Loads every account.
    pub(crate) async fn load(deps: Deps, hot: Arc<dyn Hot>) -> Result<Arc<Self>> {
        let written_behind = deps.redis.is_none();
        let shared = Arc::new(Self {
            hot,
            unreadable: UnreadableRows::default(),
            store: tokio::sync::Mutex::default(),
            accounts: deps.accounts,
            runtime: deps.runtime,
            tasks: deps.tasks,
            writing: AtomicBool::new(false),
            written_behind,
            hurry: Notify::new(),
            freed: Notify::new(),
            wanted: Notify::new(),
            read: Notify::new(),
            events: broadcast::channel(EVENTS).0,
            reads: deps.egress.is_some(),
        });
        // In Redis it is known what was taken, whoever has died.
        shared.hot.roster().doubt_rows(written_behind && !deps.intact);
        shared.sync().await?;
        shared.hot.roster().doubt_rows(false);
        Ok(shared)
    }

    /// Calls the hot state under the limits of the newest parameters, and sees to it that what was changed is told
    /// and written.
    pub(crate) async fn call<T>(self: &Arc<Self>, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.prepare();
        let result = call.await;
        self.tell();
        result
    }

    /// [`Shared::call`] for what may free an account or ask for a reading.
    pub(crate) async fn update<T>(self: &Arc<Self>, call: impl Future<Output = Result<T>>) -> Result<T> {
        let result = self.call(call).await;
        self.freed.notify_waiters();
        self.wanted.notify_one();
        result
    }

    /// Something has changed that somebody may wait for.
    pub(crate) fn wake(&self) {
        self.freed.notify_waiters();
        self.wanted.notify_one();
        self.read.notify_waiters();
    }

    /// How long a lease waits for a free slot before it is refused.
    pub(crate) fn capacity_wait(&self) -> Duration {
        Duration::from_millis(self.runtime.current().config.capacity_wait_ms.into())
    }

    /// Looks at the accounts as they are known here.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Roster, i64) -> R) -> R {
        let now = self.hot.now();
        look(&self.hot.roster(), now)
    }

    fn prepare(&self) {
        let limits = Limits::of(&self.runtime.current().config, self.written_behind);
        let now = self.hot.now();
        let mut roster = self.hot.roster();
        roster.set_limits(limits, now);
        roster.watch(self.events.receiver_count() > 0);
    }

    /// Passes on what has happened, and has it written.
    pub(crate) fn tell(self: &Arc<Self>) {
        let mut roster = self.hot.roster();
        // Under the lock, so that they are told in the order they happened. Nobody may be left to be told.
        roster.take_events().into_iter().for_each(|event| drop(self.events.send(event)));
        let (unwritten, presses) = (roster.unwritten() > 0, roster.presses());
        drop(roster);
        if presses {
            self.hurry.notify_one();
        }
        if unwritten && !self.writing.swap(true, Ordering::AcqRel) {
            self.tasks.spawn("pool-write", self.clone().write_all());
        }
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
        let interruptions = self.accounts.interruptions();
        let newest = self.accounts.version().await?;
        // A store that was away, or put back to an earlier state, may have lost what was seen.
        let whole = newest < seen.version || interruptions != seen.interruptions;
        if newest == seen.version && !whole {
            return Ok(());
        }
        let changes = self.accounts.changed_since(if whole { 0 } else { seen.version }).await?;
        self.unreadable.learn(&changes, whole);
        if whole {
            self.forget(&changes.accounts).await?;
        }
        for id in changes.unreadable.iter().filter_map(|row| Uuid::parse_str(&row.id).ok()) {
            if self.look(|roster, _| roster.stored(id).is_some()) {
                self.update(self.hot.remove(id)).await?;
            }
        }
        self.update(self.hot.merge(changes.accounts, whole)).await?;
        *seen = Seen { version: changes.version, interruptions };
        Ok(())
    }

    /// Drops accounts that the store has lost.
    async fn forget(self: &Arc<Self>, kept: &[StoredAccount]) -> Result<()> {
        let kept: HashSet<Uuid> = kept.iter().map(|row| row.id).collect();
        let lost: Vec<Uuid> = self.look(|roster, _| {
            roster.accounts().map(|account| account.stored.id).filter(|id| !kept.contains(id)).collect()
        });
        for id in &lost {
            self.update(self.hot.remove(*id)).await?;
        }
        if !lost.is_empty() {
            tracing::warn!("the store went back: {} accounts are no more", lost.len());
        }
        Ok(())
    }

    /// Adds accounts to the store and the pool; known ones stay as they are. Answers in order.
    pub(crate) async fn insert(self: &Arc<Self>, rows: &[StoredAccount]) -> Result<Vec<Inserted>> {
        let _store = self.store.lock().await;
        let inserted = self.accounts.insert(rows).await?;
        let rows: Vec<_> = inserted.iter().map(|inserted| inserted.account().clone()).collect();
        rows.iter().for_each(|row| self.unreadable.forget(&row.id.to_string()));
        self.update(self.hot.merge(rows, false)).await?;
        self.hot.stored().await?;
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
        let mut known = self.hot.roster().stored(id).cloned();
        while let Some(before) = known {
            let mut row = before.clone();
            change(&mut row);
            if row == before {
                return Ok(true);
            }
            match self.accounts.update(&row).await {
                Ok(version) => {
                    row.version = version;
                    self.update(self.hot.merge(vec![row], false)).await?;
                    self.hot.stored().await?;
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
        while let Some((keep, drop)) = self.look(|roster, _| roster.twins(id)) {
            let Some(gone) = self.look(|roster, _| roster.stored(drop).cloned()) else { break };
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
            self.hot.roster().merged(drop, keep);
            self.update(self.hot.recheck(keep)).await?;
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
        // Who brings it back must know what was taken of it.
        let row = self.hot.roster().take_unwritten_of(id);
        self.write_rows(row.into_iter().collect()).await?;
        let removed = self.accounts.remove(id, self.now()).await?;
        // The row tells which of the accounts that ever had this id is gone.
        match readable(self.accounts.get(id).await)? {
            Some(row) => self.update(self.hot.merge(vec![row], false)).await?,
            None => self.update(self.hot.remove(id)).await?,
        }
        self.unreadable.forget(&id.to_string());
        self.hot.stored().await?;
        Ok(removed)
    }

    /// Brings removed accounts back as they were. Returns which there were.
    pub(crate) async fn restore(self: &Arc<Self>, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        let mut back = Vec::with_capacity(ids.len());
        for id in ids {
            let gone = self.accounts.get(*id).await?.filter(|row| row.deleted_at.is_some());
            back.extend(gone.map(|row| StoredAccount { deleted_at: None, ..row }));
        }
        let inserted = self.insert(&back).await?;
        let added = inserted.into_iter().filter_map(|inserted| match inserted {
            Inserted::Added(account) => Some(account.id),
            Inserted::Known(_) => None,
        });
        Ok(added.collect())
    }

    /// The accounts that were removed and can be restored.
    pub(crate) async fn removed(&self) -> Result<Vec<StoredAccount>> {
        let mut accounts = self.accounts.changed_since(0).await?.accounts;
        accounts.retain(|row| row.deleted_at.is_some());
        Ok(accounts)
    }

    /// Writes what is unwritten before it returns. Others get at the store in between.
    pub(crate) async fn write_through(self: &Arc<Self>) -> Result<()> {
        // What comes to be unwritten meanwhile is not waited for.
        let batches = self.hot.roster().unwritten().div_ceil(ROWS_AT_ONCE);
        for _ in 0..batches {
            let _store = self.store.lock().await;
            let rows = self.hot.roster().take_unwritten(ROWS_AT_ONCE);
            self.write_rows(rows).await?;
        }
        Ok(())
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
        self.hot.now()
    }

    /// Writes behind until nothing is left. Once draining it no longer waits for more to gather.
    async fn write_all(self: Arc<Self>) {
        loop {
            let shutdown = self.tasks.shutdown();
            tokio::select! {
                () = shutdown.draining() => {}
                () = self.hurry.notified() => {}
                () = tokio::time::sleep(self.hot.gather()) => {}
            }
            if let Err(error) = self.write_through().await {
                tracing::warn!(%error, "accounts could not be written, will try again");
                tokio::time::sleep(STORE_RETRY).await;
            }
            let roster = self.hot.roster();
            if roster.unwritten() == 0 {
                // Under the lock: whoever changes the pool next sees that nobody writes.
                self.writing.store(false, Ordering::Release);
                return;
            }
        }
    }

    /// Writes row by row; the caller holds the store.
    async fn write_rows(&self, rows: Vec<StoredAccount>) -> Result<()> {
        let mut rows = rows.into_iter();
        while let Some(row) = rows.next() {
            let id = row.id;
            if let Err(error) = self.write_row(row).await {
                let mut roster = self.hot.roster();
                roster.not_written(id);
                rows.for_each(|row| roster.not_written(row.id));
                return Err(error);
            }
        }
        Ok(())
    }

    /// When another process was first, its row is taken over, and what is newer here is written over that.
    async fn write_row(&self, mut row: StoredAccount) -> Result<()> {
        loop {
            let id = row.id;
            match self.accounts.update(&row).await {
                Ok(version) => {
                    let now = self.now();
                    self.hot.roster().written(row, version, now);
                    if self.written_behind {
                        // Who waited for it to be written down need wait no longer.
                        self.freed.notify_waiters();
                    }
                    return Ok(());
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            match readable(self.accounts.get(id).await)? {
                // Even an older one: a store that has lost what was written last would be in conflict for ever.
                Some(theirs) => self.hot.merge(vec![theirs], true).await?,
                None => self.hot.remove(id).await?,
            }
            let again = self.hot.roster().row_to_write(id);
            match again {
                Some(again) => row = again,
                None => return Ok(()),
            }
        }
    }
}

/// A row that is damaged is as good as none.
fn readable(row: Result<Option<StoredAccount>, StoreError>) -> Result<Option<StoredAccount>, StoreError> {
    match row {
        Err(StoreError::ImpossibleRow { .. }) => Ok(None),
        row => row,
    }
}
