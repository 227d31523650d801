//! Identifiers that prove themselves.
//!
//! The first half of an id is derived from the seed, its owner and a running number; the second half is a checksum
//! over the first half and the owner. So "is this a picture of that account?" needs no table, and a simulator that
//! has drawn a million pictures holds none of them.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// What an id names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Conversation,
    Response,
    File,
    Image,
    Video,
    Post,
}

/// Issues and checks ids for one seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mint {
    seed: u64,
}

impl Kind {
    const fn tag(self) -> u8 {
        match self {
            Self::Conversation => b'c',
            Self::Response => b'r',
            Self::File => b'f',
            Self::Image => b'i',
            Self::Video => b'v',
            Self::Post => b'p',
        }
    }
}

impl Mint {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The user id of an SSO token. Who has signed in again has another one, with `.again` behind the first.
    pub(crate) fn user(self, token: &str) -> Uuid {
        let first = token.split_once(".again").map_or(token, |(first, _)| first);
        let digest = digest(&[b"user", &self.seed.to_le_bytes(), first.as_bytes()]);
        version_4(&digest[..16])
    }

    /// The `number`-th id of this kind for `owner`.
    pub(crate) fn issue(self, kind: Kind, owner: Uuid, number: u64) -> Uuid {
        let seed = self.seed.to_le_bytes();
        let digest = digest(&[&[kind.tag()], &seed, owner.as_bytes(), &number.to_le_bytes()]);
        // The version nibble must be in place before the checksum is taken over these bytes.
        let head = version_4(&digest[..16]);
        self.sealed(kind, owner, head)
    }

    /// Whether `id` was issued as this kind for `owner`.
    pub(crate) fn owned(self, kind: Kind, owner: Uuid, id: Uuid) -> bool {
        self.sealed(kind, owner, id) == id
    }

    /// A number that is the same for the same seed and salt, for seeded choices.
    pub(crate) fn number(self, salt: &[&[u8]]) -> u64 {
        let digest = digest(&[&self.seed.to_le_bytes(), &digest(salt)]);
        u64::from_le_bytes([
            digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
        ])
    }

    fn sealed(self, kind: Kind, owner: Uuid, id: Uuid) -> Uuid {
        let mut bytes = *id.as_bytes();
        let sum = digest(&[b"sum", &[kind.tag()], &self.seed.to_le_bytes(), owner.as_bytes(), &bytes[..8]]);
        bytes[8..].copy_from_slice(&sum[..8]);
        version_4(&bytes)
    }
}

/// SHA-256 over length-prefixed parts.
pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn version_4(bytes: &[u8]) -> Uuid {
    let mut raw = [0; 16];
    raw.copy_from_slice(bytes);
    Builder::from_random_bytes(raw).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_belongs_to_its_owner_kind_and_seed_only() {
        let mint = Mint::new(7);
        let (ann, bob) = (mint.user("sim-basic-ann"), mint.user("sim-basic-bob"));
        assert_eq!(mint.user("sim-basic-ann.again2"), ann, "one user may have several tokens");
        let id = mint.issue(Kind::Image, ann, 1);
        assert!(mint.owned(Kind::Image, ann, id));
        assert!(!mint.owned(Kind::Image, bob, id));
        assert!(!mint.owned(Kind::Video, ann, id));
        assert!(!Mint::new(8).owned(Kind::Image, ann, id));
        assert!(!mint.owned(Kind::Image, ann, ann));
    }

    #[test]
    fn ids_repeat_with_the_seed_and_differ_by_number() {
        let mint = Mint::new(7);
        let user = mint.user("sim-basic-ann");
        assert_eq!(mint.issue(Kind::Image, user, 1), Mint::new(7).issue(Kind::Image, user, 1));
        assert_ne!(mint.issue(Kind::Image, user, 1), mint.issue(Kind::Image, user, 2));
        assert_eq!(mint.number(&[b"a"]), mint.number(&[b"a"]));
    }
}
