//! Secrets of sessions: 256 random bits, of which only a digest is kept.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use grok2api_storage::sessions::Digest;
use rand::random;
use sha2::{Digest as _, Sha256};

/// A new secret and its digest.
pub(super) fn fresh() -> (String, Digest) {
    let secret = URL_SAFE_NO_PAD.encode(random::<[u8; 32]>());
    let digest = Sha256::digest(secret.as_bytes()).into();
    (secret, digest)
}
