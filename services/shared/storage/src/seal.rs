//! Secrets at rest: XChaCha20-Poly1305 under the operator's keys.
//!
//! A sealed value is `1 | key id (4) | nonce (24) | ciphertext and tag`. The row it belongs to is associated data,
//! so a value copied into another row does not open; the key id tells a wrong key from a damaged value. Random nonces
//! of 24 bytes never repeat in practice.
//!
//! A [`Sealer`] seals with one key, the current one, and opens with any of its ring, so that the current key can be
//! replaced while the older ones still open what is not [rewrapped](Sealer::rewrap) yet. A value of a key that is not
//! in the ring makes it read its file again, which is how a running process learns of a new key.

mod ring;
mod source;

use std::{fmt, path::Path, sync::Arc};

use arc_swap::ArcSwap;
use grok2api_kit::settings;
use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use self::{ring::Ring, source::Source};
use crate::{Error, Result};

pub use ring::KeyId;

const KEY_BYTES: usize = 32;
const CHECK_ROW: &[u8] = b"seal_check";
const CHECK_TEXT: &[u8] = b"grok2api";
/// The keys are not looked for more often than this, however many values do not open.
const LOOK: Duration = Duration::from_millis(500);

/// Seals and opens secrets; clones share their keys.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    ring: ArcSwap<Ring>,
    /// Where the keys are read again; none for keys that were given as such.
    source: Option<Source>,
    looked: Mutex<Instant>,
    /// The current key was made for this sealer.
    made: bool,
}

/// Which keys a file of keys holds, the current one first.
///
/// # Errors
/// [`Error::Seal`] when a line is no key, [`Error::Directory`] when the file cannot be read.
pub fn keys_in(file: &Path) -> Result<Vec<KeyId>> {
    Ok(Ring::of(source::keys_in(file)?).ids())
}

impl Sealer {
    /// The keys of the settings: `seal.key`, else the file `seal.key_file`, else `master.key` in the data directory,
    /// which is made (mode 0600) when it is missing; and `seal.old_keys`, which open only. A file holds a key a line,
    /// the current one first.
    ///
    /// # Errors
    /// [`Error::Seal`] when a key is not 32 bytes in base64, [`Error::Directory`] when its file cannot be used.
    pub fn load(settings: &settings::Seal, data_dir: &Path) -> Result<Self> {
        let source = Source::of(settings, data_dir);
        let made = source.make_if_missing()?;
        let ring = source.read()?;
        Ok(Self::of(ring, Some(source), made))
    }

    /// The keys of the settings, where there are some; none is made.
    pub(crate) fn peek(settings: &settings::Seal, data_dir: &Path) -> Result<Option<Self>> {
        let source = Source::of(settings, data_dir);
        if source.is_to_be_made() {
            return Ok(None);
        }
        let ring = source.read()?;
        Ok(Some(Self::of(ring, Some(source), false)))
    }

