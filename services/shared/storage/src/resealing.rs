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
    /// Which kind: `accounts`, `captures`, `responses`, `settings_revisions`, `video_jobs`,
    /// `seal_check`.
    pub kind: &'static str,
    /// How many.
    pub values: u64,
}

/// What putting values under the current key came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// How many are under it now.
    pub done: u64,
    /// Those that no key opens, left as they are.
    pub damaged: Vec<Damaged>,
}

/// A sealed value that was changed or moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// As with [`Sealed`].
    pub kind: &'static str,
    /// Which row of that kind.
    pub row: String,
    /// The key it names, if it does.
    pub key: Option<KeyId>,
}

impl Resealed {
    /// The value of a row under the current key, if it is not yet. One that is damaged is noted.
    pub(crate) fn rewrap(
        &mut self,
        sealer: &Sealer,
        (kind, row): (&'static str, &str),
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        match sealer.rewrap(place, sealed) {
            Err(_) if !sealer.lacks_key(sealed) => {
                self.damaged.push(Damaged { kind, row: row.to_owned(), key: KeyId::of(sealed) });
                Ok(None)
            }
            Err(error) => Err(Error::Seal(format!("{row} in {kind}: {error}"))),
            fresh => fresh,
        }
    }
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
