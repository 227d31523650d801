//! Sealed values that go when they are old, or when all take too much: a string each, their ids in order, and the bytes
//! that all take.

use std::sync::LazyLock;

use redis::Script;
use uuid::Uuid;

use super::{Redis, text};
use crate::{Result, captures::Keep, seal::Sealer};

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/aging_put.lua")));
static REMOVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/aging_remove.lua")));
static PRUNE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/aging_prune.lua")));

/// Where values of one kind are.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    pub(super) kind: &'static str,
    /// In front of an id.
    pub(super) of: &'static str,
    pub(super) ids: &'static str,
    pub(super) bytes: &'static str,
}

impl Keys {
    pub(super) fn key(self, id: &str) -> String {
        format!("{}{id}", self.of)
    }
}

/// Values of one kind.
pub(super) struct Aging {
    pub(super) redis: Redis,
    pub(super) sealer: Sealer,
    pub(super) keys: Keys,
}

impl Aging {
    /// Adds a value that is not known by its id.
    pub(super) async fn put(&self, id: Uuid, value: &[u8]) -> Result<()> {
        let sealed = self.sealer.seal(id.as_bytes(), value)?;
        let (name, Keys { ids, bytes, .. }) = (id.simple().to_string(), self.keys);
        self.redis.run::<u64>(&PUT, &[&self.keys.key(&name), ids, bytes], &[text(name), sealed]).await?;
        Ok(())
    }

    pub(super) async fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>> {
        let key = self.keys.key(&id.simple().to_string());
        let (sealed,): (Option<Vec<u8>>,) = self.redis.ask(redis::pipe().get(key)).await?;
        sealed.map(|sealed| self.sealer.open(id.as_bytes(), &sealed)).transpose()
    }

    /// Whether it was there.
    pub(super) async fn remove(&self, id: Uuid) -> Result<bool> {
        let (name, Keys { ids, bytes, .. }) = (id.simple().to_string(), self.keys);
        self.redis.run(&REMOVE, &[&self.keys.key(&name), ids, bytes], &[text(name)]).await
    }

    pub(super) async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        let (first, Keys { of, ids, bytes, .. }) = (keep.first(now).simple().to_string(), self.keys);
        let arguments = [text(of), text(first), text(keep.bytes), text(limit)];
        self.redis.run(&PRUNE, &[ids, bytes], &arguments).await
    }
}
