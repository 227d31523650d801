//! From bytes to objects, whatever the framing: one per line, SSE-prefixed, or concatenated
//! (`grok-web-protocol.md` section 3.1).
//!
//! The scanner looks for balanced top-level objects and skips everything between them, so `data:`, `event:`,
//! `[DONE]`, blank lines and text that is no JSON need no case of their own. It keeps its place between reads: no
//! byte is looked at twice, wherever the network cut.

use memchr::{memchr, memchr3, memmem};

/// Longest object taken, in bytes.
pub const MAX_OBJECT: usize = 8 * 1024 * 1024;
/// What an SSE-framed stream says at its end.
const DONE: &[u8] = b"[DONE]";

/// Finds the objects in a stream of reads.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
    /// Everything before it has been looked at.
    at: usize,
    /// Where the object being scanned begins.
    start: usize,
    depth: u32,
    in_string: bool,
    /// Last byte outside strings that is not white space: tells whether a value may begin here.
    previous: u8,
    broken: usize,
    /// The last object was given up, and no whole one has come since.
    cut: bool,
    done: bool,
    /// Bytes at the end that may begin [`DONE`].
    tail: usize,
}

/// Why the stream of objects cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// An object longer than [`MAX_OBJECT`].
    TooLong,
    /// The stream ended inside an object.
    Truncated,
}

impl Frames {
    /// Takes what one read brought.
    pub fn push(&mut self, read: &[u8]) {
        self.at -= std::mem::take(&mut self.tail);
        let done = if self.depth == 0 { self.at } else { self.start };
        if done > 0 {
            self.buffer.drain(..done);
            self.at -= done;
            self.start = 0;
        }
        self.buffer.extend_from_slice(read);
    }

