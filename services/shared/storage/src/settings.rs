//! The history of the runtime configuration.

use serde_json::{Map, Value};

use crate::{Error, Result, seal::Sealer};

/// Parameter name to its value, of the parameters that are not at their default.
pub type Overrides = Map<String, Value>;

/// One revision. The default value is revision 0: no override, no author, never stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revision {
    /// Counts up without gaps.
    pub number: u64,
    /// Everything that differs from the defaults, not only what this revision changed. Holds secrets.
    pub overrides: Overrides,
    /// Who made it.
    pub author: String,
    /// Epoch milliseconds.
    pub created_at: i64,
}

/// Keeps the revisions, in order, for ever.
#[async_trait::async_trait]
pub trait Settings: Send + Sync + 'static {
    /// The newest revision; revision 0 when none was ever made.
    ///
    /// # Errors
    /// When the store fails or holds an impossible row.
    async fn latest(&self) -> Result<Revision>;

    /// How often the store was away from this handle so far. Each time it may have lost what was seen before, so
    /// whoever follows it reads everything anew.
    fn interruptions(&self) -> u64 {
        0
    }

    /// The newest revision's number; cheap enough to ask twice a second.
    ///
    /// # Errors
    /// When the store fails.
    async fn newest(&self) -> Result<u64>;

    /// Adds the revision after `expected`; `now` is epoch milliseconds.
    ///
    /// # Errors
    /// [`Error::Conflict`](crate::Error::Conflict) when `expected` is not the newest; nothing is written then.
    async fn append(&self, expected: u64, overrides: Overrides, author: &str, now: i64) -> Result<Revision>;

    /// At most `limit` revisions below the number `before` (absent: from the newest), newest first.
    ///
    /// # Errors
    /// When the store fails or holds an impossible row.
    async fn list(&self, before: Option<u64>, limit: u32) -> Result<Vec<Revision>>;
}

/// Opens the overrides that were sealed for the revision of that number.
pub(crate) fn open(sealer: &Sealer, number: u64, sealed: &[u8]) -> Result<Overrides> {
    let text = sealer.open(&place(number), sealed)?;
    serde_json::from_slice(&text).map_err(|_| impossible(number, "its overrides are not a JSON object"))
}

/// Where a revision's overrides belong: they open nowhere else.
pub(crate) fn place(number: u64) -> Vec<u8> {
    format!("settings_revisions/{number}").into_bytes()
}

pub(crate) fn impossible(number: impl ToString, reason: &str) -> Error {
    Error::ImpossibleRow { table: "settings_revisions", id: number.to_string(), reason: reason.to_owned() }
}
