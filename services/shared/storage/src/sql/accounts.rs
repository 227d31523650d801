//! Accounts in SQL. Every write runs in a transaction that counts first: the counter's row keeps other writers out
//! until the end, so rows become visible in the order of their stamps, which are their versions too.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Row as _, Transaction};
use uuid::Uuid;

use super::{Connection, Db, Pool, Row, Store, columns, stamp::stamped};
use crate::{
    Error, Result,
    accounts::{Accounts, Changes, Inserted, Status, StoredAccount, Tier, Token, Unreadable},
    seal::{Sealer, hex},
};

const TABLE: &str = "accounts";

struct SqlAccounts {
    pool: Pool,
    sealer: Sealer,
}

impl Store {
    /// The accounts, their tokens sealed by `sealer`.
    ///
    /// # Errors
    /// [`Error::Seal`] when the database was sealed with another key.
    pub async fn accounts(&self, sealer: Sealer) -> Result<Arc<dyn Accounts>> {
        if read_check(&self.pool).await?.is_none() {
            let mine = sqlx::query("INSERT INTO seal_check (single, sealed) VALUES (1, ?)")
                .bind(sealer.check_text()?)
                .execute(&self.pool)
                .await;
            // Another process that starts now may have been first.
            mine.map(drop).or_else(|error| if is_taken(&error) { Ok(()) } else { Err(error) })?;
        }
        sealer.check(&read_check(&self.pool).await?.unwrap_or_default())?;
        Ok(Arc::new(SqlAccounts { pool: self.pool.clone(), sealer }))
    }
}

pub(super) async fn read_check(pool: &Pool) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> =
        sqlx::query_as("SELECT sealed FROM seal_check").fetch_optional(pool).await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// Whether a row of that key is there already.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

#[async_trait]
impl Accounts for SqlAccounts {
    async fn version(&self) -> Result<u64> {
        let (value,): (i64,) =
            sqlx::query_as("SELECT value FROM accounts_version").fetch_one(&self.pool).await?;
        Ok(value.cast_unsigned())
    }

    async fn changed_since(&self, version: u64) -> Result<Changes> {
        // The counter first: a write between the two is then seen twice, and never skipped.
        let newest = self.version().await?;
        let rows = sqlx::query("SELECT * FROM accounts WHERE changed > ?")
            .bind(version.cast_signed())
            .fetch_all(&self.pool)
            .await?;
        let mut changes = Changes { version: newest, accounts: Vec::new(), unreadable: Vec::new() };
        for row in &rows {
            match self.open(row) {
                Ok(account) => changes.accounts.push(account),
                // Not the row's fault; it is read again when the key is at hand.
                Err(error @ Error::Seal(_)) => return Err(error),
                Err(error) => changes.unreadable.push(unreadable(row, error)),
            }
        }
        Ok(changes)
    }

    async fn get(&self, id: Uuid) -> Result<Option<StoredAccount>> {
        let row = sqlx::query("SELECT * FROM accounts WHERE id = ?")
            .bind(&id.as_bytes()[..])
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| self.open(&row)).transpose()
    }

    async fn insert(&self, accounts: &[StoredAccount]) -> Result<Vec<Inserted>> {
        let (mut write, changed) = self.write().await?;
        let mut inserted = Vec::with_capacity(accounts.len());
        for account in accounts {
            inserted.push(self.insert_one(&mut write, account, changed).await?);
        }
        write.commit().await?;
        Ok(inserted)
    }

    async fn update(&self, account: &StoredAccount) -> Result<u64> {
        let (mut write, changed) = self.write().await?;
        let version = overwrite(&mut write, account, account.version, changed).await?;
        write.commit().await?;
        Ok(version)
    }

    async fn remove(&self, id: Uuid, now_ms: i64) -> Result<bool> {
        let (mut write, changed) = self.write().await?;
        let done = sqlx::query(
            "UPDATE accounts SET deleted_at = ?, version = ?, changed = ? WHERE id = ? AND deleted_at IS NULL",
        )
        .bind(now_ms)
        .bind(changed)
        .bind(changed)
        .bind(&id.as_bytes()[..])
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn purge(&self, removed_before_ms: i64) -> Result<u64> {
        let done = sqlx::query("DELETE FROM accounts WHERE deleted_at < ?")
            .bind(removed_before_ms)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected())
    }
}

