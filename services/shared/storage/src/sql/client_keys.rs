//! Client keys in SQL. Every write but a use runs in a transaction that counts first, as with accounts.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Row as _, Transaction};
use uuid::Uuid;

use super::{BEGIN, Db, Pool, Row, Store, accounts::is_taken, columns, deadlock::unlocked, stamp::stamped};
use crate::{
    Error, Result,
    client_keys::{Changes, ClientKey, ClientKeys, Digest, impossible},
};

const CHANGED: &str = "SELECT * FROM client_keys WHERE changed > ?";
const GET: &str = "SELECT * FROM client_keys WHERE id = ?";
const FIND: &str = "SELECT * FROM client_keys WHERE digest = ?";
const INSERT: &str = "INSERT INTO client_keys
    (id, digest, masked, created_at, last_used_at, revoked_at, spec, version, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)";
const UPDATE: &str = "UPDATE client_keys
    SET masked = ?, revoked_at = ?, spec = ?, version = ?, changed = ? WHERE id = ? AND version = ?";
const USED: &str = "UPDATE client_keys SET last_used_at = ?
    WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)";

struct SqlClientKeys {
    pool: Pool,
}

impl Store {
    /// The keys of the API's clients.
    pub fn client_keys(&self) -> Arc<dyn ClientKeys> {
        Arc::new(SqlClientKeys { pool: self.pool.clone() })
    }
}

#[async_trait]
impl ClientKeys for SqlClientKeys {
    async fn version(&self) -> Result<u64> {
        let (value,): (i64,) =
            sqlx::query_as("SELECT value FROM client_keys_version").fetch_one(&self.pool).await?;
        Ok(value.cast_unsigned())
    }

    async fn changed_since(&self, version: u64) -> Result<Changes> {
        // The counter first: a write between the two is then seen twice, and never skipped.
        let newest = self.version().await?;
        let rows = sqlx::query(CHANGED).bind(version.cast_signed()).fetch_all(&self.pool).await?;
        Ok(Changes { version: newest, keys: rows.iter().map(open).collect::<Result<_>>()? })
    }

    async fn get(&self, id: Uuid) -> Result<Option<ClientKey>> {
        let row = sqlx::query(GET).bind(&id.as_bytes()[..]).fetch_optional(&self.pool).await?;
        row.as_ref().map(open).transpose()
    }

    async fn find(&self, digest: &Digest) -> Result<Option<ClientKey>> {
        let row = sqlx::query(FIND).bind(&digest[..]).fetch_optional(&self.pool).await?;
        row.as_ref().map(open).transpose()
    }

    async fn insert(&self, key: &ClientKey) -> Result<()> {
        let (mut write, changed) = self.write().await?;
        let done = sqlx::query(INSERT)
            .bind(&key.id.as_bytes()[..])
            .bind(&key.digest[..])
            .bind(&key.masked)
            .bind(key.created_at)
            .bind(key.last_used_at)
            .bind(key.revoked_at)
            .bind(spec(key)?)
            .bind(changed)
            .execute(&mut *write)
            .await;
        match done {
            Err(error) if is_taken(&error) => return Err(Error::Taken { what: "the key".to_owned() }),
            done => done?,
        };
        Ok(write.commit().await?)
    }

    async fn update(&self, key: &ClientKey) -> Result<u64> {
        let (mut write, changed) = self.write().await?;
        let done = sqlx::query(UPDATE)
            .bind(&key.masked)
            .bind(key.revoked_at)
            .bind(spec(key)?)
            .bind(changed)
            .bind(changed)
            .bind(&key.id.as_bytes()[..])
            .bind(key.version.cast_signed())
            .execute(&mut *write)
            .await?;
        if done.rows_affected() == 0 {
            write.rollback().await?;
            let found = self.get(key.id).await?.map_or(0, |key| key.version);
            return Err(Error::Conflict { expected: key.version, found });
        }
        write.commit().await?;
        Ok(changed.cast_unsigned())
    }

    async fn used(&self, uses: &[(Uuid, i64)]) -> Result<()> {
        // In one order for all processes, so that they do not wait for each other in a circle.
        let mut uses = uses.to_vec();
        uses.sort_unstable();
        unlocked(|| self.try_used(&uses)).await
    }
}

impl SqlClientKeys {
    /// A transaction that holds the write lock, and what it stamps its row with.
    async fn write(&self) -> Result<(Transaction<'static, Db>, i64)> {
        stamped(&self.pool, "client_keys_version").await
    }

    async fn try_used(&self, uses: &[(Uuid, i64)]) -> Result<(), sqlx::Error> {
        let mut write = self.pool.begin_with(BEGIN).await?;
        for (id, at) in uses {
            sqlx::query(USED).bind(at).bind(&id.as_bytes()[..]).bind(at).execute(&mut *write).await?;
        }
        write.commit().await
    }
}

fn spec(key: &ClientKey) -> Result<String> {
    columns::to_json(&key.spec, |reason| impossible(key.id, reason))
}

/// The key in a row; whatever this program cannot have written is an [`Error::ImpossibleRow`].
fn open(row: &Row) -> Result<ClientKey> {
    let id = columns::id(row, "id", impossible)?;
    let wrong = |reason: String| impossible(id, reason);
    Ok(ClientKey {
        id,
        digest: columns::digest(row, wrong)?,
        masked: row.try_get("masked")?,
        created_at: row.try_get("created_at")?,
        last_used_at: row.try_get("last_used_at")?,
        revoked_at: row.try_get("revoked_at")?,
        spec: columns::json(row, "spec", wrong)?,
        version: columns::unsigned(row, "version", wrong)?,
    })
}
