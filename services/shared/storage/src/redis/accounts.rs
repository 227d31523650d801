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
    accounts::{Accounts, Changes, Inserted, StoredAccount, Unreadable},
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
        let mut changes =
            Changes { version: newest.unwrap_or_default(), accounts: Vec::new(), unreadable: Vec::new() };
        for (id, removed, account) in self.rows(&ids).await? {
            match account {
                Ok(account) => changes.accounts.push(account),
                // Not the row's fault; it is read again when the key is at hand.
                Err(error @ Error::Seal(_)) => return Err(error),
                Err(error) => changes.unreadable.push(Unreadable { id, reason: error.to_string(), removed }),
            }
        }
        Ok(changes)
    }

    async fn get(&self, id: Uuid) -> Result<Option<StoredAccount>> {
        self.rows(&[id.to_string()]).await?.pop().map(|(.., account)| account).transpose()
    }

    async fn insert(&self, accounts: &[StoredAccount]) -> Result<Vec<Inserted>> {
        let known = self.make_way(accounts).await?;
        let mut arguments = vec![text(ACCOUNT)];
        for account in accounts {
            let digest = account.token.digest();
            // A row that comes back keeps its id.
            let place = known.get(&digest).copied().unwrap_or(account.id);
            arguments.extend([text(account.id), digest.to_vec()]);
            arguments.push(self.sealer.seal(place.as_bytes(), account.token.expose().as_bytes())?);
            arguments.extend([text(place), text(account.created_at), removal(account), Rest::of(account)?]);
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
    /// Those of the ids, in order, without the ones that are gone; with whether they were removed, as far as that can
    /// be told, and what is in them.
    async fn rows(&self, ids: &[String]) -> Result<Vec<(String, bool, Result<StoredAccount>)>> {
        let mut rows = Vec::with_capacity(ids.len());
        for ids in ids.chunks(BATCH) {
            let mut read = redis::pipe();
            for id in ids {
                read.cmd("HMGET").arg(format!("{ACCOUNT}{id}")).arg(&FIELDS);
            }
            let found: Vec<Fields> = self.redis.ask(&read).await?;
            for (id, fields) in ids.iter().zip(found) {
                let removed = fields[row::REMOVED].as_ref().is_some_and(|removed| !removed.is_empty());
                let account = row::account(&self.sealer, id, fields).transpose();
                rows.extend(account.map(|account| (id.clone(), removed, account)));
            }
        }
        Ok(rows)
    }

    /// Removes what is damaged under the tokens of these accounts, so that they come back. Returns the ids of the tokens
    /// that are known.
    async fn make_way(&self, accounts: &[StoredAccount]) -> Result<HashMap<[u8; 32], Uuid>> {
        let mut known = HashMap::new();
        for accounts in accounts.chunks(BATCH) {
            let mut read = redis::pipe();
            for account in accounts {
                read.hget(TOKENS, account.token.digest().to_vec());
            }
            let found: Vec<Option<String>> = self.redis.ask(&read).await?;
            let mut ids = Vec::new();
            for (account, id) in accounts.iter().zip(found) {
                let Some(id) = id else { continue };
                known.insert(account.token.digest(), row::id(&id)?);
                ids.push(id);
            }
            for (id, removed, account) in self.rows(&ids).await? {
                match account {
                    Err(Error::ImpossibleRow { .. }) if !removed => {
                        self.remove(row::id(&id)?, accounts[0].created_at).await?;
                    }
                    Err(error @ Error::Seal(_)) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(known)
    }

    /// The accounts that tokens led to, by their ids as they are written.
    async fn known(&self, ids: Vec<String>) -> Result<HashMap<String, StoredAccount>> {
        let rows = self.rows(&ids).await?;
        rows.into_iter().map(|(id, _, account)| Ok((id, account?))).collect()
    }
}

/// When it was removed, empty for not at all.
fn removal(account: &StoredAccount) -> Vec<u8> {
    account.deleted_at.map(text).unwrap_or_default()
}
