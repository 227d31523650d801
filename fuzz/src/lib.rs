//! How the fuzzer's bytes are read: as text in which marks say where the network cut it, so that seeds can be read and
//! written by people.

pub mod sse;
pub mod told;

/// Where a stream is cut.
pub const CUT: char = '\u{1e}';
/// Between the fields of a record.
pub const FIELD: char = '\u{1f}';

/// Takes the flags off the beginning of a text; those that there are.
pub fn flags<'t>(known: &str, text: &'t str) -> (&'t str, &'t str) {
    let end = text.find(|letter| !known.contains(letter)).unwrap_or(text.len());
    text.split_at(end)
}

/// A text in the pieces its marks make of it.
pub fn pieces(text: &str) -> Vec<&str> {
    text.split(CUT).collect()
}

/// The letters of a text, each alone.
pub fn letters(text: &str) -> Vec<&str> {
    text.split("").collect()
}
