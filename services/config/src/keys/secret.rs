//! Secrets of client keys.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

const SHOWN: usize = 4;

/// A new secret: 256 random bits behind the prefix.
pub(super) fn fresh(prefix: &str) -> String {
    format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// What people see of it: the prefix and its last characters.
pub(super) fn masked(prefix: &str, secret: &str) -> String {
    format!("{prefix}…{}", &secret[secret.len() - SHOWN..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_random_and_shown_by_its_end() {
        let secret = fresh("sk-");
        assert_eq!(secret.len(), "sk-".len() + 43);
        assert_ne!(secret, fresh("sk-"));
        let masked = masked("sk-", &secret);
        assert!(masked.starts_with("sk-…") && masked.ends_with(&secret[42..]), "{masked}");
    }
}