    /// The next complete object.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn next_object(&mut self) -> Result<Option<&[u8]>, FrameError> {
        while self.at < self.buffer.len() {
            let end = if self.depth == 0 {
                self.find_start();
                None
            } else if self.in_string {
                if !self.skip_string() {
                    break;
                }
                None
            } else {
                self.scan_structure()
            };
            if let Some(end) = end {
                self.cut = false;
                return Ok(Some(&self.buffer[self.start..end]));
            }
        }
        if self.depth > 0 && self.buffer.len() - self.start > MAX_OBJECT {
            return Err(FrameError::TooLong);
        }
        Ok(None)
    }

    /// Says whether the stream may end here.
    ///
    /// # Errors
    /// [`FrameError::Truncated`] inside an object.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.depth > 0 || self.cut { Err(FrameError::Truncated) } else { Ok(()) }
    }

    /// Whether the stream has said `[DONE]`.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// How many objects were given up because they were cut and another began.
    pub fn broken(&self) -> usize {
        self.broken
    }

    fn find_start(&mut self) {
        let start = memchr(b'{', &self.buffer[self.at..]).map(|offset| self.at + offset);
        let between = &self.buffer[self.at..start.unwrap_or(self.buffer.len())];
        self.done |= memmem::find(between, DONE).is_some();
        match start {
            Some(start) => self.begin(start),
            // The word may be cut: its beginning is kept.
            None => {
                self.tail = between.len().min(DONE.len() - 1);
                self.at = self.buffer.len();
            }
        }
    }

    fn begin(&mut self, start: usize) {
        self.start = start;
        self.at = start + 1;
        self.depth = 1;
        self.in_string = false;
        self.previous = b'{';
    }

    /// Moves behind the string's end, or to the end of the buffer. False when more bytes are needed to go on.
    fn skip_string(&mut self) -> bool {
        match memchr3(b'"', b'\\', b'\n', &self.buffer[self.at..]) {
            None => self.at = self.buffer.len(),
            Some(offset) => {
                let at = self.at + offset;
                match self.buffer[at] {
                    b'\\' if at + 1 == self.buffer.len() => {
                        self.at = at;
                        return false;
                    }
                    b'\\' => self.at = at + 2,
                    b'"' => {
                        self.at = at + 1;
                        self.in_string = false;
                        self.previous = b'"';
                    }
                    // No JSON string holds a raw line feed: the line was cut, the next one is whole.
                    _ => {
                        self.at = at + 1;
                        self.abandon();
                    }
                }
            }
        }
        true
    }

    /// Walks braces until a string begins or the object ends; gives the object's end.
    fn scan_structure(&mut self) -> Option<usize> {
        while let Some(&byte) = self.buffer.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => {
                    self.in_string = true;
                    return None;
                }
                // A value cannot begin here: what came before was cut, and this is the next object.
                b'{' if !matches!(self.previous, b':' | b',' | b'[') => {
                    self.broken += 1;
                    self.begin(self.at - 1);
                }
                b'{' => {
                    self.depth += 1;
                    self.previous = byte;
                }
                b'}' => {
                    self.depth -= 1;
                    self.previous = byte;
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => self.previous = byte,
            }
        }
        None
    }

    fn abandon(&mut self) {
        self.broken += 1;
        self.cut = true;
        self.depth = 0;
        self.in_string = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn objects(reads: &[&[u8]]) -> (Vec<String>, Result<(), FrameError>) {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for read in reads {
            frames.push(read);
            while let Some(object) = frames.next_object().unwrap() {
                found.push(String::from_utf8(object.to_vec()).unwrap());
            }
        }
        (found, frames.finish())
    }

    #[rstest]
    #[case::lines("{\"a\":1}\n{\"b\":2}\n", &["{\"a\":1}", "{\"b\":2}"])]
    #[case::crlf("{\"a\":1}\r\n\r\n{\"b\":2}\r\n", &["{\"a\":1}", "{\"b\":2}"])]
    #[case::sse("event: x\ndata: {\"a\":1}\n\ndata: [DONE]\n\n", &["{\"a\":1}"])]
    #[case::concatenated("{\"a\":{\"c\":[{},{}]}}{\"b\":2}", &["{\"a\":{\"c\":[{},{}]}}", "{\"b\":2}"])]
    #[case::braces_in_strings("{\"a\":\"}{\\\"}\"}{\"b\":\"\\\\\"}", &["{\"a\":\"}{\\\"}\"}", "{\"b\":\"\\\\\"}"])]
    #[case::garbage_between("oops\n{\"a\":1}\n}\n]\n{\"b\":2}", &["{\"a\":1}", "{\"b\":2}"])]
    #[case::line_separators_in_strings("{\"a\":\"x\u{2028}y\u{85}\"}\n", &["{\"a\":\"x\u{2028}y\u{85}\"}"])]
    #[case::cut_in_a_string("{\"a\":\"x\n{\"b\":2}\n", &["{\"b\":2}"])]
    #[case::cut_in_structure("{\"a\":1\n{\"b\":2}\n", &["{\"b\":2}"])]
    #[case::cut_after_a_value("{\"a\":{\"c\":true\n{\"b\":2}\n", &["{\"b\":2}"])]
    #[case::pretty_printed("{\n  \"a\": {\n    \"b\": [\n      {\n      }\n    ]\n  }\n}\n", &["{\n  \"a\": {\n    \"b\": [\n      {\n      }\n    ]\n  }\n}"])]
    #[case::blank("  \n\t\n", &[])]
    fn every_framing_gives_the_same_objects(#[case] text: &str, #[case] expected: &[&str]) {
        let (found, end) = objects(&[text.as_bytes()]);
        assert_eq!(found, expected);
        assert_eq!(end, Ok(()));
    }

    #[test]
    fn an_end_inside_an_object_is_noticed() {
        assert_eq!(objects(&[b"{\"a\":1}\n{\"b\":\"x"]).1, Err(FrameError::Truncated));
        assert_eq!(objects(&[b"{\"a\":1}\n{\"b\":"]).1, Err(FrameError::Truncated));
    }

    #[test]
    fn an_endless_object_is_refused() {
        let mut frames = Frames::default();
        frames.push(b"{\"a\":\"");
        let chunk = vec![b'x'; 1024 * 1024];
        let refused = (0..9).find_map(|_| {
            frames.push(&chunk);
            frames.next_object().err()
        });
        assert_eq!(refused, Some(FrameError::TooLong));
    }

    #[rstest]
    #[case::in_a_string("{\"a\":1}\n{\"b\":\"x\n")]
    #[case::in_structure("{\"a\":1}\n{\"b\":1\n")]
    fn a_cut_line_at_the_end_is_a_cut_stream(#[case] text: &str) {
        assert_eq!(objects(&[text.as_bytes()]).1, Err(FrameError::Truncated));
        assert_eq!(objects(&[text.as_bytes(), b"{\"c\":2}\n"]).1, Ok(()), "unless a whole object follows");
    }

    #[rstest]
    #[case(&["{\"a\":1}\ndata: [DONE]\n\n"], true)]
    #[case(&["{\"a\":1}\ndata: [DO", "NE]\n\n"], true)]
    #[case(&["{\"a\":1}\n", "[", "D", "O", "N", "E", "]"], true)]
    #[case(&["{\"a\":\"[DONE]\"}\n"], false)]
    #[case(&["[DO", "{\"a\":1}", "NE]"], false)]
    fn the_end_is_recognised_wherever_it_is_cut(#[case] reads: &[&str], #[case] done: bool) {
        let mut frames = Frames::default();
        for read in reads {
            frames.push(read.as_bytes());
            while frames.next_object().unwrap().is_some() {}
        }
        assert_eq!(frames.is_done(), done);
    }

    proptest! {
        #[test]
        fn cuts_anywhere_change_nothing(cuts in proptest::collection::vec(0usize..400, 0..12)) {
            let text = "data: {\"a\":\"日本 \\\" {x}\"}\n{\"b\":{\"c\":[{\"d\":\"é\\\\\"},{}]}}{\"e\":null}\nevent: y\n{\"f\":\"🦀\"}";
            let whole = objects(&[text.as_bytes()]).0;
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut % text.len()).collect();
            at.push(0);
            at.push(text.len());
            at.sort_unstable();
            let reads: Vec<&[u8]> = at.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(objects(&reads).0, whole);
        }

        #[test]
        fn arbitrary_bytes_never_panic(reads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..16)) {
            let mut frames = Frames::default();
            for read in &reads {
                frames.push(read);
                while let Ok(Some(object)) = frames.next_object() {
                    let braced = object.starts_with(b"{") && object.ends_with(b"}");
                    prop_assert!(braced);
                }
            }
        }
    }
}
