//! Every field of a request, as a table.

use serde_json::Value;

use crate::{
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
    responses::schemas,
};

/// Every field of OpenAI's Responses API.
pub(crate) const FIELDS: &[Field] = &[
    required("model", Shape::Read("string", name), "an id of `GET /v1/models`"),
    required(
        "input",
        Shape::Read("string or list of items", schemas::input),
        "messages, calls of functions and their results; items of other kinds are passed over",
    ),
    field("instructions", Shape::Text, Honoured, "for this answer only"),
    field("stream", Shape::Boolean, Honoured, "default `false`"),
    field("previous_response_id", Shape::Text, Honoured, "a response that is kept; its conversation goes on"),
    field("store", Shape::Boolean, Honoured, "default `true`: the response is kept for a while"),
    field(
        "reasoning",
        Shape::Read("object", schemas::reasoning),
        Honoured,
        "`summary` shows the reasoning; `effort` may choose a sibling of the model",
    ),
    field(
        "prompt_cache_key",
        Shape::Text,
        Honoured,
        "answers with the same one come from the same account while it can serve",
    ),
    field(
        "max_output_tokens",
        TOKENS,
        Emulated,
        "the answer is cut and `incomplete`, with the reason `max_output_tokens`",
    ),
    field(
        "text",
        Shape::Read("object", schemas::text),
        Emulated,
        "`format`: `text`, `json_object` or `json_schema`; `verbosity` is a hint",
    ),
    field(
        "tools",
        Shape::Read("list of tools", schemas::tools),
        Emulated,
        "functions, also in namespaces, and `custom`; with `web_search` the answer shows what was searched; others are accepted and not there",
    ),
    field(
        "tool_choice",
        Shape::Read("string or object", schemas::tool_choice),
        Emulated,
        "`auto`, `none`, `required`, a function, or `allowed_tools`",
    ),
    field("parallel_tool_calls", Shape::Boolean, Emulated, "`false`: at most one function is called"),
    field("metadata", Shape::Object, Hint, "repeated in the answer"),
    field("include", Shape::Texts, Hint, "nothing is left out of an answer"),
    field("truncation", Shape::Text, Hint, "the conversation is sent as it is"),
    field("temperature", Shape::Number(0.0, 2.0), Hint, "the upstream has no such control"),
    field("top_p", Shape::Number(0.0, 1.0), Hint, "the upstream has no such control"),
    field("top_logprobs", Shape::Integer(0, 20), Hint, "the upstream has no such control"),
    field("max_tool_calls", Shape::Integer(1, i64::MAX), Hint, "the upstream has no such control"),
    field("stream_options", Shape::Object, Hint, "there is no obfuscation"),
    field("context_management", Shape::Objects, Hint, "the conversation is sent as it is"),
    field("service_tier", Shape::Text, Hint, "one tier"),
    field("user", Shape::Text, Hint, "for the client's own use"),
    field("safety_identifier", Shape::Text, Hint, "for the client's own use"),
    field("prompt_cache_retention", Shape::Text, Hint, "speed only"),
    field("client_metadata", Shape::Object, Hint, "for the client's own use"),
    field(
        "background",
        Shape::Boolean,
        unsupported(is_false, schemas::off),
        "refused unless `false`: the answer comes with its request",
    ),
    field(
        "conversation",
        Shape::TextOrObject,
        unsupported(never, nothing),
        "refused: `previous_response_id` continues a conversation",
    ),
    field("prompt", Shape::Object, unsupported(never, nothing), "refused: no prompts are kept"),
];

fn never(_: &Value) -> bool {
    false
}

fn is_false(value: &Value) -> bool {
    *value == false
}
