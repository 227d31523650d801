//! Limits of time around a store behind a network: a call that gets no answer fails soon, whatever the network does.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    Error, Result,
    accounts::{Accounts, Changes, Inserted, StoredAccount},
    actions::{Action, Actions},
    admins::{Admin, Admins},
    client_keys::{self, ClientKey, ClientKeys},
    ledger::{Filter, Keep, Ledger, Query, Row, Series},
    media::{Item, Kind, MediaIndex, Usage, Use},
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

/// What is behind, with the limits.
struct Bounded<T: ?Sized>(Arc<T>);

pub(crate) fn accounts(behind: Arc<dyn Accounts>) -> Arc<dyn Accounts> {
    Arc::new(Bounded(behind))
}

pub(crate) fn settings(behind: Arc<dyn Settings>) -> Arc<dyn Settings> {
    Arc::new(Bounded(behind))
}

pub(crate) fn media(behind: Arc<dyn MediaIndex>) -> Arc<dyn MediaIndex> {
    Arc::new(Bounded(behind))
}

pub(crate) fn ledger(behind: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
    Arc::new(Bounded(behind))
}

pub(crate) fn client_keys(behind: Arc<dyn ClientKeys>) -> Arc<dyn ClientKeys> {
    Arc::new(Bounded(behind))
}

pub(crate) fn admins(behind: Arc<dyn Admins>) -> Arc<dyn Admins> {
    Arc::new(Bounded(behind))
}

pub(crate) fn sessions(behind: Arc<dyn Sessions>) -> Arc<dyn Sessions> {
    Arc::new(Bounded(behind))
}

pub(crate) fn actions(behind: Arc<dyn Actions>) -> Arc<dyn Actions> {
    Arc::new(Bounded(behind))
}

pub(crate) fn videos(behind: Arc<dyn VideoJobs>) -> Arc<dyn VideoJobs> {
    Arc::new(Bounded(behind))
}

pub(crate) async fn within<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(limit, call).await.unwrap_or(Err(Error::Timeout(limit)))
}

#[async_trait]
impl Accounts for Bounded<dyn Accounts> {
    async fn version(&self) -> Result<u64> {
        within(ANSWER, self.0.version()).await
    }

