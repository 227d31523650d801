//! What processes tell each other for a moment: notes under a topic, and counts. Nothing here outlives its time, and nothing
//! is missed when it is lost.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{Result, redis::Redis};

/// Keeps notes and counts for a while.
#[async_trait]
pub trait Board: Send + Sync + 'static {
    /// Puts a note under a topic, in the place of one of the same name.
    async fn post(&self, topic: &str, name: &str, note: Bytes, lasts: Duration) -> Result<()>;

    /// All notes of a topic, by name.
    async fn read(&self, topic: &str) -> Result<Vec<(String, Bytes)>>;

    /// Takes a note away. Returns whether it was there.
    async fn take(&self, topic: &str, name: &str) -> Result<bool>;

    /// Counts one more of that name, beginning at one when the last count began that long ago.
    async fn count(&self, name: &str, lasts: Duration) -> Result<Count>;

    /// The count as it stands.
    async fn counted(&self, name: &str) -> Result<Count>;

    /// Ends a count.
    async fn forget(&self, name: &str) -> Result<()>;
}

/// How many, and for how long that is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub number: u64,
    /// Until it begins anew.
    pub ends_in: Duration,
}

/// The board that all processes share through a Redis; without one, a board of this process.
///
/// # Errors
/// When the Redis cannot be reached.
pub async fn open(redis: Option<&str>) -> Result<Arc<dyn Board>> {
    match redis {
        Some(url) => Ok(Redis::shared(url).await?.board()),
        None => Ok(Arc::<Memory>::default()),
    }
}

/// A board of one process.
#[derive(Default)]
struct Memory(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    notes: HashMap<String, HashMap<String, (Instant, Bytes)>>,
    counts: HashMap<String, (Instant, u64)>,
}

#[async_trait]
impl Board for Memory {
    async fn post(&self, topic: &str, name: &str, note: Bytes, lasts: Duration) -> Result<()> {
        let mut state = self.0.lock();
        let notes = state.notes.entry(topic.to_owned()).or_default();
        notes.insert(name.to_owned(), (Instant::now() + lasts, note));
        Ok(())
    }

    async fn read(&self, topic: &str) -> Result<Vec<(String, Bytes)>> {
        let now = Instant::now();
        let mut state = self.0.lock();
        let Some(notes) = state.notes.get_mut(topic) else { return Ok(Vec::new()) };
        notes.retain(|_, (end, _)| *end > now);
        let mut found: Vec<_> = notes.iter().map(|(name, (_, note))| (name.clone(), note.clone())).collect();
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    async fn take(&self, topic: &str, name: &str) -> Result<bool> {
        let taken = self.0.lock().notes.get_mut(topic).and_then(|notes| notes.remove(name));
        Ok(taken.is_some_and(|(end, _)| end > Instant::now()))
    }

    async fn count(&self, name: &str, lasts: Duration) -> Result<Count> {
        let now = Instant::now();
        let mut state = self.0.lock();
        state.counts.retain(|_, (end, _)| *end > now);
        let (end, number) = state.counts.entry(name.to_owned()).or_insert((now + lasts, 0));
        *number += 1;
        Ok(Count { number: *number, ends_in: *end - now })
    }

    async fn counted(&self, name: &str) -> Result<Count> {
        let now = Instant::now();
        let state = self.0.lock();
        let found = state.counts.get(name).filter(|(end, _)| *end > now);
        Ok(found.map_or_else(Count::default, |(end, number)| Count { number: *number, ends_in: *end - now }))
    }

    async fn forget(&self, name: &str) -> Result<()> {
        self.0.lock().counts.remove(name);
        Ok(())
    }
}
