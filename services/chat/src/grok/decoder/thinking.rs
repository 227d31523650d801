//! Which channel a token belongs to (`grok-web-protocol.md` sections 3.4, 3.13, 3.15).

use super::super::line::Response;

/// Where a token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Answer,
    Thought {
        /// A step's title.
        header: bool,
    },
    /// The upstream's own markup.
    Hidden,
}

/// Thinking until the first visible answer text; what is thought later is late.
#[derive(Debug, Default)]
pub(super) struct Phase {
    answering: bool,
}

impl Phase {
    pub(super) fn answering(&self) -> bool {
        self.answering
    }

    pub(super) fn begin_answer(&mut self) {
        self.answering = true;
    }
}

/// The tag is looked at before `isThinking`: tool cards are thinking lines too, but nothing to read.
pub(super) fn channel(response: &Response<'_>) -> Channel {
    let tag = &*response.message_tag;
    match tag {
        "tool_usage_card" | "raw_function_result" => Channel::Hidden,
        "header" => Channel::Thought { header: true },
        _ if !response.tool_usage_card_id.is_empty() || response.tool_usage_card.is_some() => Channel::Hidden,
        _ if response.is_thinking.0 => Channel::Thought { header: false },
        "final" => Channel::Answer,
        "summary" | "analysis" => Channel::Thought { header: false },
        // A numbered step of an agents' plan is no answer, even when it is not marked as thinking.
        "" if response.message_step_id.is_some() => Channel::Thought { header: false },
        "" => Channel::Answer,
        _ => Channel::Hidden,
    }
}
