//! Accounts in Redis: a hash each, with what the scripts look at beside the rest as JSON; ids by the token's digest;
//! ids in the order of their changes, and of their removal.

mod row;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use redis::Script;
use uuid::Uuid;

use self::row::{FIELDS, Fields, Rest};
use super::{BATCH, Redis, stamping, text};
use crate::{
    Error, Result,
    accounts::{Accounts, Changes, Inserted, StoredAccount},
    seal::Sealer,
};

const VERSION: &str = "{g2a}:accounts:version";
pub(super) const CHANGED: &str = "{g2a}:accounts:changed";
const TOKENS: &str = "{g2a}:accounts:tokens";
const REMOVED: &str = "{g2a}:accounts:removed";
/// Before the id: an account's own key.
pub(super) const ACCOUNT: &str = "{g2a}:account:";

static INSERT: LazyLock<Script> = LazyLock::new(|| stamping(include_str!("scripts/accounts_insert.lua")));
static UPDATE: LazyLock<Script> = LazyLock::new(|| stamping(include_str!("scripts/accounts_update.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| stamping(include_str!("scripts/accounts_remove.lua")));
static PURGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/accounts_purge.lua")));

struct RedisAccounts {
    redis: Redis,
    sealer: Sealer,
}

impl Redis {
    /// The accounts, their tokens sealed by `sealer`.
    ///
    /// # Errors
    /// [`Error::Seal`] when the store was sealed with another key.
    pub async fn accounts(&self, sealer: Sealer) -> Result<Arc<dyn Accounts>> {
        self.check(&sealer).await?;
        Ok(Arc::new(RedisAccounts { redis: self.clone(), sealer }))
    }
}

#[async_trait]
impl Accounts for RedisAccounts {
    async fn version(&self) -> Result<u64> {
        let (version,): (Option<u64>,) = self.redis.ask(redis::pipe().get(VERSION)).await?;
        Ok(version.unwrap_or_default())
    }

    async fn changed_since(&self, version: u64) -> Result<Changes> {
        // The counter first: a write after it is then seen again the next time, and never skipped.
        let (newest, ids): (Option<u64>, Vec<String>) = self
            .redis
            .ask(redis::pipe().atomic().get(VERSION).zrangebyscore(CHANGED, format!("({version}"), "+inf"))
            .await?;
        Ok(Changes { version: newest.unwrap_or_default(), accounts: self.read(&ids).await? })
    }

    async fn get(&self, id: Uuid) -> Result<Option<StoredAccount>> {
        Ok(self.read(&[id.to_string()]).await?.pop())
    }

    async fn insert(&self, accounts: &[StoredAccount]) -> Result<Vec<Inserted>> {
        let mut arguments = vec![text(ACCOUNT)];
        for account in accounts {
            arguments.extend([text(account.id), account.token.digest().to_vec()]);
            arguments.push(self.sealer.seal(account.id.as_bytes(), account.token.expose().as_bytes())?);
            arguments.extend([text(account.created_at), removal(account), Rest::of(account)?]);
        }
        let keys = [VERSION, CHANGED, TOKENS, REMOVED];
        let answers: Vec<(bool, String, u64, i64)> = self.redis.run(&INSERT, &keys, &arguments).await?;
        let known = answers.iter().filter(|(added, ..)| !added).map(|(_, id, ..)| id.clone());
        let known = self.known(known.collect()).await?;
        let answered = accounts.iter().zip(answers).map(|(account, (added, id, version, created_at))| {
            if added {
                let id = row::id(&id)?;
                return Ok(Inserted::Added(StoredAccount { id, version, created_at, ..account.clone() }));
            }
            let found = known.get(&id).cloned();
            found
                .map(Inserted::Known)
                .ok_or_else(|| row::impossible(id, "a token leads to it, and it is not there"))
        });
        answered.collect()
    }

    async fn update(&self, account: &StoredAccount) -> Result<u64> {
        let key = format!("{ACCOUNT}{}", account.id);
        let expected = account.version;
        let arguments = [text(account.id), text(expected), removal(account), Rest::of(account)?];
        let (done, version): (bool, u64) =
            self.redis.run(&UPDATE, &[VERSION, CHANGED, &key, REMOVED], &arguments).await?;
        if done { Ok(version) } else { Err(Error::Conflict { expected, found: version }) }
    }

    async fn remove(&self, id: Uuid, now_ms: i64) -> Result<bool> {
        let key = format!("{ACCOUNT}{id}");
        self.redis.run(&REMOVE, &[VERSION, CHANGED, &key, REMOVED], &[text(id), text(now_ms)]).await
    }

    async fn purge(&self, removed_before_ms: i64) -> Result<u64> {
        let arguments = [text(ACCOUNT), text(removed_before_ms), text(BATCH)];
        let mut all = 0;
        loop {
            let some: u64 = self.redis.run(&PURGE, &[CHANGED, TOKENS, REMOVED], &arguments).await?;
            all += some;
            if some == 0 {
                return Ok(all);
            }
        }
    }
}

impl RedisAccounts {
    /// The accounts of those ids, in order; without the ones that are gone.
    async fn read(&self, ids: &[String]) -> Result<Vec<StoredAccount>> {
        let mut accounts = Vec::with_capacity(ids.len());
        for ids in ids.chunks(BATCH) {
            let mut read = redis::pipe();
            for id in ids {
                read.cmd("HMGET").arg(format!("{ACCOUNT}{id}")).arg(&FIELDS);
            }
            let rows: Vec<Fields> = self.redis.ask(&read).await?;
            for (id, row) in ids.iter().zip(rows) {
                accounts.extend(row::account(&self.sealer, id, row)?);
            }
        }
        Ok(accounts)
    }

    /// The accounts that tokens led to, by their ids as they are written.
    async fn known(&self, ids: Vec<String>) -> Result<HashMap<String, StoredAccount>> {
        let accounts = self.read(&ids).await?;
        Ok(accounts.into_iter().map(|account| (account.id.to_string(), account)).collect())
    }
}

/// When it was removed, empty for not at all.
fn removal(account: &StoredAccount) -> Vec<u8> {
    account.deleted_at.map(text).unwrap_or_default()
}