    async fn changed_since(&self, version: u64) -> Result<Changes> {
        within(WHOLE, self.0.changed_since(version)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<StoredAccount>> {
        within(ANSWER, self.0.get(id)).await
    }

    async fn insert(&self, accounts: &[StoredAccount]) -> Result<Vec<Inserted>> {
        let rows = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
        within(ANSWER + ROW * rows, self.0.insert(accounts)).await
    }

    async fn update(&self, account: &StoredAccount) -> Result<u64> {
        within(ANSWER, self.0.update(account)).await
    }

    async fn remove(&self, id: Uuid, now_ms: i64) -> Result<bool> {
        within(ANSWER, self.0.remove(id, now_ms)).await
    }

    async fn purge(&self, removed_before_ms: i64) -> Result<u64> {
        within(WHOLE, self.0.purge(removed_before_ms)).await
    }
}

#[async_trait]
impl Settings for Bounded<dyn Settings> {
    async fn latest(&self) -> Result<Revision> {
        within(ANSWER, self.0.latest()).await
    }

    async fn newest(&self) -> Result<u64> {
        within(ANSWER, self.0.newest()).await
    }

    async fn append(&self, expected: u64, overrides: Overrides, author: &str, now: i64) -> Result<Revision> {
        within(ANSWER, self.0.append(expected, overrides, author, now)).await
    }

    async fn list(&self, before: Option<u64>, limit: u32) -> Result<Vec<Revision>> {
        within(ANSWER, self.0.list(before, limit)).await
    }
}

#[async_trait]
impl MediaIndex for Bounded<dyn MediaIndex> {
    async fn put(&self, item: &Item) -> Result<()> {
        within(ANSWER, self.0.put(item)).await
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Item>> {
        within(ANSWER, self.0.get(kind, name)).await
    }

    async fn find(&self, kind: Kind, source: &str) -> Result<Option<Item>> {
        within(ANSWER, self.0.find(kind, source)).await
    }

    async fn touch(&self, uses: &[Use]) -> Result<()> {
        let rows = u32::try_from(uses.len()).unwrap_or(u32::MAX);
        within(ANSWER + ROW * rows, self.0.touch(uses)).await
    }

    async fn usage(&self, kind: Kind) -> Result<Usage> {
        within(ANSWER, self.0.usage(kind)).await
    }

    async fn least_recently_used(&self, kind: Kind, limit: u32) -> Result<Vec<Item>> {
        within(ANSWER, self.0.least_recently_used(kind, limit)).await
    }

    async fn page(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Item>> {
        within(ANSWER, self.0.page(kind, after, limit)).await
    }

    async fn remove(&self, kind: Kind, name: &str) -> Result<bool> {
        within(ANSWER, self.0.remove(kind, name)).await
    }

    async fn clear(&self, kind: Kind) -> Result<u64> {
        within(WHOLE, self.0.clear(kind)).await
    }
}

#[async_trait]
impl Ledger for Bounded<dyn Ledger> {
    async fn record(&self, rows: &[Row], lost: u64, now: i64) -> Result<u32> {
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        within(ANSWER + ROW * count, self.0.record(rows, lost, now)).await
    }

    async fn page(&self, filter: &Filter, before: Option<Uuid>, limit: u32) -> Result<Vec<Row>> {
        within(ANSWER, self.0.page(filter, before, limit)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Row>> {
        within(ANSWER, self.0.get(id)).await
    }

    async fn series(&self, query: &Query) -> Result<Vec<Series>> {
        within(ANSWER, self.0.series(query)).await
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        within(ANSWER + ROW * limit, self.0.prune(keep, now, limit)).await
    }
}

#[async_trait]
impl ClientKeys for Bounded<dyn ClientKeys> {
    async fn version(&self) -> Result<u64> {
        within(ANSWER, self.0.version()).await
    }

    async fn changed_since(&self, version: u64) -> Result<client_keys::Changes> {
        within(WHOLE, self.0.changed_since(version)).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<ClientKey>> {
        within(ANSWER, self.0.get(id)).await
    }

    async fn find(&self, digest: &client_keys::Digest) -> Result<Option<ClientKey>> {
        within(ANSWER, self.0.find(digest)).await
    }

    async fn insert(&self, key: &ClientKey, log: &Action) -> Result<()> {
        within(ANSWER, self.0.insert(key, log)).await
    }

    async fn update(&self, key: &ClientKey, log: &Action) -> Result<u64> {
        within(ANSWER, self.0.update(key, log)).await
    }

    async fn used(&self, uses: &[(Uuid, i64)]) -> Result<()> {
        let rows = u32::try_from(uses.len()).unwrap_or(u32::MAX);
        within(ANSWER + ROW * rows, self.0.used(uses)).await
    }
}

#[async_trait]
impl Admins for Bounded<dyn Admins> {
    async fn list(&self) -> Result<Vec<Admin>> {
        within(ANSWER, self.0.list()).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Admin>> {
        within(ANSWER, self.0.get(id)).await
    }

    async fn find(&self, name: &str) -> Result<Option<Admin>> {
        within(ANSWER, self.0.find(name)).await
    }

    async fn insert(&self, admin: &Admin) -> Result<()> {
        within(ANSWER, self.0.insert(admin)).await
    }

    async fn update(&self, admin: &Admin) -> Result<u64> {
        within(ANSWER, self.0.update(admin)).await
    }
}

#[async_trait]
impl Sessions for Bounded<dyn Sessions> {
    async fn get(&self, digest: &Digest) -> Result<Option<Session>> {
        within(ANSWER, self.0.get(digest)).await
    }

    async fn of(&self, admin: Uuid) -> Result<Vec<Session>> {
        within(ANSWER, self.0.of(admin)).await
    }

    async fn insert(&self, session: &Session) -> Result<()> {
        within(ANSWER, self.0.insert(session)).await
    }

    async fn seen(&self, digest: &Digest, now_ms: i64, expires_at: i64) -> Result<bool> {
        within(ANSWER, self.0.seen(digest, now_ms, expires_at)).await
    }

    async fn revoke(&self, digest: &Digest) -> Result<bool> {
        within(ANSWER, self.0.revoke(digest)).await
    }

    async fn revoke_all(&self, admin: Uuid) -> Result<u64> {
        within(WHOLE, self.0.revoke_all(admin)).await
    }

    async fn purge(&self, expired_before_ms: i64) -> Result<u64> {
        within(WHOLE, self.0.purge(expired_before_ms)).await
    }
}

#[async_trait]
impl Actions for Bounded<dyn Actions> {
    async fn append(&self, action: &Action) -> Result<()> {
        within(ANSWER, self.0.append(action)).await
    }

    async fn page(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Action>> {
        within(ANSWER, self.0.page(before, limit)).await
    }
}

#[async_trait]
impl VideoJobs for Bounded<dyn VideoJobs> {
    async fn insert(&self, job: &Job) -> Result<bool> {
        within(ANSWER, self.0.insert(job)).await
    }

    async fn get(&self, id: &str) -> Result<Option<Job>> {
        within(ANSWER, self.0.get(id)).await
    }

    async fn update(&self, job: &Job) -> Result<bool> {
        within(ANSWER, self.0.update(job)).await
    }

    async fn page(&self, client: &str, before: Option<&str>, limit: u32) -> Result<Vec<Job>> {
        within(ANSWER, self.0.page(client, before, limit)).await
    }

    async fn silent(&self, since: i64, limit: u32) -> Result<Vec<Job>> {
        within(ANSWER, self.0.silent(since, limit)).await
    }

    async fn remove(&self, id: &str) -> Result<bool> {
        within(ANSWER, self.0.remove(id)).await
    }

    async fn purge(&self, made_before: i64, limit: u32) -> Result<u64> {
        within(ANSWER + ROW * limit, self.0.purge(made_before, limit)).await
    }
}
