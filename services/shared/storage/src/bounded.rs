//! Limits of time around a store behind a network: a call that gets no answer fails soon, whatever the network does.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use grok2api_kit::metrics::STORE_FAILURES;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    Error, Result,
    accounts::{Accounts, Changes, Inserted, StoredAccount},
    actions::{Action, Actions},
    admins::{Admin, Admins},
    budgets::{Budgets, Reservation, Reserved, Settlement, Spent},
    captures::{self, Capture, Captures},
    client_keys::{self, Budget, ClientKey, ClientKeys},
    idempotency::{self, Claimed, Idempotency},
    ledger::{Filter, Keep, Ledger, Query, Row, Series},
    media::{Item, Kind, MediaIndex, Usage, Use},
    responses::{Response, Responses},
    sessions::{Digest, Session, Sessions},
    settings::{Overrides, Revision, Settings},
    videos::{Job, VideoJobs},
};

/// How long a store may take to answer at the start.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long a call may take that concerns one row, or a page of them.
pub(crate) const ANSWER: Duration = Duration::from_secs(4);
/// How long it may take in addition for each row that is added.
const ROW: Duration = Duration::from_millis(10);
/// How long a call may take that concerns all rows.
pub(crate) const WHOLE: Duration = Duration::from_secs(60);

/// How long the migrations may take altogether, and others wait for them: minutes, where many rows get a new index. A
/// server that hangs in the middle must not hold up the start for ever.
pub(crate) const MIGRATION: Duration = Duration::from_secs(3600);
/// Puts the limits around what is behind, and counts when that was away.
#[derive(Clone, Default)]
pub(crate) struct Bounds(Arc<AtomicU64>);

/// What is behind, with the limits.
struct Bounded<T: ?Sized> {
    behind: Arc<T>,
    bounds: Bounds,
}

impl Bounds {
    pub(crate) fn accounts(&self, behind: Arc<dyn Accounts>) -> Arc<dyn Accounts> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn settings(&self, behind: Arc<dyn Settings>) -> Arc<dyn Settings> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn media(&self, behind: Arc<dyn MediaIndex>) -> Arc<dyn MediaIndex> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn ledger(&self, behind: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn client_keys(&self, behind: Arc<dyn ClientKeys>) -> Arc<dyn ClientKeys> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn budgets(&self, behind: Arc<dyn Budgets>) -> Arc<dyn Budgets> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn admins(&self, behind: Arc<dyn Admins>) -> Arc<dyn Admins> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn sessions(&self, behind: Arc<dyn Sessions>) -> Arc<dyn Sessions> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn actions(&self, behind: Arc<dyn Actions>) -> Arc<dyn Actions> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn captures(&self, behind: Arc<dyn Captures>) -> Arc<dyn Captures> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn responses(&self, behind: Arc<dyn Responses>) -> Arc<dyn Responses> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn idempotency(&self, behind: Arc<dyn Idempotency>) -> Arc<dyn Idempotency> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }

    pub(crate) fn videos(&self, behind: Arc<dyn VideoJobs>) -> Arc<dyn VideoJobs> {
        Arc::new(Bounded { behind, bounds: self.clone() })
    }
}

impl<T: ?Sized> Bounded<T> {
    async fn within<R>(&self, limit: Duration, call: impl Future<Output = Result<R>>) -> Result<R> {
        let result = within(limit, call).await;
        let away = match &result {
            // What the database says was not away.
            Err(Error::Store(sqlx::Error::Database(_))) => false,
            Err(Error::Store(_) | Error::Redis(_) | Error::Timeout(_)) => true,
            _ => false,
        };
        if away {
            self.bounds.0.fetch_add(1, Ordering::Relaxed);
            STORE_FAILURES.add(1, [part::<T>().into()]);
        }
        result
    }

    fn interruptions(&self) -> u64 {
        self.bounds.0.load(Ordering::Relaxed)
    }
}

/// The part of the state, by the name of its trait.
fn part<T: ?Sized>() -> String {
    std::any::type_name::<T>().rsplit("::").next().unwrap_or_default().to_lowercase()
}

