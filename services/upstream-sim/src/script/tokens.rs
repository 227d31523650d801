//! Text, cut into tokens the way a model would send it.

use bytes::Bytes;

/// How a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// A word with the space before it, or one wide character, or one emoji.
    Words,
    /// One token.
    Whole,
    /// So many characters each.
    Chars(usize),
}

/// A text on its way out.
#[derive(Debug)]
pub(crate) struct Speech {
    text: Box<str>,
    at: usize,
    /// The rest of every line after the token itself.
    pub(crate) tail: Bytes,
    pub(crate) grain: Grain,
    pub(crate) thinking: bool,
}

const WORDS: [&str; 24] = [
    " moon",
    " light",
    " river",
    "月",
    "光",
    " quiet",
    " orbit",
    " signal",
    "🌕",
    " over",
    " seven",
    " hills",
    "风",
    " the",
    " answer",
    " drifts",
    "，",
    " slowly",
    " home",
    "👩‍🚀",
    " again",
    " and",
    " again",
    ".",
];

impl Speech {
    pub(crate) fn new(text: &str, grain: Grain, thinking: bool, tail: Bytes) -> Self {
        Self { text: text.into(), at: 0, tail, grain, thinking }
    }

    /// Bytes left to say.
    pub(crate) fn len(&self) -> usize {
        self.text.len() - self.at
    }

    /// The next token, or nothing at the end.
    pub(crate) fn next_token(&mut self) -> Option<&str> {
        let start = self.at;
        let length = first_token(&self.text[start..], self.grain)?;
        self.at += length;
        Some(&self.text[start..self.at])
    }

    /// Keeps the first half of the tokens and returns the rest, if there is any.
    pub(crate) fn split_half(&mut self) -> Option<Self> {
        let rest = &self.text[self.at..];
        let half = (tokens(rest, self.grain).count() / 2).max(1);
        let middle = self.at + tokens(rest, self.grain).take(half).map(str::len).sum::<usize>();
        let second = Self::new(&self.text[middle..], self.grain, self.thinking, self.tail.clone());
        self.text = self.text[..middle].into();
        (second.len() > 0).then_some(second)
    }
}

/// A text of exactly `count` tokens; `salt` chooses where it begins.
pub(crate) fn words(count: usize, salt: u64) -> String {
    let start = (salt % WORDS.len() as u64) as usize;
    WORDS.iter().cycle().skip(start).take(count).copied().collect()
}

fn tokens(text: &str, grain: Grain) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, after) = rest.split_at(first_token(rest, grain)?);
        rest = after;
        Some(token)
    })
}

/// The length in bytes of the first token, or nothing for an empty text.
fn first_token(text: &str, grain: Grain) -> Option<usize> {
    if text.is_empty() {
        return None;
    }
    Some(match grain {
        Grain::Whole => text.len(),
        Grain::Chars(count) => text.char_indices().nth(count).map_or(text.len(), |(at, _)| at),
        Grain::Words => {
            let space = text.len() - text.trim_start().len();
            space + word(&text[space..])
        }
    })
}

/// The length of a run of narrow letters, else of one character with everything that joins it.
fn word(text: &str) -> usize {
    let narrow = text.find(|c: char| !is_narrow(c)).unwrap_or(text.len());
    if narrow > 0 {
        return narrow;
    }
    let mut joined = true;
    let end = text.char_indices().find(|&(_, c)| {
        let inside = joined || joins(c);
        joined = c == '\u{200D}';
        !inside
    });
    end.map_or(text.len(), |(at, _)| at)
}

fn is_narrow(c: char) -> bool {
    c.is_alphanumeric() && c < '\u{2E80}'
}

fn joins(c: char) -> bool {
    matches!(c, '\u{200D}' | '\u{FE0F}' | '\u{0300}'..='\u{036F}' | '\u{1F3FB}'..='\u{1F3FF}')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Hello there, moon", &["Hello", " there", ",", " moon"])]
    #[case("你好 world", &["你", "好", " world"])]
    #[case("👩‍🚀 go👍🏽e\u{301}", &["👩‍🚀", " go", "👍🏽", "e", "\u{301}"])]
    #[case("tail  ", &["tail", "  "])]
    #[case("", &[])]
    fn words_wide_characters_and_emoji(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(tokens(text, Grain::Words).collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case(1, 0)]
    #[case(100, 5)]
    #[case(977, 23)]
    fn generated_text_has_exactly_its_tokens(#[case] count: usize, #[case] salt: u64) {
        assert_eq!(tokens(&words(count, salt), Grain::Words).count(), count);
    }

    #[test]
    fn halves_lose_nothing() {
        let mut first = Speech::new("one two 三 four", Grain::Words, false, Bytes::new());
        let second = first.split_half().unwrap();
        assert_eq!((&*first.text, &*second.text), ("one two", " 三 four"));
        assert!(Speech::new("one", Grain::Words, false, Bytes::new()).split_half().is_none());
    }
}
