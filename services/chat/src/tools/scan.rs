//! Where a JSON value ends in text that is still coming: aware of strings, and never read twice.

use memchr::memchr2;

use super::{CLOSE, OPEN};

/// How far a value has been read.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes read.
    at: usize,
    depth: usize,
    /// The quote that closes the string being read.
    quote: Option<u8>,
}

/// What the scan found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// More is needed.
    Nothing,
    /// The value ends before this byte.
    End(usize),
    /// The value never ended: markup follows at this byte.
    Markup(usize),
}

impl Scan {
    pub(super) fn from(at: usize) -> Self {
        Self { at, ..Self::default() }
    }

    /// Goes on reading; `text` is all there is so far, from its beginning.
    pub(super) fn go_on(&mut self, text: &str) -> Found {
        let bytes = text.as_bytes();
        while self.at < bytes.len() {
            match self.quote {
                Some(quote) => {
                    if !self.string(bytes, quote) {
                        return Found::Nothing;
                    }
                }
                None => match self.outside(text) {
                    Some(found) => return found,
                    None => self.at += 1,
                },
            }
        }
        Found::Nothing
    }

    /// Reads a string; false when it goes on behind what is there.
    fn string(&mut self, bytes: &[u8], quote: u8) -> bool {
        let Some(offset) = memchr2(quote, b'\\', &bytes[self.at..]) else {
            self.at = bytes.len();
            return false;
        };
        let at = self.at + offset;
        if bytes[at] == quote {
            self.quote = None;
            self.at = at + 1;
            return true;
        }
        // An escape: whatever follows is not looked at, once it is there.
        let whole = at + 1 < bytes.len();
        self.at = if whole { at + 2 } else { at };
        whole
    }

    fn outside(&mut self, text: &str) -> Option<Found> {
        match text.as_bytes()[self.at] {
            quote @ (b'"' | b'\'') => self.quote = Some(quote),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.at += 1;
                    return Some(Found::End(self.at));
                }
            }
            b'<' => {
                let rest = &text[self.at..];
                if rest.starts_with(CLOSE) || rest.starts_with(OPEN) {
                    return Some(Found::Markup(self.at));
                }
                if CLOSE.starts_with(rest) || OPEN.starts_with(rest) {
                    return Some(Found::Nothing);
                }
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("{}", Found::End(2))]
    #[case("{\"a\": [1, {}]} x", Found::End(14))]
    #[case("{\"a\": \"</tool_call>}\"}", Found::End(22))]
    #[case("{\"a\": \"\\\"}\"}", Found::End(12))]
    #[case("{'a': \"it's\"}", Found::End(13))]
    #[case("{\"a\": 1</tool_call>", Found::Markup(7))]
    #[case("{\"a\": 1<tool_call>", Found::Markup(7))]
    #[case("{\"a\": 1 < 2", Found::Nothing)]
    #[case("{\"a\": \"never", Found::Nothing)]
    fn ends_are_found(#[case] text: &str, #[case] expected: Found) {
        assert_eq!(Scan::default().go_on(text), expected);
        let mut scan = Scan::default();
        let ends = text.char_indices().map(|(at, letter)| at + letter.len_utf8());
        let found = ends.map(|end| scan.go_on(&text[..end])).find(|found| *found != Found::Nothing);
        assert_eq!(found.unwrap_or(Found::Nothing), expected, "letter by letter");
    }
}
