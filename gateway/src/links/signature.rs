//! What makes a link good for one item and for a time: `signature=SECONDS.MAC`.
//!
//! One parameter and no `&`, so that a link means the same in Markdown, in HTML and in JSON. The MAC is the HMAC-SHA256 of
//! kind, name and last second under the parameter `link_secret`, in base64 for addresses; every replica knows the secret.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use grok2api_proto::{Error, Kind as Failed, Result, config::RuntimeConfig, media::Kind};
use hmac::{Hmac, KeyInit as _, Mac as _, digest::Key};
use sha2::{Digest as _, Sha256};

/// Signs links, and knows its own again.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Nothing while links need no signature.
    pub(crate) fn of(config: &RuntimeConfig) -> Option<Self> {
        let secret = config.link_secret.as_bytes();
        if secret.is_empty() {
            return None;
        }
        // What HMAC makes of a key of any length (RFC 2104).
        let mut key = Key::<Hmac<Sha256>>::default();
        if secret.len() > key.len() {
            key[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            key[..secret.len()].copy_from_slice(secret);
        }
        Some(Self(Hmac::new(&key)))
    }

    pub(crate) fn sign(&self, kind: Kind, name: &str, expires: i64) -> String {
        let mac = self.over(kind, name, expires).finalize().into_bytes();
        format!("{expires}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// How many seconds a link is still good for.
    ///
    /// # Errors
    /// `link_not_signed`, `link_expired`. Whether there is such an item is not told.
    pub(crate) fn check(&self, kind: Kind, name: &str, given: Option<&str>, now: i64) -> Result<i64> {
        let Some(expires) = given.and_then(|given| self.genuine(kind, name, given)) else {
            return Err(refused("link_not_signed", "this link needs a signature, and has no good one"));
        };
        if expires <= now {
            return Err(refused("link_expired", "this link has expired"));
        }
        Ok(expires - now)
    }

    /// The last second that a signature of ours names.
    fn genuine(&self, kind: Kind, name: &str, given: &str) -> Option<i64> {
        let (expires, mac) = given.split_once('.')?;
        let (expires, mac) = (expires.parse().ok()?, URL_SAFE_NO_PAD.decode(mac).ok()?);
        self.over(kind, name, expires).verify_slice(&mac).is_ok().then_some(expires)
    }

    fn over(&self, kind: Kind, name: &str, expires: i64) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        let kind = if kind == Kind::Video { "video" } else { "image" };
        mac.update(format!("{kind}\n{name}\n{expires}").as_bytes());
        mac
    }
}

fn refused(code: &'static str, message: &str) -> Error {
    Error::new(Failed::PermissionDenied, code, message)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn signer(secret: &str) -> Signer {
        Signer::of(&RuntimeConfig { link_secret: secret.into(), ..Default::default() }).unwrap()
    }

    #[rstest]
    #[case("0123456789abcdef", "1000.5pMC5ABK0vN0Wx0Y7hEKppFwOx8TyRx0Pymn4gC48Ro")]
    #[case(&"k".repeat(64), "1000.qv2pXlkxbvnt1Rv5-F5p9TG7VDf9fqHMcjkuJEGs5Cw")]
    #[case(&"k".repeat(100), "1000.THAaW48hiZnlPQ4wfsp4mDoYSZI7uOqEU58vHgHHCYo")]
    fn a_signature_is_the_hmac_that_others_compute(#[case] secret: &str, #[case] expected: &str) {
        assert_eq!(signer(secret).sign(Kind::Image, "a.jpg", 1000), expected);
    }

    #[test]
    fn a_signature_is_good_for_its_item_and_its_time() {
        let (ours, other) = (signer("0123456789abcdef"), signer("0123456789abcdeg"));
        let good = ours.sign(Kind::Image, "a.jpg", 1000);
        assert_eq!(ours.check(Kind::Image, "a.jpg", Some(&good), 990).unwrap(), 10);
        let code = |signer: &Signer, kind, name, given: Option<&str>, now| {
            signer.check(kind, name, given, now).unwrap_err().code.into_owned()
        };
        assert_eq!(code(&ours, Kind::Image, "a.jpg", Some(&good), 1000), "link_expired");
        let later = good.replace("1000.", "2000.");
        for (signer, kind, name, given) in [
            (&ours, Kind::Image, "b.jpg", Some(good.as_str())),
            (&ours, Kind::Video, "a.jpg", Some(&good)),
            (&other, Kind::Image, "a.jpg", Some(&good)),
            (&ours, Kind::Image, "a.jpg", Some(&later)),
            (&ours, Kind::Image, "a.jpg", Some(&good[..good.len() - 1])),
            (&ours, Kind::Image, "a.jpg", Some("1000")),
            (&ours, Kind::Image, "a.jpg", Some("1000.")),
            (&ours, Kind::Image, "a.jpg", Some("")),
            (&ours, Kind::Image, "a.jpg", None),
        ] {
            assert_eq!(code(signer, kind, name, given, 990), "link_not_signed", "{name} {given:?}");
        }
    }

    #[test]
    fn without_a_secret_nothing_is_signed_and_none_is_shown() {
        assert!(Signer::of(&RuntimeConfig::default()).is_none());
        assert_eq!(format!("{:?}", signer("0123456789abcdef")), "Signer");
    }
}
