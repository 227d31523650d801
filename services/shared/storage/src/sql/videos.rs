//! [`VideoJobs`] in SQL.

use std::sync::Arc;

use sqlx::Row as _;

use super::{Pool, Row, Store};
use crate::{
    Error, Result,
    videos::{Job, VideoJobs},
};

const INSERT: &str = "INSERT INTO video_jobs (id, client, open, alive_at, created_at, version, details)
    SELECT ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM video_jobs WHERE id = ?)";
const GET: &str = "SELECT * FROM video_jobs WHERE id = ?";
const UPDATE: &str = "UPDATE video_jobs SET open = ?, alive_at = ?, version = version + 1, details = ?
    WHERE id = ? AND version = ?";
const PAGE: &str = "SELECT * FROM video_jobs WHERE client = ? AND id < ? ORDER BY id DESC LIMIT ?";
const SILENT: &str = "SELECT * FROM video_jobs WHERE open = 1 AND alive_at < ? ORDER BY alive_at LIMIT ?";
const REMOVE: &str = "DELETE FROM video_jobs WHERE id = ?";
const OLD: &str = "SELECT id FROM video_jobs WHERE open = 0 AND created_at < ? ORDER BY created_at LIMIT ?";
/// Behind every id.
const LAST: &str = "\u{10ffff}";

/// What a statement takes beside the details.
const AROUND: usize = 4096;

struct SqlVideos {
    pool: Pool,
    /// Bytes of one statement.
    largest: usize,
}

impl Store {
    /// The videos that clients asked for.
    pub fn videos(&self) -> Arc<dyn VideoJobs> {
        Arc::new(SqlVideos { pool: self.pool.clone(), largest: self.largest() })
    }
}

#[async_trait::async_trait]
impl VideoJobs for SqlVideos {
    async fn insert(&self, job: &Job) -> Result<bool> {
        self.fits(job)?;
        let insert = sqlx::query(INSERT)
            .bind(job.id.as_str())
            .bind(job.client.as_str())
            .bind(job.open)
            .bind(job.alive_at)
            .bind(job.created_at)
            .bind(signed(job.version))
            .bind(job.details.as_slice())
            .bind(job.id.as_str());
        Ok(insert.execute(&self.pool).await?.rows_affected() > 0)
    }

    async fn get(&self, id: &str) -> Result<Option<Job>> {
        let row = sqlx::query(GET).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(job).transpose()
    }

    async fn update(&self, job: &Job) -> Result<bool> {
        self.fits(job)?;
        let update = sqlx::query(UPDATE)
            .bind(job.open)
            .bind(job.alive_at)
            .bind(job.details.as_slice())
            .bind(job.id.as_str())
            .bind(signed(job.version));
        Ok(update.execute(&self.pool).await?.rows_affected() > 0)
    }

    async fn page(&self, client: &str, before: Option<&str>, limit: u32) -> Result<Vec<Job>> {
        let page = sqlx::query(PAGE).bind(client).bind(before.unwrap_or(LAST)).bind(limit);
        page.fetch_all(&self.pool).await?.iter().map(job).collect()
    }

    async fn silent(&self, since: i64, limit: u32) -> Result<Vec<Job>> {
        let rows = sqlx::query(SILENT).bind(since).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(job).collect()
    }

    async fn remove(&self, id: &str) -> Result<bool> {
        Ok(sqlx::query(REMOVE).bind(id).execute(&self.pool).await?.rows_affected() > 0)
    }

    async fn purge(&self, made_before: i64, limit: u32) -> Result<u64> {
        let rows = sqlx::query(OLD).bind(made_before).bind(limit).fetch_all(&self.pool).await?;
        let mut purged = 0;
        for row in &rows {
            purged += u64::from(self.remove(&text(row, "id")?).await?);
        }
        Ok(purged)
    }
}

impl SqlVideos {
    /// Refuses what the database would answer by closing the connection.
    fn fits(&self, job: &Job) -> Result<()> {
        let (bytes, most) = (job.details.len(), self.largest.saturating_sub(AROUND));
        if bytes <= most {
            return Ok(());
        }
        let id = &job.id;
        tracing::warn!(
            "the video {id} has {bytes} bytes with its image, and max_allowed_packet is {}",
            self.largest
        );
        Err(Error::TooLarge { what: "the video with its image".to_owned(), bytes, most })
    }
}

fn job(row: &Row) -> Result<Job> {
    let version: i64 = row.try_get("version")?;
    Ok(Job {
        id: text(row, "id")?,
        client: text(row, "client")?,
        open: row.try_get::<i64, _>("open")? != 0,
        alive_at: row.try_get("alive_at")?,
        created_at: row.try_get("created_at")?,
        version: u64::try_from(version)
            .map_err(|_| impossible(row, format!("version {version} is negative")))?,
        details: row.try_get("details")?,
    })
}

fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// A text that MySQL keeps as bytes, so that it compares them.
fn text(row: &Row, column: &str) -> Result<String> {
    String::from_utf8(row.try_get(column)?).map_err(|_| impossible(row, format!("{column} is no text")))
}

fn impossible(row: &Row, reason: String) -> Error {
    let id: Vec<u8> = row.try_get("id").unwrap_or_default();
    Error::ImpossibleRow { table: "video_jobs", id: String::from_utf8_lossy(&id).into_owned(), reason }
}
