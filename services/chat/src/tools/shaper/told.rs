//! Where a citation stands once markup was taken out of the text it stands in.

use std::collections::VecDeque;

use grok2api_proto::chat::Citation;

/// The text so far, in characters of what the model wrote.
#[derive(Debug, Default)]
pub(super) struct Told {
    written: u64,
    /// What was taken out: where, and how much.
    removed: Vec<(u64, u64)>,
    /// Citations of text that may still become a call.
    waiting: VecDeque<Citation>,
}

impl Told {
    pub(super) fn text(&mut self, text: &str) {
        self.written += text.chars().count() as u64;
    }

    pub(super) fn removed(&mut self, text: &str) {
        let characters = text.chars().count() as u64;
        self.removed.push((self.written, characters));
        self.written += characters;
    }

    pub(super) fn cite(&mut self, citation: Citation) {
        self.waiting.push_back(citation);
    }

    /// Tells the citations whose text is told; one inside a call is none.
    pub(super) fn citations(&mut self, mut tell: impl FnMut(Citation)) {
        while self.waiting.front().is_some_and(|citation| u64::from(citation.end) <= self.written) {
            let Some(citation) = self.waiting.pop_front() else { return };
            let (start, end) = (u64::from(citation.start), u64::from(citation.end));
            let inside = |(at, length): &(u64, u64)| start < at + length && end > *at;
            if !self.removed.iter().any(inside) {
                let before: u64 =
                    self.removed.iter().filter(|(at, _)| *at <= start).map(|(_, length)| length).sum();
                let moved = |offset: u64| u32::try_from(offset.saturating_sub(before)).unwrap_or(u32::MAX);
                tell(Citation { start: moved(start), end: moved(end), ..citation });
            }
        }
    }
}
