//! Secrets of client keys.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use grok2api_storage::client_keys::PREFIX;

const SHOWN: usize = 4;

/// A new secret: 256 random bits behind the prefix.
pub(super) fn fresh() -> String {
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// What people see of it: the prefix and its last characters.
pub(super) fn masked(secret: &str) -> String {
    format!("{PREFIX}…{}", &secret[secret.len() - SHOWN..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_random_and_shown_by_its_end() {
        let secret = fresh();
        assert_eq!(secret.len(), PREFIX.len() + 43);
        assert_ne!(secret, fresh());
        let masked = masked(&secret);
        assert!(masked.starts_with("sk-g2a-…") && masked.ends_with(&secret[46..]), "{masked}");
    }
}
