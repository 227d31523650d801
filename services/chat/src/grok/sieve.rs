//! Takes markup out of streamed text, wherever the stream cut it (`grok-web-protocol.md` sections 3.5 to 3.7).
//!
//! Names with a colon (`grok:render`, `xai:tool_usage_card`) are the upstream's internal markup: the element goes
//! with its content. Other names (`xaiartifact`) wrap the answer itself: their tags go, the content stays. Text that
//! only looks like a tag is never swallowed, and nothing is held back longer than [`MAX_HELD`] bytes.

use memchr::memchr;

/// Longest element waited for, in bytes.
const MAX_HELD: usize = 64 * 1024;

/// Separates text from the watched elements.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    watched: Vec<String>,
    /// Empty, or text that begins with the `<` of what may be a watched tag.
    held: String,
    /// Up to where `held` has been searched for the closing tag.
    searched: usize,
}

/// What the sieve lets through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    /// A whole element with its tags.
    Element(&'a str),
}

enum Verdict {
    /// More is needed to tell.
    Wait,
    /// The `<` is plain text.
    Plain,
    /// A whole element, up to here.
    Element(usize),
    /// A tag to drop, up to here.
    Tag(usize),
}

impl Sieve {
    /// Watches for the given names; case does not matter.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let watched = names.into_iter().map(str::to_ascii_lowercase).collect();
        Self { watched, held: String::new(), searched: 0 }
    }

    /// Takes the next piece of text.
    pub(crate) fn push(&mut self, text: &str, mut emit: impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            self.held.push_str(text);
        } else if let Some(at) = memchr(b'<', text.as_bytes()) {
            if at > 0 {
                emit(Piece::Text(&text[..at]));
            }
            self.held.push_str(&text[at..]);
        } else {
            return emit(Piece::Text(text));
        }
        self.settle(&mut emit);
    }

    /// Gives back what is still held: it never became an element.
    pub(crate) fn finish(&mut self, mut emit: impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            emit(Piece::Text(&self.held));
            self.take(self.held.len());
        }
    }

    fn settle(&mut self, emit: &mut impl FnMut(Piece<'_>)) {
        while !self.held.is_empty() {
            match self.judge() {
                Verdict::Wait if self.held.len() <= MAX_HELD => return,
                Verdict::Wait | Verdict::Plain => {
                    let next = memchr(b'<', &self.held.as_bytes()[1..]).map_or(self.held.len(), |at| at + 1);
                    emit(Piece::Text(&self.held[..next]));
                    self.take(next);
                }
                Verdict::Element(end) => {
                    emit(Piece::Element(&self.held[..end]));
                    self.take_to_tag(end, emit);
                }
                Verdict::Tag(end) => self.take_to_tag(end, emit),
            }
        }
    }

    /// Removes the front, and lets the plain text behind it through.
    fn take_to_tag(&mut self, end: usize, emit: &mut impl FnMut(Piece<'_>)) {
        let next = memchr(b'<', &self.held.as_bytes()[end..]).map_or(self.held.len(), |at| end + at);
        if next > end {
            emit(Piece::Text(&self.held[end..next]));
        }
        self.take(next);
    }

    fn take(&mut self, end: usize) {
        self.held.drain(..end);
        self.searched = 0;
    }

    fn judge(&mut self) -> Verdict {
        let bytes = self.held.as_bytes();
        let closing = bytes.get(1) == Some(&b'/');
        let name_at = if closing { 2 } else { 1 };
        let body = &bytes[name_at..];
        let mut undecided = false;
        for (index, name) in self.watched.iter().enumerate() {
            let shared = body.len().min(name.len());
            if !body[..shared].eq_ignore_ascii_case(&name.as_bytes()[..shared]) {
                continue;
            }
            match body.get(name.len()) {
                None => undecided = true,
                Some(b'>' | b'/') => return self.judge_tag(index, closing, name_at + name.len()),
                Some(space) if space.is_ascii_whitespace() => {
                    return self.judge_tag(index, closing, name_at + name.len());
                }
                Some(_) => {}
            }
        }
        if undecided { Verdict::Wait } else { Verdict::Plain }
    }

    fn judge_tag(&mut self, index: usize, closing: bool, attributes_at: usize) -> Verdict {
        let name = &self.watched[index];
        let bytes = self.held.as_bytes();
        let Some(end) = tag_end(bytes, attributes_at) else { return Verdict::Wait };
        let with_content = name.contains(':');
        let complete = closing || bytes[end - 2] == b'/';
        match (with_content, complete) {
            (false, _) => Verdict::Tag(end),
            (true, true) if closing => Verdict::Tag(end),
            (true, true) => Verdict::Element(end),
            (true, false) => {
                let from = end.max(self.searched.saturating_sub(name.len() + 2));
                match closing_tag(bytes, from, name) {
                    Some(end) => Verdict::Element(end),
                    None => {
                        self.searched = self.held.len();
                        Verdict::Wait
                    }
                }
            }
        }
    }
}

/// Behind the `>` of the tag, quotes respected.
fn tag_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut quote = None;
    for (offset, &byte) in bytes[from..].iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(from + offset + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Behind `</name…>`.
fn closing_tag(bytes: &[u8], from: usize, name: &str) -> Option<usize> {
    let mut at = from;
    while let Some(offset) = memchr(b'<', &bytes[at..]) {
        let start = at + offset;
        let body = bytes.get(start + 2..start + 2 + name.len())?;
        if bytes[start + 1] == b'/' && body.eq_ignore_ascii_case(name.as_bytes()) {
            let end = memchr(b'>', &bytes[start..])?;
            return Some(start + end + 1);
        }
        at = start + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const NAMES: [&str; 3] = ["xaiartifact", "xai:tool_usage_card", "grok:render"];

    /// Text as it comes out, elements as `{…}`.
    fn sift(pieces: &[&str]) -> String {
        let mut sieve = Sieve::new(NAMES);
        let mut out = String::new();
        let mut emit = |piece: Piece<'_>| match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Element(element) => out.push_str(&format!("{{{}}}", element.len())),
        };
        for piece in pieces {
            sieve.push(piece, &mut emit);
        }
        sieve.finish(&mut emit);
        out
    }

    #[rstest]
    #[case::no_markup("a < b and c > d", "a < b and c > d")]
    #[case::element("a<grok:render id=\"1\"><x>y</x></grok:render>b", "a{42}b")]
    #[case::self_closing("a<grok:render id=\"1>2\"/>b", "a{23}b")]
    #[case::upper_case("<XAI:Tool_Usage_Card>x</XAI:TOOL_USAGE_CARD>", "{44}")]
    #[case::only_tags_go("<xaiArtifact id=\"1\">code</xaiArtifact>", "code")]
    #[case::looks_like_one("<grok:rendering>x</grok:rendering>", "<grok:rendering>x</grok:rendering>")]
    #[case::never_closed("say <grok:render> and go on", "say <grok:render> and go on")]
    #[case::html_stays("<b>x</b><div class=\"y\">", "<b>x</b><div class=\"y\">")]
    #[case::two_in_a_row("<grok:render a=\"1\"/><grok:render a=\"2\"/>.", "{20}{20}.")]
    #[case::stray_closing("a</grok:render>b", "ab")]
    #[case::text_at_the_end("a<", "a<")]
    #[case::many_brackets("<<<grok:render/>>>", "<<{14}>>")]
    fn markup_goes_and_text_stays(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(sift(&[text]), expected);
    }

    #[test]
    fn an_element_that_never_ends_is_let_through_at_the_limit() {
        let filler = "x".repeat(MAX_HELD);
        let mut sieve = Sieve::new(NAMES);
        let mut passed = 0;
        sieve.push("<grok:render a=\"1\">", |_| panic!("held"));
        sieve.push(&filler, |piece| {
            if let Piece::Text(text) = piece {
                passed += text.len();
            }
        });
        assert!(passed > MAX_HELD);
    }

    proptest! {
        #[test]
        fn cuts_anywhere_change_nothing(cuts in proptest::collection::vec(0usize..200, 0..20)) {
            let text = "日<grok:render id=\"é>\"><a>ü</a></grok:render>本<b>🦀</b><xaiArtifact t=\"x\">fn<T>() {}</xaiArtifact><grok:rende r> <xai:tool_usage_card/>";
            let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut % text.len()).filter(|&cut| text.is_char_boundary(cut)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let pieces: Vec<&str> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(sift(&pieces), sift(&[text]));
        }

        #[test]
        fn text_without_watched_names_passes_whole(text in "[a-z<>/ \"=é]{0,60}") {
            prop_assert_eq!(sift(&[&text]), text);
        }
    }
}