pub(crate) async fn within<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(limit, call).await.unwrap_or(Err(Error::Timeout(limit)))
}

#[async_trait]
impl Accounts for Bounded<dyn Accounts> {
    fn interruptions(&self) -> u64 {
        self.interruptions()
    }

    async fn version(&self) -> Result<u64> {
        self.within(ANSWER, self.behind.version()).await
    }

    async fn changed_since(&self, version: u64) -> Result<Changes> {
        self.within(WHOLE, self.behind.changed_since(version)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<StoredAccount>> {
        self.within(ANSWER, self.behind.get(id)).await
    }

    async fn insert(&self, accounts: &[StoredAccount]) -> Result<Vec<Inserted>> {
        let rows = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
        self.within(ANSWER + ROW * rows, self.behind.insert(accounts)).await
    }

    async fn update(&self, account: &StoredAccount) -> Result<u64> {
        self.within(ANSWER, self.behind.update(account)).await
    }

    async fn remove(&self, id: Uuid, now_ms: i64) -> Result<bool> {
        self.within(ANSWER, self.behind.remove(id, now_ms)).await
    }

    async fn purge(&self, removed_before_ms: i64) -> Result<u64> {
        self.within(WHOLE, self.behind.purge(removed_before_ms)).await
    }
}

#[async_trait]
impl Settings for Bounded<dyn Settings> {
    fn interruptions(&self) -> u64 {
        self.interruptions()
    }

    async fn latest(&self) -> Result<Revision> {
        self.within(ANSWER, self.behind.latest()).await
    }

    async fn newest(&self) -> Result<u64> {
        self.within(ANSWER, self.behind.newest()).await
    }

    async fn append(&self, expected: u64, overrides: Overrides, author: &str, now: i64) -> Result<Revision> {
        self.within(ANSWER, self.behind.append(expected, overrides, author, now)).await
    }

    async fn list(&self, before: Option<u64>, limit: u32) -> Result<Vec<Revision>> {
        self.within(ANSWER, self.behind.list(before, limit)).await
    }
}

#[async_trait]
impl MediaIndex for Bounded<dyn MediaIndex> {
    async fn put(&self, item: &Item) -> Result<()> {
        self.within(ANSWER, self.behind.put(item)).await
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Item>> {
        self.within(ANSWER, self.behind.get(kind, name)).await
    }

    async fn find(&self, kind: Kind, source: &str) -> Result<Option<Item>> {
        self.within(ANSWER, self.behind.find(kind, source)).await
    }

    async fn touch(&self, uses: &[Use]) -> Result<()> {
        let rows = u32::try_from(uses.len()).unwrap_or(u32::MAX);
        self.within(ANSWER + ROW * rows, self.behind.touch(uses)).await
    }

    async fn usage(&self, kind: Kind) -> Result<Usage> {
        self.within(ANSWER, self.behind.usage(kind)).await
    }

    async fn least_recently_used(&self, kind: Kind, limit: u32) -> Result<Vec<Item>> {
        self.within(ANSWER, self.behind.least_recently_used(kind, limit)).await
    }

    async fn page(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Item>> {
        self.within(ANSWER, self.behind.page(kind, after, limit)).await
    }

    async fn newest(&self, kind: Kind, before: Option<(i64, &str)>, limit: u32) -> Result<Vec<Item>> {
        self.within(ANSWER, self.behind.newest(kind, before, limit)).await
    }

    async fn remove(&self, kind: Kind, name: &str) -> Result<bool> {
        self.within(ANSWER, self.behind.remove(kind, name)).await
    }

    async fn clear(&self, kind: Kind) -> Result<u64> {
        self.within(WHOLE, self.behind.clear(kind)).await
    }
}

#[async_trait]
impl Ledger for Bounded<dyn Ledger> {
    async fn record(&self, rows: &[Row], lost: u64, now: i64) -> Result<u32> {
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        self.within(ANSWER + ROW * count, self.behind.record(rows, lost, now)).await
    }

    async fn page(&self, filter: &Filter, before: Option<Uuid>, limit: u32) -> Result<Vec<Row>> {
        self.within(ANSWER, self.behind.page(filter, before, limit)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Row>> {
        self.within(ANSWER, self.behind.get(id)).await
    }

    async fn series(&self, query: &Query) -> Result<Vec<Series>> {
        self.within(ANSWER, self.behind.series(query)).await
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        self.within(ANSWER + ROW * limit, self.behind.prune(keep, now, limit)).await
    }
}

#[async_trait]
impl ClientKeys for Bounded<dyn ClientKeys> {
    fn interruptions(&self) -> u64 {
        self.interruptions()
    }

    async fn version(&self) -> Result<u64> {
        self.within(ANSWER, self.behind.version()).await
    }

    async fn changed_since(&self, version: u64) -> Result<client_keys::Changes> {
        self.within(WHOLE, self.behind.changed_since(version)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<ClientKey>> {
        self.within(ANSWER, self.behind.get(id)).await
    }

    async fn find(&self, digest: &client_keys::Digest) -> Result<Option<ClientKey>> {
        self.within(ANSWER, self.behind.find(digest)).await
    }

    async fn insert(&self, key: &ClientKey, log: &Action) -> Result<()> {
        self.within(ANSWER, self.behind.insert(key, log)).await
    }

    async fn update(&self, key: &ClientKey, log: &Action) -> Result<u64> {
        self.within(ANSWER, self.behind.update(key, log)).await
    }

    async fn used(&self, uses: &[(Uuid, i64)]) -> Result<()> {
        let rows = u32::try_from(uses.len()).unwrap_or(u32::MAX);
        self.within(ANSWER + ROW * rows, self.behind.used(uses)).await
    }
}

#[async_trait]
impl Admins for Bounded<dyn Admins> {
    async fn list(&self) -> Result<Vec<Admin>> {
        self.within(ANSWER, self.behind.list()).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Admin>> {
        self.within(ANSWER, self.behind.get(id)).await
    }

    async fn find(&self, name: &str) -> Result<Option<Admin>> {
        self.within(ANSWER, self.behind.find(name)).await
    }

    async fn insert(&self, admin: &Admin) -> Result<()> {
        self.within(ANSWER, self.behind.insert(admin)).await
    }

    async fn update(&self, admin: &Admin) -> Result<u64> {
        self.within(ANSWER, self.behind.update(admin)).await
    }
}

#[async_trait]
impl Sessions for Bounded<dyn Sessions> {
    async fn get(&self, digest: &Digest) -> Result<Option<Session>> {
        self.within(ANSWER, self.behind.get(digest)).await
    }

    async fn of(&self, admin: Uuid) -> Result<Vec<Session>> {
        self.within(ANSWER, self.behind.of(admin)).await
    }

    async fn insert(&self, session: &Session) -> Result<()> {
        self.within(ANSWER, self.behind.insert(session)).await
    }

    async fn seen(&self, digest: &Digest, now_ms: i64, expires_at: i64) -> Result<bool> {
        self.within(ANSWER, self.behind.seen(digest, now_ms, expires_at)).await
    }

    async fn revoke(&self, digest: &Digest) -> Result<bool> {
        self.within(ANSWER, self.behind.revoke(digest)).await
    }

    async fn revoke_all(&self, admin: Uuid) -> Result<u64> {
        self.within(WHOLE, self.behind.revoke_all(admin)).await
    }

    async fn purge(&self, expired_before_ms: i64) -> Result<u64> {
        self.within(WHOLE, self.behind.purge(expired_before_ms)).await
    }
}

#[async_trait]
impl Actions for Bounded<dyn Actions> {
    async fn append(&self, action: &Action) -> Result<()> {
        self.within(ANSWER, self.behind.append(action)).await
    }

    async fn page(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Action>> {
        self.within(ANSWER, self.behind.page(before, limit)).await
    }
}

#[async_trait]
impl VideoJobs for Bounded<dyn VideoJobs> {
    async fn insert(&self, job: &Job) -> Result<bool> {
        self.within(ANSWER, self.behind.insert(job)).await
    }

    async fn get(&self, id: &str) -> Result<Option<Job>> {
        self.within(ANSWER, self.behind.get(id)).await
    }

    async fn update(&self, job: &Job) -> Result<bool> {
        self.within(ANSWER, self.behind.update(job)).await
    }

    async fn page(&self, client: &str, before: Option<&str>, limit: u32) -> Result<Vec<Job>> {
        self.within(ANSWER, self.behind.page(client, before, limit)).await
    }

    async fn silent(&self, since: i64, limit: u32) -> Result<Vec<Job>> {
        self.within(ANSWER, self.behind.silent(since, limit)).await
    }

    async fn remove(&self, id: &str) -> Result<bool> {
        self.within(ANSWER, self.behind.remove(id)).await
    }

    async fn purge(&self, made_before: i64, limit: u32) -> Result<u64> {
        self.within(ANSWER + ROW * limit, self.behind.purge(made_before, limit)).await
    }
}

#[async_trait]
impl Budgets for Bounded<dyn Budgets> {
    async fn reserve(&self, reservation: &Reservation, budgets: &[Budget]) -> Result<Reserved> {
        self.within(ANSWER, self.behind.reserve(reservation, budgets)).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<()> {
        self.within(ANSWER, self.behind.settle(settlements)).await
    }

    async fn spent(&self, key: Uuid, at: i64) -> Result<Spent> {
        self.within(ANSWER, self.behind.spent(key, at)).await
    }

    async fn sweep(&self, now: i64) -> Result<()> {
        self.within(WHOLE, self.behind.sweep(now)).await
    }
}

#[async_trait]
impl Idempotency for Bounded<dyn Idempotency> {
    async fn claim(
        &self,
        id: &idempotency::Id,
        fingerprint: &[u8; 32],
        owner: &str,
        for_ms: u64,
    ) -> Result<Claimed> {
        self.within(ANSWER, self.behind.claim(id, fingerprint, owner, for_ms)).await
    }

    async fn renew(&self, claims: &[(idempotency::Id, String)], for_ms: u64) -> Result<()> {
        self.within(ANSWER, self.behind.renew(claims, for_ms)).await
    }

    async fn answer(
        &self,
        id: &idempotency::Id,
        owner: &str,
        answer: Option<&[u8]>,
        for_ms: u64,
    ) -> Result<bool> {
        self.within(ANSWER, self.behind.answer(id, owner, answer, for_ms)).await
    }

    async fn release(&self, id: &idempotency::Id, owner: &str) -> Result<()> {
        self.within(ANSWER, self.behind.release(id, owner)).await
    }
}

#[async_trait]
impl Captures for Bounded<dyn Captures> {
    async fn put(&self, captures: &[Capture]) -> Result<()> {
        let rows = u32::try_from(captures.len()).unwrap_or(u32::MAX);
        self.within(ANSWER + ROW * rows, self.behind.put(captures)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Capture>> {
        self.within(ANSWER, self.behind.get(id)).await
    }

    async fn prune(&self, keep: captures::Keep, now: i64, limit: u32) -> Result<u64> {
        self.within(ANSWER + ROW * limit, self.behind.prune(keep, now, limit)).await
    }
}

#[async_trait]
impl Responses for Bounded<dyn Responses> {
    async fn put(&self, response: &Response) -> Result<()> {
        self.within(ANSWER, self.behind.put(response)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Response>> {
        self.within(ANSWER, self.behind.get(id)).await
    }

    async fn remove(&self, id: Uuid) -> Result<bool> {
        self.within(ANSWER, self.behind.remove(id)).await
    }

    async fn prune(&self, keep: captures::Keep, now: i64, limit: u32) -> Result<u64> {
        self.within(ANSWER + ROW * limit, self.behind.prune(keep, now, limit)).await
    }
}
