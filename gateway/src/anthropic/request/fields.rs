//! Every field of a request, as a table.

use serde_json::Value;

use crate::{
    anthropic::schemas,
    openai::request::{
        options::{
            Field, Shape, TOKENS,
            Treatment::{Emulated, Hint, Honoured, Inert},
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
    field("metadata", Shape::Object, Hint, "for the client's own use"),
    field("service_tier", Shape::Text, Hint, "one tier"),
    field("output_config", Shape::Object, Hint, "the model decides"),
    field("context_management", Shape::Object, Hint, "the conversation is sent as it is"),
    field("tools", Shape::Objects, Inert, "the model answers without calling them"),
    field(
        "tool_choice",
        Shape::Object,
        unsupported(calls_no_tool, schemas::no_tool),
        "refused unless its `type` is `auto` or `none`",
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

fn calls_no_tool(value: &Value) -> bool {
    matches!(value.get("type").and_then(Value::as_str), Some("auto" | "none"))
}
