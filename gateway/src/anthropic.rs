//! Anthropic's Messages protocol: requests in, events out as server-sent events or as one answer. Pure; IO is in the
//! handlers.

pub(crate) mod error;
pub(crate) mod request;
pub(crate) mod schemas;
pub(crate) mod stream;
pub(crate) mod whole;

use grok2api_proto::chat::Finish;

/// What an answer says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// `msg_…`.
    pub(crate) id: String,
    /// The model as the client asked for it.
    pub(crate) model: String,
    /// What the prompt is estimated at before the upstream is asked.
    pub(crate) input_tokens: u64,
}

/// Anthropic's name of a finish.
fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Unspecified | Finish::Stop => "end_turn",
        Finish::ContentFilter => "refusal",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
    }
}
