//! What admins did, and the trait every store of it implements.

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use crate::{Error, Result};

/// Keeps actions, in order, for ever.
#[async_trait]
pub trait Actions: Send + Sync + 'static {
    /// Adds one.
    async fn append(&self, action: &Action) -> Result<()>;

    /// At most `limit` actions before the one of the id `before` (absent: from the newest), newest first.
    async fn page(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<Action>>;
}

/// One action as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// UUIDv7: its order is the order of the actions.
    pub id: Uuid,
    /// Epoch milliseconds.
    pub at: i64,
    /// Who: an admin's name, or `command line`.
    pub actor: String,
    /// What, e.g. `client_key.update`.
    pub what: String,
    /// To what, e.g. the id of the client key.
    pub target: String,
    /// How it was; null when there was nothing. Holds no secret.
    pub before: Value,
    /// How it is; null when there is nothing. Holds no secret.
    pub after: Value,
}

pub(crate) fn impossible(id: impl ToString, reason: impl ToString) -> Error {
    Error::ImpossibleRow { table: "actions", id: id.to_string(), reason: reason.to_string() }
}
