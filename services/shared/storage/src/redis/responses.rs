//! [`Responses`] in Redis.

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    Redis,
    aging::{Aging, Keys},
};
use crate::{
    Result,
    responses::{Keep, Response, Responses},
    seal::Sealer,
};

pub(super) const KEYS: Keys = Keys {
    kind: "responses",
    of: "{g2a}:responses:of:",
    ids: "{g2a}:responses:ids",
    bytes: "{g2a}:responses:bytes",
};

struct RedisResponses(Aging);

impl Redis {
    /// Responses that clients may come back to.
    pub fn responses(&self, sealer: Sealer) -> Arc<dyn Responses> {
        Arc::new(RedisResponses(Aging { redis: self.clone(), sealer, keys: KEYS }))
    }
}

#[async_trait]
impl Responses for RedisResponses {
    async fn put(&self, response: &Response) -> Result<()> {
        self.0.put(response.id, &response.said).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Response>> {
        Ok(self.0.get(id).await?.map(|said| Response { id, said }))
    }

    async fn remove(&self, id: Uuid) -> Result<bool> {
        self.0.remove(id).await
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        self.0.prune(keep, now, limit).await
    }
}