    /// A sealer with this key.
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        Self::of(Ring::of(vec![key]), None, false)
    }

    fn of(ring: Ring, source: Option<Source>, made: bool) -> Self {
        Self(Arc::new(Inner {
            ring: ArcSwap::from_pointee(ring),
            source,
            looked: Mutex::new(Instant::now()),
            made,
        }))
    }

    /// Which key seals.
    pub fn current(&self) -> KeyId {
        self.0.ring.load().current().id
    }

    /// All keys at hand, the current one first.
    pub fn keys(&self) -> Vec<KeyId> {
        self.0.ring.load().ids()
    }

    /// Seals a secret for the row of this id.
    ///
    /// # Errors
    /// [`Error::Seal`] when the secret is too long for the cipher (256 GiB).
    pub fn seal(&self, row: &[u8], secret: &[u8]) -> Result<Vec<u8>> {
        self.0.ring.load().current().seal(row, secret)
    }

    /// Opens what was sealed for the row of this id.
    ///
    /// # Errors
    /// [`Error::Seal`] when another key sealed it, or it was changed or moved to another row.
    pub fn open(&self, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        if let Some(opened) = self.0.ring.load().open(row, sealed) {
            return opened;
        }
        self.look_again();
        // Also when somebody else has looked meanwhile.
        self.0.ring.load().open(row, sealed).unwrap_or_else(|| Err(self.unknown(sealed)))
    }

    /// Whether a value needs a key that is not at hand; another one that does not open is damaged.
    pub(crate) fn lacks_key(&self, sealed: &[u8]) -> bool {
        KeyId::of(sealed).is_some_and(|key| !self.keys().contains(&key))
    }

    /// The same secret under the current key; `None` when it is sealed with that already.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`seal`](Self::seal).
    pub fn rewrap(&self, row: &[u8], sealed: &[u8]) -> Result<Option<Vec<u8>>> {
        if KeyId::of(sealed) == Some(self.current()) {
            return Ok(None);
        }
        let secret = self.open(row, sealed)?;
        self.seal(row, &secret).map(Some)
    }

    /// Makes a new current key in `master.key`, the others stay as old ones. `None` when the settings name the key:
    /// then it is not ours to change. Of several processes that try at once one succeeds.
    ///
    /// # Errors
    /// [`Error::Directory`] when the file cannot be written; [`Error::Seal`] when somebody else has just changed it.
    pub fn make_key(&self) -> Result<Option<KeyId>> {
        let Some(file) = self.0.source.as_ref().and_then(Source::generated) else { return Ok(None) };
        file.add_key(self.current())?;
        self.reload()?;
        Ok(Some(self.current()))
    }

    /// Where the current key stands, for people.
    pub fn place(&self) -> String {
        self.0.source.as_ref().map_or_else(|| "memory".to_owned(), Source::place)
    }

    /// Reads the keys again.
    ///
    /// # Errors
    /// As [`load`](Self::load); the keys at hand stay then.
    pub fn reload(&self) -> Result<()> {
        if let Some(source) = &self.0.source {
            self.0.ring.store(Arc::new(source.read()?));
        }
        Ok(())
    }

    /// Takes back a key that was made just now for a store that turned out to have another one.
    pub(crate) fn discard_made(&self) {
        if self.0.made
            && let Some(file) = self.0.source.as_ref().and_then(Source::generated)
        {
            file.discard();
        }
    }

    /// Takes the key that others seal with as the current one, if it is to be found.
    ///
    /// # Errors
    /// [`Error::Seal`] when it is not at hand.
    pub(crate) fn follow(&self, newest: KeyId) -> Result<()> {
        if newest == self.current() {
            return Ok(());
        }
        self.reload()?;
        if newest == self.current() {
            tracing::info!("secrets are sealed with key {newest} from now on");
        }
        if self.keys().contains(&newest) {
            return Ok(());
        }
        Err(Error::Seal(format!("the store is sealed with key {newest} now, but {}", self.missing())))
    }

    /// Reads the keys again unless that was done just now; waits for whoever is at it.
    fn look_again(&self) {
        let mut looked = self.0.looked.lock();
        if looked.elapsed() < LOOK {
            return;
        }
        *looked = Instant::now();
        if let Err(error) = self.reload() {
            tracing::warn!(%error, "the sealing keys: {error}");
        }
    }

    fn unknown(&self, sealed: &[u8]) -> Error {
        let key = KeyId::of(sealed).map(|key| key.to_string()).unwrap_or_default();
        Error::Seal(format!("sealed with key {key}, but {}", self.missing()))
    }

    /// What to do about a key that is not at hand.
    pub(crate) fn missing(&self) -> String {
        let mut keys = self.keys().into_iter().map(|key| key.to_string());
        let (current, older): (_, Vec<_>) = (keys.next().unwrap_or_default(), keys.collect());
        let hand = if self.0.made {
            format!("there is no key in {}", self.place())
        } else if older.is_empty() {
            format!("the key at hand is {current}")
        } else {
            format!("the keys at hand are {current} and, to open only, {}", older.join(", "))
        };
        format!(
            "{hand}; set seal.key or seal.key_file to the key that was used before, or add that one to seal.old_keys"
        )
    }

    /// What a store keeps to tell the right key from another.
    pub(crate) fn check_text(&self) -> Result<Vec<u8>> {
        self.seal(CHECK_ROW, CHECK_TEXT)
    }

    /// The check under the current key; `None` when it is.
    pub(crate) fn rewrap_check(&self, sealed: &[u8]) -> Result<Option<Vec<u8>>> {
        self.rewrap(CHECK_ROW, sealed)
    }

    /// Refuses to go on with other keys than the one that made `sealed`.
    pub(crate) fn check(&self, sealed: &[u8]) -> Result<()> {
        let opened = self.open(CHECK_ROW, sealed);
        opened.map(drop).map_err(|error| Error::Seal(format!("the store's secrets: {error}")))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.current())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
