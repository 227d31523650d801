//! [`Captures`] in Redis.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Redis,
    aging::{Aging, Keys},
};
use crate::{
    Result,
    captures::{Capture, Captures, Keep},
    seal::Sealer,
};

pub(super) const KEYS: Keys = Keys {
    kind: "captures",
    of: "{g2a}:captures:of:",
    ids: "{g2a}:captures:ids",
    bytes: "{g2a}:captures:bytes",
};

struct RedisCaptures(Aging);

impl Redis {
    /// Bodies of requests and answers.
    pub fn captures(&self, sealer: Sealer) -> Arc<dyn Captures> {
        Arc::new(RedisCaptures(Aging { redis: self.clone(), sealer, keys: KEYS }))
    }
}

#[async_trait]
impl Captures for RedisCaptures {
    async fn put(&self, captures: &[Capture]) -> Result<()> {
        for capture in captures {
            self.0.put(capture.id, &capture.bodies).await?;
        }
        Ok(())
    }

    async fn get(&self, id: Uuid) -> Result<Option<Capture>> {
        Ok(self.0.get(id).await?.map(|bodies| Capture { id, bodies }))
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        self.0.prune(keep, now, limit).await
    }
}
