//! [`MediaIndex`] in SQL.

use std::sync::Arc;

use sqlx::Row as _;

use super::{BEGIN, Pool, Row, Store, deadlock::unlocked};
use crate::{
    Error, Result,
    media::{Item, Kind, MediaIndex, Usage, Use},
};

const GET: &str = "SELECT * FROM media WHERE kind = ? AND name = ?";
const FIND: &str = "SELECT * FROM media WHERE kind = ? AND source = ?";
/// Both databases delete whatever has the same name or the same source first.
const PUT: &str =
    "REPLACE INTO media (kind, name, source, content_type, size, etag, created_at, last_used_at, owner)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
const TOUCH: &str = "UPDATE media SET last_used_at = ? WHERE kind = ? AND name = ? AND last_used_at < ?";
const USAGE: &str =
    "SELECT COUNT(*) AS items, CAST(COALESCE(SUM(size), 0) AS SIGNED) AS bytes FROM media WHERE kind = ?";
const OLDEST: &str = "SELECT * FROM media WHERE kind = ? ORDER BY last_used_at, name LIMIT ?";
const PAGE: &str = "SELECT * FROM media WHERE kind = ? AND name > ? ORDER BY name LIMIT ?";
const NEWEST: &str = "SELECT * FROM media
    WHERE kind = ? AND (created_at < ? OR (created_at = ? AND name < ?))
    ORDER BY created_at DESC, name DESC LIMIT ?";
const REMOVE: &str = "DELETE FROM media WHERE kind = ? AND name = ?";
const CLEAR: &str = "DELETE FROM media WHERE kind = ?";

struct SqlMedia {
    pool: Pool,
}

impl Store {
    /// The index of the media cache.
    pub fn media(&self) -> Arc<dyn MediaIndex> {
        Arc::new(SqlMedia { pool: self.pool.clone() })
    }
}

#[async_trait::async_trait]
impl MediaIndex for SqlMedia {
    async fn put(&self, item: &Item) -> Result<()> {
        unlocked(|| self.try_put(item)).await
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
        unlocked(|| self.try_touch(uses)).await
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

    async fn newest(&self, kind: Kind, before: Option<(i64, &str)>, limit: u32) -> Result<Vec<Item>> {
        let (at, name) = before.unwrap_or((i64::MAX, ""));
        let page = sqlx::query(NEWEST).bind(number(kind)).bind(at).bind(at).bind(name).bind(limit);
        page.fetch_all(&self.pool).await?.iter().map(item).collect()
    }

    async fn remove(&self, kind: Kind, name: &str) -> Result<bool> {
        let done = sqlx::query(REMOVE).bind(number(kind)).bind(name).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn clear(&self, kind: Kind) -> Result<u64> {
        Ok(sqlx::query(CLEAR).bind(number(kind)).execute(&self.pool).await?.rows_affected())
    }
}

impl SqlMedia {
    async fn try_put(&self, item: &Item) -> Result<(), sqlx::Error> {
        let put = sqlx::query(PUT)
            .bind(number(item.kind))
            .bind(&item.name)
            .bind(&item.source)
            .bind(&item.content_type)
            .bind(i64::try_from(item.size).unwrap_or(i64::MAX))
            .bind(&item.etag)
            .bind(item.created_at)
            .bind(item.last_used_at)
            .bind(&item.owner);
        put.execute(&self.pool).await.map(drop)
    }

    async fn try_touch(&self, uses: &[Use]) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin_with(BEGIN).await?;
        for Use { kind, name, at } in uses {
            let touch = sqlx::query(TOUCH).bind(at).bind(number(*kind)).bind(name).bind(at);
            touch.execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }
}

fn number(kind: Kind) -> i64 {
    match kind {
        Kind::Image => 1,
        Kind::Video => 2,
    }
}

fn item(row: &Row) -> Result<Item> {
    let kind = match row.try_get("kind")? {
        1_i64 => Kind::Image,
        2 => Kind::Video,
        other => return Err(impossible(row, format!("kind {other} is unknown"))),
    };
    Ok(Item {
        kind,
        name: text(row, "name")?,
        source: text(row, "source")?,
        content_type: row.try_get("content_type")?,
        size: unsigned(row, "size")?,
        etag: row.try_get("etag")?,
        created_at: row.try_get("created_at")?,
        last_used_at: row.try_get("last_used_at")?,
        owner: row.try_get("owner")?,
    })
}

/// A text that MySQL keeps as bytes, so that it compares them.
fn text(row: &Row, column: &str) -> Result<String> {
    String::from_utf8(row.try_get(column)?).map_err(|_| impossible(row, format!("{column} is no text")))
}

fn unsigned(row: &Row, column: &str) -> Result<u64> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|_| impossible(row, format!("{column} {value} is negative")))
}

fn impossible(row: &Row, reason: String) -> Error {
    let name: Vec<u8> = row.try_get("name").unwrap_or_default();
    Error::ImpossibleRow { table: "media", id: String::from_utf8_lossy(&name).into_owned(), reason }
}
