//! [`Captures`] in SQL.

use std::sync::Arc;

use uuid::Uuid;

use super::{Store, aging::Aging};
use crate::{
    Result,
    captures::{Capture, Captures, Keep},
    seal::Sealer,
};

struct SqlCaptures(Aging);

impl Store {
    /// Bodies of requests and answers.
    pub fn captures(&self, sealer: Sealer) -> Arc<dyn Captures> {
        Arc::new(SqlCaptures(Aging { pool: self.pool.clone(), sealer, table: "captures" }))
    }
}

#[async_trait::async_trait]
impl Captures for SqlCaptures {
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