impl SqlAccounts {
    /// A transaction that holds the write lock, and what it stamps its rows with.
    async fn write(&self) -> Result<(Transaction<'static, Db>, i64)> {
        stamped(&self.pool, "accounts_version").await
    }

    async fn insert_one(
        &self,
        write: &mut Connection,
        account: &StoredAccount,
        changed: i64,
    ) -> Result<Inserted> {
        let known = sqlx::query("SELECT * FROM accounts WHERE token_hash = ?")
            .bind(&account.token.digest()[..])
            .fetch_optional(&mut *write)
            .await?;
        let Some(row) = known else {
            let version = self.insert_row(write, account, changed).await?;
            return Ok(Inserted::Added(StoredAccount { version, ..account.clone() }));
        };
        let known = match self.open(&row) {
            Ok(known) if known.deleted_at.is_none() => return Ok(Inserted::Known(known)),
            Err(error @ Error::Seal(_)) => return Err(error),
            known => known.ok(),
        };
        // What was removed may be damaged as well, and comes back all the same.
        let id = columns::id(&row, "id", impossible)?;
        let (created_at, version) = match &known {
            Some(known) => (known.created_at, known.version),
            None => (account.created_at, row.try_get::<i64, _>("version")?.cast_unsigned()),
        };
        let mut back = StoredAccount { id, deleted_at: None, created_at, ..account.clone() };
        back.version = overwrite(write, &back, version, changed).await?;
        sqlx::query("UPDATE accounts SET sealed_token = ?, created_at = ? WHERE id = ?")
            .bind(self.sealer.seal(id.as_bytes(), back.token.expose().as_bytes())?)
            .bind(created_at)
            .bind(&id.as_bytes()[..])
            .execute(write)
            .await?;
        Ok(Inserted::Added(back))
    }

    async fn insert_row(&self, write: &mut Connection, account: &StoredAccount, changed: i64) -> Result<u64> {
        let (status, status_at, cause) = account.status.columns();
        sqlx::query(
            "INSERT INTO accounts (id, token_hash, sealed_token, tier, status, status_at, status_cause, enabled,
             note, tags, priority, user_id, windows, failures, created_at, last_used_at, deleted_at, version, changed)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&account.id.as_bytes()[..])
        .bind(&account.token.digest()[..])
        .bind(self.sealer.seal(account.id.as_bytes(), account.token.expose().as_bytes())?)
        .bind(account.tier.name())
        .bind(status)
        .bind(status_at)
        .bind(cause)
        .bind(account.enabled)
        .bind(&account.note)
        .bind(json_column(account, &account.tags)?)
        .bind(account.priority)
        .bind(&account.user_id)
        .bind(json_column(account, &account.windows)?)
        .bind(json_column(account, &account.failures)?)
        .bind(account.created_at)
        .bind(account.last_used_at)
        .bind(account.deleted_at)
        .bind(changed)
        .bind(changed)
        .execute(write)
        .await?;
        Ok(changed.cast_unsigned())
    }

    /// The account in a row; whatever this program cannot have written is an [`Error::ImpossibleRow`].
    fn open(&self, row: &Row) -> Result<StoredAccount> {
        let id = columns::id(row, "id", impossible)?;
        let wrong = |reason: String| impossible(id.to_string(), reason);
        let sealed: Vec<u8> = row.try_get("sealed_token")?;
        let token = self.sealer.open(id.as_bytes(), &sealed).map_err(|error| {
            let lacks_key = self.sealer.lacks_key(&sealed);
            if lacks_key { Error::Seal(format!("account {id}: {error}")) } else { wrong(error.to_string()) }
        })?;
        let token = String::from_utf8(token).map_err(|_| wrong("the token is no text".into()))?;
        let tier: String = row.try_get("tier")?;
        let version: i64 = row.try_get("version")?;
        let status: String = row.try_get("status")?;
        Ok(StoredAccount {
            id,
            token: Token::new(token),
            tier: Tier::of(&tier).ok_or_else(|| wrong(format!("unknown tier {tier:?}")))?,
            status: Status::of(&status, row.try_get("status_at")?, row.try_get("status_cause")?)
                .map_err(wrong)?,
            note: row.try_get("note")?,
            enabled: row.try_get("enabled")?,
            user_id: row.try_get("user_id")?,
            tags: json_of(row, "tags", wrong)?,
            priority: row.try_get("priority")?,
            windows: json_of(row, "windows", wrong)?,
            failures: json_of(row, "failures", wrong)?,
            created_at: row.try_get("created_at")?,
            last_used_at: row.try_get("last_used_at")?,
            deleted_at: row.try_get("deleted_at")?,
            version: u64::try_from(version).map_err(|_| wrong(format!("version {version}")))?,
        })
    }
}

