//! [`MediaIndex`] on SQLite.

use std::sync::Arc;

use sqlx::{Row as _, SqlitePool, sqlite::SqliteRow};

use super::Sqlite;
use crate::{
    Error, Result,
    media::{Item, Kind, MediaIndex, Usage, Use},
};

const GET: &str = "SELECT * FROM media WHERE kind = ? AND name = ?";
const FIND: &str = "SELECT * FROM media WHERE kind = ? AND source = ?";
const DELETE_SAME: &str = "DELETE FROM media WHERE kind = ? AND (name = ? OR source = ?)";
const INSERT: &str =
    "INSERT INTO media (kind, name, source, content_type, size, etag, created_at, last_used_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const TOUCH: &str = "UPDATE media SET last_used_at = ? WHERE kind = ? AND name = ? AND last_used_at < ?";
const USAGE: &str = "SELECT COUNT(*) AS items, COALESCE(SUM(size), 0) AS bytes FROM media WHERE kind = ?";
const OLDEST: &str = "SELECT * FROM media WHERE kind = ? ORDER BY last_used_at, name LIMIT ?";
const PAGE: &str = "SELECT * FROM media WHERE kind = ? AND name > ? ORDER BY name LIMIT ?";
const REMOVE: &str = "DELETE FROM media WHERE kind = ? AND name = ?";
const CLEAR: &str = "DELETE FROM media WHERE kind = ?";

struct SqliteMedia {
    pool: SqlitePool,
}

impl Sqlite {
    /// The index of the media cache.
    pub fn media(&self) -> Arc<dyn MediaIndex> {
        Arc::new(SqliteMedia { pool: self.pool.clone() })
    }
}

#[async_trait::async_trait]
impl MediaIndex for SqliteMedia {
    async fn put(&self, item: &Item) -> Result<()> {
        let kind = number(item.kind);
        let mut transaction = self.pool.begin().await?;
        sqlx::query(DELETE_SAME)
            .bind(kind)
            .bind(&item.name)
            .bind(&item.source)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(INSERT)
            .bind(kind)
            .bind(&item.name)
            .bind(&item.source)
            .bind(&item.content_type)
            .bind(i64::try_from(item.size).unwrap_or(i64::MAX))
            .bind(&item.etag)
            .bind(item.created_at)
            .bind(item.last_used_at)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    async fn get(&self, kind: Kind, name: &str) -> Result<Option<Item>> {
        let row = sqlx::query(GET).bind(number(kind)).bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(item).transpose()
    }

    async fn find(&self, kind: Kind, source: &str) -> Result<Option<Item>> {
        let row = sqlx::query(FIND).bind(number(kind)).bind(source).fetch_optional(&self.pool).await?;
        row.as_ref().map(item).transpose()
    }

    async fn touch(&self, uses: &[Use]) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        for Use { kind, name, at } in uses {
            sqlx::query(TOUCH)
                .bind(at)
                .bind(number(*kind))
                .bind(name)
                .bind(at)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn usage(&self, kind: Kind) -> Result<Usage> {
        let row = sqlx::query(USAGE).bind(number(kind)).fetch_one(&self.pool).await?;
        Ok(Usage { items: unsigned(&row, "items")?, bytes: unsigned(&row, "bytes")? })
    }

    async fn least_recently_used(&self, kind: Kind, limit: u32) -> Result<Vec<Item>> {
        let rows = sqlx::query(OLDEST).bind(number(kind)).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(item).collect()
    }

    async fn page(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Item>> {
        let rows = sqlx::query(PAGE).bind(number(kind)).bind(after).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(item).collect()
    }

    async fn remove(&self, kind: Kind, name: &str) -> Result<bool> {
        let done = sqlx::query(REMOVE).bind(number(kind)).bind(name).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn clear(&self, kind: Kind) -> Result<u64> {
        Ok(sqlx::query(CLEAR).bind(number(kind)).execute(&self.pool).await?.rows_affected())
    }
}

fn number(kind: Kind) -> i64 {
    match kind {
        Kind::Image => 1,
        Kind::Video => 2,
    }
}

fn item(row: &SqliteRow) -> Result<Item> {
    let kind = match row.try_get("kind")? {
        1_i64 => Kind::Image,
        2 => Kind::Video,
        other => return Err(impossible(row, format!("kind {other} is unknown"))),
    };
    Ok(Item {
        kind,
        name: row.try_get("name")?,
        source: row.try_get("source")?,
        content_type: row.try_get("content_type")?,
        size: unsigned(row, "size")?,
        etag: row.try_get("etag")?,
        created_at: row.try_get("created_at")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| impossible(row, format!("{column} {value} is negative")))
}

fn impossible(row: &SqliteRow, reason: String) -> Error {
    Error::ImpossibleRow { table: "media", id: row.try_get("name").unwrap_or_default(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::contract;

    #[tokio::test]
    async fn sqlite_keeps_the_contract() {
        let dirs = tempfile::tempdir().unwrap();
        contract::suite(async || {
            let dir = tempfile::tempdir_in(dirs.path()).unwrap().keep();
            Sqlite::open(&dir).await.unwrap().media()
        })
        .await;
    }

    #[tokio::test]
    async fn a_negative_size_is_reported_with_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::open(dir.path()).await.unwrap();
        let row = "INSERT INTO media VALUES (1, 'a.jpg', 's', 'image/jpeg', -1, '', 0, 0)";
        sqlx::query(row).execute(&store.pool).await.unwrap();
        let error = store.media().get(Kind::Image, "a.jpg").await.unwrap_err().to_string();
        assert!(error.contains("media, a.jpg: size -1 is negative"), "{error}");
    }
}
