//! Which keys seal what in a store, and putting all of it under the current one.

use crate::{
    Error, Result,
    seal::{KeyId, Sealer},
};

/// Values that are rewrapped in one transaction, so that other writers are not kept waiting.
pub(crate) const BATCH: usize = 100;

/// How many values of one kind a key seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Which key.
    pub key: KeyId,
    /// Which kind: `accounts`, `captures`, `settings_revisions`, `seal_check`.
    pub kind: &'static str,
    /// How many.
    pub values: u64,
}

/// Refuses a store with values that none of the keys at hand opens: a key was taken away too early.
pub(crate) fn all_open(sealer: &Sealer, sealed: &[Sealed]) -> Result<()> {
    let keys = sealer.keys();
    let lost: Vec<_> = sealed.iter().filter(|sealed| !keys.contains(&sealed.key)).collect();
    let Some(first) = lost.first() else { return Ok(()) };
    let values: Vec<String> = lost
        .iter()
        .filter(|sealed| sealed.key == first.key)
        .map(|sealed| format!("{} in {}", sealed.values, sealed.kind))
        .collect();
    Err(Error::Seal(format!(
        "the store's secrets: {} are sealed with key {}, but {}; then run `grok2api keys rotate`, and remove that key \
         only when `grok2api keys status` shows no value of it",
        values.join(", "),
        first.key,
        sealer.missing()
    )))
}
