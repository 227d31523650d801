//! [`Board`] in Redis: a topic is a hash of notes that begin with the time of their end, by the server's clock.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use redis::Script;

use super::{Redis, text};
use crate::{
    Result,
    board::{Board, Count},
    bounded::{ANSWER, within},
};

const TOPIC: &str = "{g2a}:board:topic:";
const COUNT: &str = "{g2a}:board:count:";

static POST: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/board_post.lua")));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/board_read.lua")));
static ADD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/board_count.lua")));

struct RedisBoard(Redis);

impl Redis {
    /// What processes tell each other for a moment.
    pub(crate) fn board(&self) -> Arc<dyn Board> {
        Arc::new(RedisBoard(self.clone()))
    }
}

#[async_trait]
impl Board for RedisBoard {
    async fn post(&self, topic: &str, name: &str, note: Bytes, lasts: Duration) -> Result<()> {
        let arguments = [text(name), text(lasts.as_millis()), note.to_vec()];
        within(ANSWER, self.0.run(&POST, &[&format!("{TOPIC}{topic}")], &arguments)).await
    }

    async fn read(&self, topic: &str) -> Result<Vec<(String, Bytes)>> {
        let key = format!("{TOPIC}{topic}");
        let flat: Vec<Vec<u8>> = within(ANSWER, self.0.run(&READ, &[&key], &[])).await?;
        let mut notes: Vec<(String, Bytes)> = Vec::with_capacity(flat.len() / 2);
        let mut flat = flat.into_iter();
        while let (Some(name), Some(note)) = (flat.next(), flat.next()) {
            notes.push((String::from_utf8_lossy(&name).into_owned(), note.into()));
        }
        notes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(notes)
    }

    async fn take(&self, topic: &str, name: &str) -> Result<bool> {
        let mut take = redis::pipe();
        take.hdel(format!("{TOPIC}{topic}"), name);
        let (taken,): (u64,) = within(ANSWER, self.0.ask(&take)).await?;
        Ok(taken > 0)
    }

    async fn count(&self, name: &str, lasts: Duration) -> Result<Count> {
        let (key, arguments) = (format!("{COUNT}{name}"), [text(lasts.as_millis())]);
        let (number, left): (u64, i64) = within(ANSWER, self.0.run(&ADD, &[&key], &arguments)).await?;
        Ok(count(number, left))
    }

    async fn counted(&self, name: &str) -> Result<Count> {
        let mut look = redis::pipe();
        look.get(format!("{COUNT}{name}")).pttl(format!("{COUNT}{name}"));
        let (number, left): (Option<u64>, i64) = within(ANSWER, self.0.ask(&look)).await?;
        Ok(count(number.unwrap_or_default(), left))
    }

    async fn forget(&self, name: &str) -> Result<()> {
        let mut forget = redis::pipe();
        forget.del(format!("{COUNT}{name}")).ignore();
        within(ANSWER, self.0.ask(&forget)).await
    }
}

fn count(number: u64, left_ms: i64) -> Count {
    Count { number, ends_in: Duration::from_millis(u64::try_from(left_ms).unwrap_or_default()) }
}