/// Writes the changeable columns if the row still has the expected version.
async fn overwrite(
    write: &mut Connection,
    account: &StoredAccount,
    expected: u64,
    changed: i64,
) -> Result<u64> {
    let (status, status_at, cause) = account.status.columns();
    let done = sqlx::query(
        "UPDATE accounts SET tier = ?, status = ?, status_at = ?, status_cause = ?, enabled = ?, note = ?, tags = ?,
         priority = ?, user_id = ?, windows = ?, failures = ?, last_used_at = ?, deleted_at = ?,
         version = ?, changed = ?
         WHERE id = ? AND version = ?",
    )
    .bind(account.tier.name())
    .bind(status)
    .bind(status_at)
    .bind(cause)
    .bind(account.enabled)
    .bind(&account.note)
    .bind(json_column(account, &account.tags)?)
    .bind(account.priority)
    .bind(&account.user_id)
    .bind(json_column(account, &account.windows)?)
    .bind(json_column(account, &account.failures)?)
    .bind(account.last_used_at)
    .bind(account.deleted_at)
    .bind(changed)
    .bind(changed)
    .bind(&account.id.as_bytes()[..])
    .bind(expected.cast_signed())
    .execute(&mut *write)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(changed.cast_unsigned());
    }
    let found: Option<(i64,)> = sqlx::query_as("SELECT version FROM accounts WHERE id = ?")
        .bind(&account.id.as_bytes()[..])
        .fetch_optional(write)
        .await?;
    Err(Error::Conflict { expected, found: found.map_or(0, |(version,)| version.cast_unsigned()) })
}

fn json_column(account: &StoredAccount, value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| impossible(account.id.to_string(), error))
}

fn json_of<T: serde::de::DeserializeOwned>(
    row: &Row,
    column: &str,
    wrong: impl Fn(String) -> Error,
) -> Result<T> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| wrong(format!("{column}: {error}")))
}

/// What can be told of a row that does not open.
fn unreadable(row: &Row, error: Error) -> Unreadable {
    let id: Vec<u8> = row.try_get("id").unwrap_or_default();
    let removed: Option<i64> = row.try_get("deleted_at").unwrap_or_default();
    Unreadable {
        id: Uuid::from_slice(&id).map_or_else(|_| hex(&id), |id| id.to_string()),
        reason: error.to_string(),
        removed: removed.is_some(),
    }
}

fn impossible(id: String, reason: impl ToString) -> Error {
    Error::ImpossibleRow { table: TABLE, id, reason: reason.to_string() }
}
