//! [`Sessions`] in SQL.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Pool, Row, Store, accounts::is_taken, columns};
use crate::{
    Error, Result,
    sessions::{Digest, Session, Sessions, impossible},
};

const GET: &str = "SELECT * FROM sessions WHERE digest = ?";
const OF: &str = "SELECT * FROM sessions WHERE admin = ? ORDER BY created_at DESC, digest";
const INSERT: &str = "INSERT INTO sessions
    (digest, admin, created_at, expires_at, last_seen_at, address, user_agent) VALUES (?, ?, ?, ?, ?, ?, ?)";
const SEEN: &str = "UPDATE sessions SET last_seen_at = ?, expires_at = ? WHERE digest = ?";
const REVOKE: &str = "DELETE FROM sessions WHERE digest = ?";
const REVOKE_ALL: &str = "DELETE FROM sessions WHERE admin = ?";
const PURGE: &str = "DELETE FROM sessions WHERE expires_at < ?";

struct SqlSessions {
    pool: Pool,
}

impl Store {
    /// Sessions of the console.
    pub fn sessions(&self) -> Arc<dyn Sessions> {
        Arc::new(SqlSessions { pool: self.pool.clone() })
    }
}

#[async_trait]
impl Sessions for SqlSessions {
    async fn get(&self, digest: &Digest) -> Result<Option<Session>> {
        let row = sqlx::query(GET).bind(&digest[..]).fetch_optional(&self.pool).await?;
        row.as_ref().map(open).transpose()
    }

    async fn of(&self, admin: Uuid) -> Result<Vec<Session>> {
        let rows = sqlx::query(OF).bind(&admin.as_bytes()[..]).fetch_all(&self.pool).await?;
        rows.iter().map(open).collect()
    }

    async fn insert(&self, session: &Session) -> Result<()> {
        let done = sqlx::query(INSERT)
            .bind(&session.digest[..])
            .bind(&session.admin.as_bytes()[..])
            .bind(session.created_at)
            .bind(session.expires_at)
            .bind(session.last_seen_at)
            .bind(&session.address)
            .bind(&session.user_agent)
            .execute(&self.pool)
            .await;
        match done {
            Err(error) if is_taken(&error) => Err(Error::Taken { what: "the session".to_owned() }),
            done => Ok(done.map(drop)?),
        }
    }

    async fn seen(&self, digest: &Digest, now_ms: i64, expires_at: i64) -> Result<bool> {
        let done =
            sqlx::query(SEEN).bind(now_ms).bind(expires_at).bind(&digest[..]).execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn revoke(&self, digest: &Digest) -> Result<bool> {
        Ok(sqlx::query(REVOKE).bind(&digest[..]).execute(&self.pool).await?.rows_affected() == 1)
    }

    async fn revoke_all(&self, admin: Uuid) -> Result<u64> {
        let done = sqlx::query(REVOKE_ALL).bind(&admin.as_bytes()[..]).execute(&self.pool).await?;
        Ok(done.rows_affected())
    }

    async fn purge(&self, expired_before_ms: i64) -> Result<u64> {
        Ok(sqlx::query(PURGE).bind(expired_before_ms).execute(&self.pool).await?.rows_affected())
    }
}

fn open(row: &Row) -> Result<Session> {
    let digest = columns::digest(row, |reason| impossible("", reason))?;
    let name = crate::seal::hex(&digest);
    Ok(Session {
        digest,
        admin: columns::id(row, "admin", |_, reason| impossible(&name, reason))?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        last_seen_at: row.try_get("last_seen_at")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
    })
}
