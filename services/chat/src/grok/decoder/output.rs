//! What a read brought, with adjacent text joined.

use grok2api_proto::chat::{ChatEvent, Reasoning, Text, chat_event::Kind as Event};

/// One thing the decoder found.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Ready to be passed on.
    Event(ChatEvent),
    /// An image being drawn, its state at this upstream location still to be fetched.
    Preview {
        /// Which image.
        index: u32,
        /// How far it is.
        percent: u32,
        /// Where it is shown.
        location: String,
    },
    /// A final image at this upstream location, still to be fetched.
    Image(String),
    /// The video at this upstream location, still to be fetched.
    Video(String),
}

/// Collects outputs; text and reasoning grow until something else comes.
#[derive(Default)]
pub(super) struct Outputs {
    done: Vec<Output>,
    open: Open,
    /// Bytes of the current read: no text of it can be longer.
    expected: usize,
}

#[derive(Default)]
enum Open {
    #[default]
    Nothing,
    Text(String),
    Reasoning(Reasoning),
}

impl Outputs {
    pub(super) fn expect(&mut self, bytes: usize) {
        self.expected = bytes;
    }

    pub(super) fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Open::Text(open) = &mut self.open {
            return open.push_str(text);
        }
        self.close();
        self.open = Open::Text(self.string(text));
    }

    pub(super) fn reasoning(&mut self, text: &str, header: bool, late: bool) {
        if text.is_empty() {
            return;
        }
        if let Open::Reasoning(open) = &mut self.open
            && !header
            && !open.header
            && open.late == late
        {
            return open.text.push_str(text);
        }
        self.close();
        self.open = Open::Reasoning(Reasoning { text: self.string(text), header, late });
    }

    /// A quarter of the read is text at the most: the rest of a line is its frame.
    fn string(&self, text: &str) -> String {
        let mut string = String::with_capacity(text.len().max(self.expected / 4));
        string.push_str(text);
        string
    }

    pub(super) fn event(&mut self, event: Event) {
        self.push(Output::Event(ChatEvent::from(event)));
    }

    pub(super) fn push(&mut self, output: Output) {
        self.close();
        self.done.push(output);
    }

    fn close(&mut self) {
        match std::mem::take(&mut self.open) {
            Open::Nothing => {}
            Open::Text(text) => self.done.push(Text { text }.into()),
            Open::Reasoning(reasoning) => self.done.push(reasoning.into()),
        }
    }

    pub(super) fn drain_into(&mut self, out: &mut Vec<Output>) {
        self.close();
        out.append(&mut self.done);
    }
}

/// Unicode characters.
pub(super) fn chars(text: &str) -> u64 {
    text.chars().count() as u64
}
