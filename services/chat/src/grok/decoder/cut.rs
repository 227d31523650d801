//! Where an answer ends because the request says so: at a stop sequence, or after so many tokens.

use super::finish::CHARS_PER_TOKEN;

/// Ends a text that comes in pieces before the first stop sequence that is complete. What may be the beginning of one
/// is held back, so the result does not depend on where the pieces were cut.
#[derive(Debug, Default)]
pub(super) struct Stops {
    sequences: Vec<String>,
    /// The longest end of the text that is the beginning of a sequence.
    held: String,
    met: bool,
}

/// How much may still be said, in characters; without a number, everything.
#[derive(Debug)]
pub(super) struct Allowance {
    left: Option<u64>,
    exceeded: bool,
}

impl Stops {
    pub(super) fn new(sequences: &[String]) -> Self {
        let sequences = sequences.iter().filter(|sequence| !sequence.is_empty()).cloned().collect();
        Self { sequences, ..Self::default() }
    }

    pub(super) fn is_met(&self) -> bool {
        self.met
    }

    /// Characters held back.
    pub(super) fn held(&self) -> u64 {
        super::chars(&self.held)
    }

    /// Takes more text and shows what no sequence can take back any more.
    pub(super) fn push(&mut self, text: &str, mut show: impl FnMut(&str)) {
        if self.met || text.is_empty() {
            return;
        }
        if self.sequences.is_empty() {
            return show(text);
        }
        self.held.push_str(text);
        let kept = match self.first() {
            Some(start) => {
                self.met = true;
                start
            }
            None => self.held.len() - self.beginning(),
        };
        if kept > 0 {
            show(&self.held[..kept]);
        }
        self.held.drain(..kept);
        if self.met {
            self.held.clear();
        }
    }

    /// Nothing follows: what is held is text.
    pub(super) fn finish(&mut self, mut show: impl FnMut(&str)) {
        if !self.held.is_empty() {
            show(&std::mem::take(&mut self.held));
        }
    }

    /// Where the sequence begins that is complete first; of several complete at once, the longest.
    fn first(&self) -> Option<usize> {
        let found = |sequence: &String| {
            let start = self.held.find(sequence.as_str())?;
            Some((start + sequence.len(), start))
        };
        self.sequences.iter().filter_map(found).min().map(|(_, start)| start)
    }

    /// Length of the longest end that is the beginning of a sequence, in bytes.
    fn beginning(&self) -> usize {
        let longest = |sequence: &String| {
            let ends = sequence.char_indices().map(|(end, _)| end).rev();
            ends.into_iter().find(|&end| self.held.ends_with(&sequence[..end])).unwrap_or(0)
        };
        self.sequences.iter().map(longest).max().unwrap_or(0)
    }
}

impl Allowance {
    pub(super) fn new(tokens: Option<u64>) -> Self {
        Self { left: tokens.map(|tokens| tokens.saturating_mul(CHARS_PER_TOKEN)), exceeded: false }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    /// As much of the text as may be said.
    pub(super) fn take<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(left) = &mut self.left else { return text };
        let end = usize::try_from(*left).ok().and_then(|left| text.char_indices().nth(left));
        let allowed = end.map_or(text, |(end, _)| &text[..end]);
        self.exceeded |= end.is_some();
        *left -= super::chars(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn cut(pieces: &[&str], sequences: &[&str]) -> (String, bool) {
        let sequences: Vec<String> = sequences.iter().map(|&sequence| sequence.to_owned()).collect();
        let (mut stops, mut shown) = (Stops::new(&sequences), String::new());
        for piece in pieces {
            stops.push(piece, |text| shown.push_str(text));
        }
        stops.finish(|text| shown.push_str(text));
        (shown, stops.is_met())
    }

    #[rstest]
    #[case::none(&["abc"], &[], "abc", false)]
    #[case::empty(&["abc"], &[""], "abc", false)]
    #[case::inside(&["hello END world"], &["END"], "hello ", true)]
    #[case::split(&["hello E", "N", "D world"], &["END"], "hello ", true)]
    #[case::at_the_beginning(&["END"], &["END"], "", true)]
    #[case::false_alarm(&["E", "NE", "ND"], &["END"], "EN", true)]
    #[case::never_complete(&["the EN"], &["END"], "the EN", false)]
    #[case::first_of_two(&["one two"], &["two", "one"], "", true)]
    #[case::complete_first(&["abcd"], &["abcd", "bc"], "a", true)]
    #[case::longest_of_those_complete_at_once(&["abc"], &["bc", "abc"], "", true)]
    #[case::wide(&["你好", "世界"], &["好世"], "你", true)]
    #[case::line_feeds(&["a\n", "\nb"], &["\n\n"], "a", true)]
    fn an_answer_ends_before_its_stop(
        #[case] pieces: &[&str],
        #[case] sequences: &[&str],
        #[case] shown: &str,
        #[case] met: bool,
    ) {
        assert_eq!(cut(pieces, sequences), (shown.to_owned(), met));
    }

    /// What the definition says, looked for at every place.
    fn expected(text: &str, sequences: &[String]) -> (String, bool) {
        for end in text.char_indices().map(|(at, letter)| at + letter.len_utf8()) {
            let ends = |sequence: &&String| !sequence.is_empty() && text[..end].ends_with(sequence.as_str());
            if let Some(longest) = sequences.iter().filter(ends).map(String::len).max() {
                return (text[..end - longest].to_owned(), true);
            }
        }
        (text.to_owned(), false)
    }

    proptest! {
        /// Split anywhere, no part of a stop sequence is shown and nothing before it is lost.
        #[test]
        fn the_cut_does_not_depend_on_the_pieces(
            pieces in prop::collection::vec("[ab月]{0,4}", 0..8),
            sequences in prop::collection::vec("[ab月]{0,3}", 0..4),
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let wanted: Vec<&str> = sequences.iter().map(String::as_str).collect();
            prop_assert_eq!(cut(&pieces, &wanted), expected(&pieces.concat(), &sequences));
        }

        #[test]
        fn an_allowance_is_never_exceeded_and_never_wasted(
            pieces in prop::collection::vec("[ab月]{0,6}", 0..8), tokens in 0u64..8,
        ) {
            let mut allowance = Allowance::new(Some(tokens));
            let said: String = pieces.iter().map(|piece| allowance.take(piece)).collect();
            let whole = pieces.concat();
            let most = usize::try_from(tokens * CHARS_PER_TOKEN).unwrap();
            prop_assert_eq!(said, whole.chars().take(most).collect::<String>());
            prop_assert_eq!(allowance.is_exceeded(), whole.chars().count() > most);
        }
    }
}
