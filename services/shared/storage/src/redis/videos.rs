//! [`VideoJobs`] in Redis: a hash a job, the ids of each client, and sorted sets of the open ones by their last sign and of
//! the ended ones by their age.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;

use super::{Redis, text};
use crate::{
    Error, Result,
    videos::{Job, VideoJobs},
};

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/videos_put.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/videos_remove.lua")));
const FIELDS: [&str; 6] = ["client", "open", "alive", "created", "version", "details"];
const PREFIX: &str = "{g2a}:videos:";
pub(super) const OPEN: &str = "{g2a}:videos:open";
pub(super) const ENDED: &str = "{g2a}:videos:ended";

/// A job's fields, in the order of [`FIELDS`]; all absent when there is none.
type Fields = (Option<String>, Option<u8>, Option<i64>, Option<i64>, Option<u64>, Option<Vec<u8>>);

struct RedisVideos {
    redis: Redis,
}

impl Redis {
    /// The videos that clients asked for.
    pub fn videos(&self) -> Arc<dyn VideoJobs> {
        Arc::new(RedisVideos { redis: self.clone() })
    }
}

pub(super) fn job_key(id: &str) -> String {
    format!("{PREFIX}job:{id}")
}

fn client_key(client: &str) -> String {
    format!("{PREFIX}of:{client}")
}

#[async_trait]
impl VideoJobs for RedisVideos {
    async fn insert(&self, job: &Job) -> Result<bool> {
        self.put(job, "", job.version).await
    }

    async fn get(&self, id: &str) -> Result<Option<Job>> {
        Ok(self.read(vec![id.to_owned()]).await?.pop())
    }

    async fn update(&self, job: &Job) -> Result<bool> {
        self.put(job, &job.version.to_string(), job.version + 1).await
    }

    async fn page(&self, client: &str, before: Option<&str>, limit: u32) -> Result<Vec<Job>> {
        let from = before.map_or_else(|| "+".to_owned(), |before| format!("({before}"));
        let mut ids = redis::cmd("ZREVRANGEBYLEX");
        ids.arg(client_key(client)).arg(from).arg("-").arg("LIMIT").arg(0).arg(limit);
        let (ids,): (Vec<String>,) = self.redis.ask(redis::pipe().add_command(ids)).await?;
        self.read(ids).await
    }

    async fn silent(&self, since: i64, limit: u32) -> Result<Vec<Job>> {
        let ids = self.by_time(OPEN, since, limit).await?;
        self.read(ids).await
    }

    async fn remove(&self, id: &str) -> Result<bool> {
        self.redis.run(&REMOVE, &[&job_key(id), OPEN, ENDED], &[text(id), text(client_key(""))]).await
    }

    async fn purge(&self, made_before: i64, limit: u32) -> Result<u64> {
        let mut purged = 0;
        for id in self.by_time(ENDED, made_before, limit).await? {
            purged += u64::from(self.remove(&id).await?);
        }
        Ok(purged)
    }
}

impl RedisVideos {
    async fn put(&self, job: &Job, expected: &str, version: u64) -> Result<bool> {
        let of = client_key(&job.client);
        let arguments = [
            text(expected),
            text(&job.id),
            text(&job.client),
            text(u8::from(job.open)),
            text(job.alive_at),
            text(job.created_at),
            text(version),
            job.details.clone(),
        ];
        self.redis.run(&PUT, &[&job_key(&job.id), &of, OPEN, ENDED], &arguments).await
    }

    /// Ids with a time before that one, the earliest first.
    async fn by_time(&self, key: &str, before: i64, limit: u32) -> Result<Vec<String>> {
        let mut ids = redis::cmd("ZRANGEBYSCORE");
        ids.arg(key).arg("-inf").arg(format!("({before}")).arg("LIMIT").arg(0).arg(limit);
        let (ids,): (Vec<String>,) = self.redis.ask(redis::pipe().add_command(ids)).await?;
        Ok(ids)
    }

    /// The jobs of those ids, in order; without the ones that are gone.
    async fn read(&self, ids: Vec<String>) -> Result<Vec<Job>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut read = redis::pipe();
        for id in &ids {
            read.cmd("HMGET").arg(job_key(id)).arg(&FIELDS);
        }
        let rows: Vec<Fields> = self.redis.ask(&read).await?;
        let there = |row: &Fields| !matches!(row, (None, None, None, None, None, None));
        ids.into_iter().zip(rows).filter(|(_, row)| there(row)).map(|(id, row)| job(id, row)).collect()
    }
}

fn job(id: String, row: Fields) -> Result<Job> {
    let (Some(client), Some(open), Some(alive_at), Some(created_at), Some(version), Some(details)) = row
    else {
        return Err(Error::ImpossibleRow { table: "video_jobs", id, reason: "a field is missing".into() });
    };
    Ok(Job { id, client, open: open != 0, alive_at, created_at, version, details })
}
