//! [`Settings`] on SQLite, the overrides sealed as a whole.

use std::sync::Arc;

use sqlx::{Row as _, SqlitePool, sqlite::SqliteRow};

use super::Sqlite;
use crate::{
    Error, Result,
    seal::Sealer,
    settings::{Overrides, Revision, Settings},
};

const LATEST: &str =
    "SELECT number, overrides, author, created_at FROM settings_revisions ORDER BY number DESC LIMIT 1";
const PAGE: &str = "SELECT number, overrides, author, created_at FROM settings_revisions
    WHERE number < ? ORDER BY number DESC LIMIT ?";
/// Writes nothing unless `expected` (first and last argument) is the newest.
const APPEND: &str = "INSERT INTO settings_revisions (number, overrides, author, created_at)
    SELECT ? + 1, ?, ?, ? WHERE (SELECT COALESCE(MAX(number), 0) FROM settings_revisions) = ?";

struct SqliteSettings {
    pool: SqlitePool,
    sealer: Sealer,
}

impl Sqlite {
    /// The runtime configuration's revisions, sealed by `sealer`.
    pub fn settings(&self, sealer: Sealer) -> Arc<dyn Settings> {
        Arc::new(SqliteSettings { pool: self.pool.clone(), sealer })
    }
}

#[async_trait::async_trait]
impl Settings for SqliteSettings {
    async fn latest(&self) -> Result<Revision> {
        let row = sqlx::query(LATEST).fetch_optional(&self.pool).await?;
        row.map_or_else(|| Ok(Revision::default()), |row| self.revision(&row))
    }

    async fn append(&self, expected: u64, overrides: Overrides, author: &str, now: i64) -> Result<Revision> {
        let known = i64::try_from(expected).unwrap_or(i64::MAX - 1);
        let text = serde_json::Value::Object(overrides.clone()).to_string();
        let done = sqlx::query(APPEND)
            .bind(known)
            .bind(self.sealer.seal(&place(known + 1), text.as_bytes())?)
            .bind(author)
            .bind(now)
            .bind(known)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Conflict { expected, found: self.latest().await?.number });
        }
        Ok(Revision { number: expected + 1, overrides, author: author.to_owned(), created_at: now })
    }

    async fn list(&self, before: Option<u64>, limit: u32) -> Result<Vec<Revision>> {
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let rows = sqlx::query(PAGE).bind(before).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(|row| self.revision(row)).collect()
    }
}

impl SqliteSettings {
    fn revision(&self, row: &SqliteRow) -> Result<Revision> {
        let number: i64 = row.try_get("number")?;
        let impossible = |reason: &str| Error::ImpossibleRow {
            table: "settings_revisions",
            id: number.to_string(),
            reason: reason.to_owned(),
        };
        let text = self.sealer.open(&place(number), row.try_get("overrides")?)?;
        Ok(Revision {
            number: u64::try_from(number).map_err(|_| impossible("its number is negative"))?,
            overrides: serde_json::from_slice(&text)
                .map_err(|_| impossible("its overrides are not a JSON object"))?,
            author: row.try_get("author")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

/// Where a revision's overrides belong: they open nowhere else.
fn place(number: i64) -> Vec<u8> {
    format!("settings_revisions/{number}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::contract;

    const SEALER: [u8; 32] = [7; 32];

    async fn open(dir: &tempfile::TempDir) -> (Sqlite, Arc<dyn Settings>) {
        let database = Sqlite::open(dir.path()).await.unwrap();
        let settings = database.settings(Sealer::new(SEALER));
        (database, settings)
    }

    async fn insert(database: &Sqlite, number: i64, overrides: &[u8]) {
        let sealed = Sealer::new(SEALER).seal(&place(1), overrides).unwrap();
        let insert =
            sqlx::query("INSERT INTO settings_revisions VALUES (?, ?, 'x', 0)").bind(number).bind(sealed);
        insert.execute(&database.pool).await.unwrap();
    }

    #[tokio::test]
    async fn sqlite_keeps_the_contract() {
        let dirs = tempfile::tempdir().unwrap();
        contract::suite(async || {
            let dir = tempfile::tempdir_in(dirs.path()).unwrap().keep();
            Sqlite::open(&dir).await.unwrap().settings(Sealer::new(SEALER))
        })
        .await;
    }

    #[tokio::test]
    async fn a_row_that_is_no_object_is_reported_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let (database, settings) = open(&dir).await;
        insert(&database, 1, b"[]").await;
        let error = settings.latest().await.unwrap_err().to_string();
        assert!(error.contains("settings_revisions, 1: its overrides"), "{error}");
    }

    #[tokio::test]
    async fn secrets_do_not_stand_in_the_row_and_open_in_no_other_one() {
        let dir = tempfile::tempdir().unwrap();
        let (database, settings) = open(&dir).await;
        let overrides = serde_json::json!({"api_key": "hunter2"}).as_object().unwrap().clone();
        settings.append(0, overrides, "admin", 1).await.unwrap();
        let (row,): (Vec<u8>,) = sqlx::query_as("SELECT overrides FROM settings_revisions")
            .fetch_one(&database.pool)
            .await
            .unwrap();
        assert!(!row.windows(7).any(|part| part == b"hunter2"));
        insert(&database, 2, b"{}").await;
        assert!(matches!(settings.latest().await, Err(Error::Seal(_))));
    }

    #[tokio::test]
    async fn revisions_outlive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let (database, settings) = open(&dir).await;
        settings.append(0, Overrides::new(), "admin", 1).await.unwrap();
        database.close().await;
        assert_eq!(open(&dir).await.1.latest().await.unwrap().number, 1);
    }
}
