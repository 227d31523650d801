//! Keys, and what each does with a value.

use std::fmt;

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, Payload},
};
use sha2::{Digest as _, Sha256};

use super::KEY_BYTES;
use crate::{Error, Result};

const FORMAT: u8 = 1;
const ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;

/// Names a key without telling anything of it: the beginning of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; ID_BYTES]);

/// One key with its name.
pub(super) struct Key {
    pub(super) id: KeyId,
    cipher: XChaCha20Poly1305,
}

/// The key that seals, and those that only open. Never empty.
pub(super) struct Ring {
    current: Key,
    older: Vec<Key>,
}

impl Ring {
    /// Of at least one key, the current one first.
    pub(super) fn of(keys: Vec<[u8; KEY_BYTES]>) -> Self {
        let mut keys = keys.into_iter().map(Key::new);
        let current = keys.next().unwrap_or_else(|| Key::new([0; KEY_BYTES]));
        Self { current, older: keys.collect() }
    }

    pub(super) fn current(&self) -> &Key {
        &self.current
    }

    pub(super) fn ids(&self) -> Vec<KeyId> {
        std::iter::once(&self.current).chain(&self.older).map(|key| key.id).collect()
    }

    /// `None` when none of the keys has sealed it.
    pub(super) fn open(&self, row: &[u8], sealed: &[u8]) -> Option<Result<Vec<u8>>> {
        let id = match header(sealed) {
            Ok((id, ..)) => id,
            Err(error) => return Some(Err(error)),
        };
        let key = std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id)?;
        Some(key.open(row, sealed))
    }
}

impl Key {
    fn new(key: [u8; KEY_BYTES]) -> Self {
        Self { id: KeyId::named(&key), cipher: XChaCha20Poly1305::new(&key.into()) }
    }

    pub(super) fn seal(&self, row: &[u8], secret: &[u8]) -> Result<Vec<u8>> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: secret, aad: row };
        let sealed =
            self.cipher.encrypt(&nonce, payload).map_err(|_| Error::Seal("a secret is too long".into()))?;
        Ok([&[FORMAT], &self.id.0[..], &nonce[..], &sealed].concat())
    }

    fn open(&self, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let (_, nonce, text) = header(sealed)?;
        self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: row }).map_err(|_| damaged())
    }
}

impl KeyId {
    /// The name of a key.
    pub(super) fn named(key: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"grok2api key id").chain_update(key).finalize();
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest[..ID_BYTES]);
        Self(id)
    }

    /// Which key sealed a value, if it is one.
    pub(crate) fn of(sealed: &[u8]) -> Option<Self> {
        header(sealed).ok().map(|(id, ..)| id)
    }

    /// Back from [`bytes`](Self::bytes).
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As they stand in a sealed value, behind its first byte.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::hex(&self.0))
    }
}

/// Key, nonce, and ciphertext with its tag.
fn header(sealed: &[u8]) -> Result<(KeyId, &[u8; NONCE_BYTES], &[u8])> {
    let (&[format], rest) = sealed.split_first_chunk().ok_or_else(damaged)?;
    let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or_else(damaged)?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
    if format != FORMAT {
        return Err(Error::Seal(format!("a sealed value has the unknown format {format}")));
    }
    Ok((KeyId(*id), nonce, text))
}

fn damaged() -> Error {
    Error::Seal("a sealed value is damaged or belongs to another row".into())
}
