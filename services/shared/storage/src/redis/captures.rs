//! [`Captures`] in Redis: a string each, their ids in order, and the bytes that all take.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;
use uuid::Uuid;

use super::{Redis, text};
use crate::{
    Result,
    captures::{Capture, Captures, Keep},
    seal::Sealer,
};

static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/captures_put.lua")));
static PRUNE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/captures_prune.lua")));
pub(super) const CAPTURE: &str = "{g2a}:captures:of:";
pub(super) const IDS: &str = "{g2a}:captures:ids";
const BYTES: &str = "{g2a}:captures:bytes";

struct RedisCaptures {
    redis: Redis,
    sealer: Sealer,
}

impl Redis {
    /// Bodies of requests and answers.
    pub fn captures(&self, sealer: Sealer) -> Arc<dyn Captures> {
        Arc::new(RedisCaptures { redis: self.clone(), sealer })
    }
}

#[async_trait]
impl Captures for RedisCaptures {
    async fn put(&self, captures: &[Capture]) -> Result<()> {
        for capture in captures {
            let (id, key) = (capture.id.simple().to_string(), key(capture.id));
            let sealed = self.sealer.seal(capture.id.as_bytes(), &capture.bodies)?;
            self.redis.run::<u64>(&PUT, &[&key, IDS, BYTES], &[text(id), sealed]).await?;
        }
        Ok(())
    }

    async fn get(&self, id: Uuid) -> Result<Option<Capture>> {
        let (sealed,): (Option<Vec<u8>>,) = self.redis.ask(redis::pipe().get(key(id))).await?;
        let open = |sealed: Vec<u8>| self.sealer.open(id.as_bytes(), &sealed);
        Ok(sealed.map(open).transpose()?.map(|bodies| Capture { id, bodies }))
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        let first = keep.first(now).simple().to_string();
        let arguments = [text(CAPTURE), text(first), text(keep.bytes), text(limit)];
        self.redis.run(&PRUNE, &[IDS, BYTES], &arguments).await
    }
}

fn key(id: Uuid) -> String {
    format!("{CAPTURE}{}", id.simple())
}
