//! Base64 in pieces: an image inside the content must never be one huge event, nor be held whole.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Characters of a full piece.
pub const PIECE: usize = 8192;
const BYTES: usize = PIECE / 4 * 3;

/// Cuts bytes that come in chunks of any size into pieces of base64 that can be joined.
#[derive(Default)]
pub struct Pieces {
    rest: Vec<u8>,
}

impl Pieces {
    /// Takes a chunk and gives every piece that is full.
    pub fn push(&mut self, mut chunk: &[u8], mut give: impl FnMut(&str)) {
        while self.rest.len() + chunk.len() >= BYTES {
            let (head, tail) = chunk.split_at(BYTES - self.rest.len());
            self.rest.extend_from_slice(head);
            give(&STANDARD.encode(&self.rest));
            self.rest.clear();
            chunk = tail;
        }
        self.rest.extend_from_slice(chunk);
    }

    /// Gives what is left.
    pub fn finish(&mut self, mut give: impl FnMut(&str)) {
        if !self.rest.is_empty() {
            give(&STANDARD.encode(&self.rest));
            self.rest.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_pieces_joined_are_the_whole(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 0..6)) {
            let (mut pieces, mut joined) = (Pieces::default(), String::new());
            for chunk in &chunks {
                pieces.push(chunk, |piece| {
                    assert_eq!(piece.len(), PIECE);
                    joined.push_str(piece);
                });
            }
            pieces.finish(|piece| {
                assert!(piece.len() <= PIECE);
                joined.push_str(piece);
            });
            prop_assert_eq!(joined, STANDARD.encode(chunks.concat()));
        }
    }
}
