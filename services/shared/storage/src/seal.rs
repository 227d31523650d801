//! Secrets at rest: XChaCha20-Poly1305 under the operator's key.
//!
//! A sealed value is `1 | key id (4) | nonce (24) | ciphertext and tag`. The row it belongs to is associated data,
//! so a value copied into another row does not open; the key id tells a wrong key from a damaged value, and lets a
//! later version re-wrap row by row. Random nonces of 24 bytes never repeat in practice.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, Payload},
};
use grok2api_kit::settings;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const CHECK_ROW: &[u8] = b"seal_check";
const CHECK_TEXT: &[u8] = b"grok2api";
/// Made in the data directory when the settings name no key.
const KEY_FILE: &str = "master.key";

/// Seals and opens secrets with one key.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    id: [u8; ID_BYTES],
}

impl Sealer {
    /// The key of the settings: `seal.key`, else the file `seal.key_file`, else `master.key` in the data directory,
    /// which is made (mode 0600) when it is missing.
    ///
    /// # Errors
    /// [`Error::Seal`] when the key is not 32 bytes in base64, [`Error::Directory`] when its file cannot be used.
    pub fn load(settings: &settings::Seal, data_dir: &Path) -> Result<Self> {
        if !settings.key.is_empty() {
            return Self::from_base64("seal.key", &settings.key);
        }
        if !settings.key_file.is_empty() {
            return Self::from_file(Path::new(&settings.key_file));
        }
        let path = data_dir.join(KEY_FILE);
        if !path.exists() {
            make_key_file(data_dir, &path).map_err(|source| unusable(&path, source))?;
        }
        Self::from_file(&path)
    }

    /// A sealer with this key.
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"grok2api key id").chain_update(key).finalize();
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest[..ID_BYTES]);
        Self { cipher: XChaCha20Poly1305::new(&key.into()), id }
    }

    /// Seals a secret for the row of this id.
    ///
    /// # Errors
    /// [`Error::Seal`] when the secret is too long for the cipher (256 GiB).
    pub fn seal(&self, row: &[u8], secret: &[u8]) -> Result<Vec<u8>> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: secret, aad: row };
        let sealed =
            self.cipher.encrypt(&nonce, payload).map_err(|_| Error::Seal("a secret is too long".into()))?;
        Ok([&[FORMAT], &self.id[..], &nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for the row of this id.
    ///
    /// # Errors
    /// [`Error::Seal`] when another key sealed it, or it was changed or moved to another row.
    pub fn open(&self, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let damaged = || Error::Seal("a sealed value is damaged or belongs to another row".into());
        let (&[format], rest) = sealed.split_first_chunk().ok_or_else(damaged)?;
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or_else(damaged)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        if format != FORMAT {
            return Err(Error::Seal(format!("a sealed value has the unknown format {format}")));
        }
        if *id != self.id {
            return Err(Error::Seal(format!(
                "sealed with key {}, but the key at hand is {}; set seal.key or seal.key_file to the key that was \
                 used before",
                hex(id),
                hex(&self.id)
            )));
        }
        self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: row }).map_err(|_| damaged())
    }

    /// What a store keeps to tell the right key from another.
    pub(crate) fn check_text(&self) -> Result<Vec<u8>> {
        self.seal(CHECK_ROW, CHECK_TEXT)
    }

    /// Refuses to go on with another key than the one that made `sealed`.
    pub(crate) fn check(&self, sealed: &[u8]) -> Result<()> {
        let opened = self.open(CHECK_ROW, sealed);
        opened.map(drop).map_err(|error| Error::Seal(format!("the store's secrets: {error}")))
    }

    fn from_file(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| unusable(path, source))?;
        Self::from_base64(&path.display().to_string(), &text)
    }

    fn from_base64(place: &str, text: &str) -> Result<Self> {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok();
        let key = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        key.map(Self::new).ok_or_else(|| {
            Error::Seal(format!("{place}: a key is {KEY_BYTES} bytes in base64 (44 characters)"))
        })
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", hex(&self.id))
    }
}

/// Makes the key beside its place and links it there, so that of two processes starting at once one wins whole.
fn make_key_file(data_dir: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(data_dir)?;
    let draft = data_dir.join(format!("{KEY_FILE}.{}", std::process::id()));
    let key = <[u8; KEY_BYTES]>::generate();
    let written = write_private(&draft, format!("{}\n", BASE64_STANDARD.encode(key)).as_bytes());
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&draft)?;
    linked?;
    File::open(data_dir)?.sync_all()
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn unusable(path: &Path, source: io::Error) -> Error {
    Error::Directory { path: path.display().to_string(), source }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn settings(key: &str, key_file: &str) -> settings::Seal {
        settings::Seal { key: key.into(), key_file: key_file.into() }
    }

    #[test]
    fn what_is_sealed_opens_and_never_looks_the_same_twice() {
        let sealer = Sealer::new([7; 32]);
        let (first, second) =
            (sealer.seal(b"row", b"secret").unwrap(), sealer.seal(b"row", b"secret").unwrap());
        assert_ne!(first, second);
        assert_eq!(sealer.open(b"row", &first).unwrap(), b"secret");
        assert!(!first.windows(6).any(|part| part == b"secret"));
    }

    #[test]
    fn a_wrong_key_is_named() {
        let sealed = Sealer::new([1; 32]).seal(b"row", b"secret").unwrap();
        let error = Sealer::new([2; 32]).open(b"row", &sealed).unwrap_err().to_string();
        assert!(error.contains("sealed with key") && error.contains("seal.key"), "{error}");
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let sealer = Sealer::new([1; 32]);
        let sealed = sealer.seal(b"row", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open(b"row", &changed).is_err(), "byte {at}");
            assert!(sealer.open(b"row", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_value_moved_to_another_row_does_not_open() {
        let sealer = Sealer::new([1; 32]);
        let sealed = sealer.seal(b"row one", b"secret").unwrap();
        assert!(sealer.open(b"row two", &sealed).is_err());
    }

    #[test]
    fn the_settings_win_over_the_file_and_the_file_over_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        fs::write(&file, format!("{}\n", BASE64_STANDARD.encode([2; 32]))).unwrap();
        let file = file.to_str().unwrap();
        let both = Sealer::load(&settings(&BASE64_STANDARD.encode([1; 32]), file), dir.path()).unwrap();
        assert_eq!(both.id, Sealer::new([1; 32]).id);
        assert_eq!(Sealer::load(&settings("", file), dir.path()).unwrap().id, Sealer::new([2; 32]).id);
        assert!(!dir.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_made_key_stays_and_is_readable_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let made = Sealer::load(&settings("", ""), &data).unwrap();
        assert_eq!(made.id, Sealer::load(&settings("", ""), &data).unwrap().id);
        let mode = fs::metadata(data.join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_bad_key_is_refused_without_being_shown() {
        let error = Sealer::load(&settings("not-a-key", ""), Path::new("/")).unwrap_err().to_string();
        assert!(error.starts_with("seal.key:") && !error.contains("not-a-key"), "{error}");
        let error = Sealer::load(&settings("", "/nowhere/key"), Path::new("/")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/key"), "{error}");
    }
}
