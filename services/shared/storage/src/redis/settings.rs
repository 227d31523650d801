//! [`Settings`] in Redis: a hash for each revision, the overrides sealed as a whole.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;

use super::{Redis, text};
use crate::{
    Error, Result,
    seal::Sealer,
    settings::{Overrides, Revision, Settings, impossible, open, place},
};

pub(super) const NEWEST: &str = "{g2a}:settings:newest";
static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/settings_append.lua")));

struct RedisSettings {
    redis: Redis,
    sealer: Sealer,
}

impl Redis {
    /// The runtime configuration's revisions, sealed by `sealer`.
    pub fn settings(&self, sealer: Sealer) -> Arc<dyn Settings> {
        Arc::new(RedisSettings { redis: self.clone(), sealer })
    }
}

#[async_trait]
impl Settings for RedisSettings {
    async fn latest(&self) -> Result<Revision> {
        Ok(self.list(None, 1).await?.pop().unwrap_or_default())
    }

    async fn newest(&self) -> Result<u64> {
        let (newest,): (Option<u64>,) = self.redis.ask(redis::pipe().get(NEWEST)).await?;
        Ok(newest.unwrap_or_default())
    }

    async fn append(&self, expected: u64, overrides: Overrides, author: &str, now: i64) -> Result<Revision> {
        let number = expected + 1;
        let json = serde_json::Value::Object(overrides.clone()).to_string();
        let sealed = self.sealer.seal(&place(number), json.as_bytes())?;
        let arguments = [text(expected), sealed, text(author), text(now)];
        let (done, found): (bool, u64) = self.redis.run(&APPEND, &[NEWEST, &key(number)], &arguments).await?;
        if !done {
            return Err(Error::Conflict { expected, found });
        }
        Ok(Revision { number, overrides, author: author.to_owned(), created_at: now })
    }

    async fn list(&self, before: Option<u64>, limit: u32) -> Result<Vec<Revision>> {
        let last = before.map_or(u64::MAX, |before| before.saturating_sub(1)).min(self.newest().await?);
        let numbers: Vec<u64> = (1..=last).rev().take(limit as usize).collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let mut read = redis::pipe();
        for number in &numbers {
            read.cmd("HMGET").arg(key(*number)).arg(&["overrides", "author", "created"]);
        }
        let rows: Vec<(Option<Vec<u8>>, Option<String>, Option<i64>)> = self.redis.ask(&read).await?;
        numbers.into_iter().zip(rows).map(|(number, row)| self.revision(number, row)).collect()
    }
}

impl RedisSettings {
    fn revision(&self, number: u64, row: (Option<Vec<u8>>, Option<String>, Option<i64>)) -> Result<Revision> {
        let (Some(sealed), Some(author), Some(created_at)) = row else {
            return Err(impossible(number, "it is missing, or a field of it"));
        };
        Ok(Revision { number, overrides: open(&self.sealer, number, &sealed)?, author, created_at })
    }
}

pub(super) fn key(number: u64) -> String {
    format!("{{g2a}}:settings:revision:{number}")
}
