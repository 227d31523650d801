//! Responses that clients may come back to, in domain terms, and the trait every store of them implements. They are sealed
//! before they reach a row.

use async_trait::async_trait;
use uuid::Uuid;

use crate::Result;
pub use crate::captures::Keep;

/// Keeps responses by the ids of their turns. Several processes may write and prune at once.
#[async_trait]
pub trait Responses: Send + Sync + 'static {
    /// Adds a response, unless its id is known.
    async fn put(&self, response: &Response) -> Result<()>;

    /// One response.
    async fn get(&self, id: Uuid) -> Result<Option<Response>>;

    /// Forgets a response; whether it was known.
    async fn remove(&self, id: Uuid) -> Result<bool>;

    /// Takes away at most `limit` that are too old at `now`, or the oldest while all take too much; returns how many. It
    /// is called again until there are none.
    async fn prune(&self, keep: Keep, now: i64, limit: u32) -> Result<u64>;
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// A UUIDv7: the time of the start.
    pub id: Uuid,
    /// As the service writes it; never seen by the store but sealed.
    pub said: Vec<u8>,
}
