//! [`Responses`] in SQL.

use std::sync::Arc;

use uuid::Uuid;

use super::{Store, aging::Aging};
use crate::{
    Error, Result,
    responses::{Keep, Response, Responses},
    seal::Sealer,
};

/// What a statement, and the seal, take beside the response.
const AROUND: usize = 4096;

struct SqlResponses {
    shelf: Aging,
    /// Bytes of one statement.
    largest: usize,
}

impl Store {
    /// Responses that clients may come back to.
    pub fn responses(&self, sealer: Sealer) -> Arc<dyn Responses> {
        let shelf = Aging { pool: self.pool.clone(), sealer, table: "responses" };
        Arc::new(SqlResponses { shelf, largest: self.largest() })
    }
}

#[async_trait::async_trait]
impl Responses for SqlResponses {
    async fn put(&self, response: &Response) -> Result<()> {
        // The database would answer by closing the connection.
        let (bytes, most) = (response.said.len(), self.largest.saturating_sub(AROUND));
        if bytes > most {
            return Err(Error::TooLarge { what: format!("the response {}", response.id), bytes, most });
        }
        self.shelf.put(response.id, &response.said).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Response>> {
        Ok(self.shelf.get(id).await?.map(|said| Response { id, said }))
    }

    async fn remove(&self, id: Uuid) -> Result<bool> {
        self.shelf.remove(id).await
    }

    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64> {
        self.shelf.prune(keep, now, limit).await
    }
}
