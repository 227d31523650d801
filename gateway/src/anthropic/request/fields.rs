//! Every field of a request, as a table.

use serde_json::Value;

use crate::{
    anthropic::schemas,
    openai::request::{
        options::{
            Field, Shape, TOKENS,
            Treatment::{Emulated, Hint, Honoured},
            field, required,
            schema::nothing,
            unsupported,
        },
        schemas::name,
    },
};

/// Every field of Anthropic's Messages API.
pub(crate) const FIELDS: &[Field] = &[
    required("model", Shape::Read("string", name), "an id of `GET /v1/models`"),
    required(
        "messages",
        Shape::Read("list of messages", schemas::messages),
        "text, images, documents, calls of tools and their results",
    ),
    field(
        "system",
        Shape::Read("string or list of text blocks", schemas::system),
        Honoured,
        "the instructions",
    ),
    field("stream", Shape::Boolean, Honoured, "default `false`"),
    field("max_tokens", TOKENS, Emulated, "the answer is cut and ends with `max_tokens`; may be left out"),
    field(
        "stop_sequences",
        Shape::Read("list of strings", schemas::stop_sequences),
        Emulated,
        "at most 4; the answer then ends with `end_turn`",
    ),
    field(
        "thinking",
        Shape::Read("object", schemas::thinking),
        Honoured,
        "`enabled` and `adaptive` show the reasoning; how much there is, is the model's business",
    ),
    field("temperature", Shape::Number(0.0, 1.0), Hint, "the upstream has no such control"),
    field("top_p", Shape::Number(0.0, 1.0), Hint, "the upstream has no such control"),
    field("top_k", Shape::Integer(0, i64::MAX), Hint, "the upstream has no such control"),
    field(
        "metadata",
        Shape::Read("object", schemas::metadata),
        Honoured,
        "requests with the same `user_id` prefer the same account",
    ),
    field("service_tier", Shape::Text, Hint, "one tier"),
    field(
        "output_config",
        Shape::Read("object", schemas::output_config),
        Emulated,
        "`format`: a JSON Schema for the answer; how hard the model thinks is its own business",
    ),
    field("context_management", Shape::Object, Hint, "the conversation is sent as it is"),
    field(
        "tools",
        Shape::Read("list of objects", schemas::tools),
        Emulated,
        "those of the client's are called; those of servers are accepted and not offered",
    ),
    field(
        "tool_choice",
        Shape::Read("object", schemas::tool_choice),
        Emulated,
        "`auto`, `any`, `tool` or `none`; with `disable_parallel_tool_use` at most one call",
    ),
    field("mcp_servers", Shape::Objects, unsupported(is_empty, schemas::no_items), "refused unless empty"),
    field(
        "container",
        Shape::TextOrObject,
        unsupported(never, nothing),
        "refused: there is nothing to run code in",
    ),
];

fn never(_: &Value) -> bool {
    false
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
