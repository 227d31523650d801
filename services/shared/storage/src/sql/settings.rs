//! [`Settings`] in SQL, the overrides sealed as a whole.

use std::sync::Arc;

use sqlx::Row as _;

use super::{Pool, Row, Store, accounts::is_taken};
use crate::{
    Error, Result,
    seal::Sealer,
    settings::{Overrides, Revision, Settings, impossible, open, place},
};

const LATEST: &str =
    "SELECT number, overrides, author, created_at FROM settings_revisions ORDER BY number DESC LIMIT 1";
const PAGE: &str = "SELECT number, overrides, author, created_at FROM settings_revisions
    WHERE number < ? ORDER BY number DESC LIMIT ?";
const NEWEST: &str = "SELECT COALESCE(MAX(number), 0) FROM settings_revisions";
const INSERT: &str =
    "INSERT INTO settings_revisions (number, overrides, author, created_at) VALUES (?, ?, ?, ?)";

struct SqlSettings {
    pool: Pool,
    sealer: Sealer,
}

impl Store {
    /// The runtime configuration's revisions, sealed by `sealer`.
    pub fn settings(&self, sealer: Sealer) -> Arc<dyn Settings> {
        Arc::new(SqlSettings { pool: self.pool.clone(), sealer })
    }
}

#[async_trait::async_trait]
impl Settings for SqlSettings {
    async fn latest(&self) -> Result<Revision> {
        let row = sqlx::query(LATEST).fetch_optional(&self.pool).await?;
        row.map_or_else(|| Ok(Revision::default()), |row| self.revision(&row))
    }

    async fn newest(&self) -> Result<u64> {
        let (number,): (i64,) = sqlx::query_as(NEWEST).fetch_one(&self.pool).await?;
        Ok(number.cast_unsigned())
    }

    async fn append(&self, expected: u64, overrides: Overrides, author: &str, now: i64) -> Result<Revision> {
        let found = self.newest().await?;
        if found != expected {
            return Err(Error::Conflict { expected, found });
        }
        let number = expected.cast_signed() + 1;
        let text = serde_json::Value::Object(overrides.clone()).to_string();
        let done = sqlx::query(INSERT)
            .bind(number)
            .bind(self.sealer.seal(&place(expected + 1), text.as_bytes())?)
            .bind(author)
            .bind(now)
            .execute(&self.pool)
            .await;
        match done {
            // Numbers are never given back, so of two writers that saw the same newest one the key refuses one.
            Err(error) if is_taken(&error) => {
                return Err(Error::Conflict { expected, found: self.newest().await? });
            }
            done => done?,
        };
        Ok(Revision { number: expected + 1, overrides, author: author.to_owned(), created_at: now })
    }

    async fn list(&self, before: Option<u64>, limit: u32) -> Result<Vec<Revision>> {
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let rows = sqlx::query(PAGE).bind(before).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(|row| self.revision(row)).collect()
    }
}

impl SqlSettings {
    fn revision(&self, row: &Row) -> Result<Revision> {
        let number: i64 = row.try_get("number")?;
        let number = u64::try_from(number).map_err(|_| impossible(number, "its number is negative"))?;
        let sealed: Vec<u8> = row.try_get("overrides")?;
        Ok(Revision {
            number,
            overrides: open(&self.sealer, number, &sealed)?,
            author: row.try_get("author")?,
            created_at: row.try_get("created_at")?,
        })
    }
}
