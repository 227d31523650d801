//! What requests may hold and streams send, as schemas for `/openapi.json`.

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, Object, ObjectBuilder, Ref, RefOr, Schema, Type},
};

use super::{error::Body, request::fields::FIELDS};
use crate::openai::request::options::schema::{any_of, list, object, of, or_null, words as one_of};

/// Schemas of the fixed words.
pub(crate) mod words {
    use super::Object;
    use crate::openapi::words::one_of;

    pub(crate) fn message() -> Object {
        one_of(&["message"])
    }

    pub(crate) fn error() -> Object {
        one_of(&["error"])
    }

    pub(crate) fn stop_reason() -> Object {
        one_of(&["end_turn", "max_tokens", "tool_use", "refusal"])
    }

    pub(crate) fn error_type() -> Object {
        one_of(&[
            "invalid_request_error",
            "authentication_error",
            "permission_error",
            "not_found_error",
            "request_too_large",
            "rate_limit_error",
            "timeout_error",
            "overloaded_error",
            "api_error",
        ])
    }
}

const BLOCK: &str = "MessagesContentBlock";

/// `POST /v1/messages`.
pub(crate) struct MessagesRequest;

/// `POST /v1/messages/count_tokens`.
pub(crate) struct CountTokensRequest;

/// One server-sent event of an answer.
pub(crate) struct MessagesStreamEvent;

impl ToSchema for MessagesRequest {}
impl ToSchema for CountTokensRequest {}
impl ToSchema for MessagesStreamEvent {}

impl PartialSchema for MessagesRequest {
    fn schema() -> RefOr<Schema> {
        let example = json!({
            "model": "grok-4-fast", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hello!"}],
        });
        RefOr::T(object(FIELDS).examples([example]).into())
    }
}

impl PartialSchema for CountTokensRequest {
    fn schema() -> RefOr<Schema> {
        let example = json!({"model": "grok-4-fast", "messages": [{"role": "user", "content": "Hello!"}]});
        RefOr::T(object(FIELDS).examples([example]).into())
    }
}

impl PartialSchema for MessagesStreamEvent {
    fn schema() -> RefOr<Schema> {
        let names = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "ping",
            "error",
        ];
        let data = ObjectBuilder::new().schema_type(Type::String).content_media_type("application/json");
        let event = ObjectBuilder::new().property("event", one_of(&names)).required("event");
        let event = event.property("data", data).required("data");
        event.description(Some("The event's data is an object whose `type` is the event's name.")).into()
    }
}

/// Schemas that the others refer to.
pub(crate) fn named() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(BLOCK.to_owned(), block().into()), (Body::name().into_owned(), Body::schema())];
    Body::schemas(&mut schemas);
    schemas
}

pub(super) fn messages() -> Schema {
    let message = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("role", one_of(&["user", "assistant", "system"]))
        .required("role")
        .property("content", content())
        .required("content");
    ArrayBuilder::new().items(message).min_items(Some(1)).into()
}

fn content() -> Schema {
    any_of([of(Type::String), ArrayBuilder::new().items(Ref::from_schema_name(BLOCK)).into()])
}

pub(super) fn system() -> Schema {
    any_of([of(Type::String), list(typed(&["text"], &[("text", of(Type::String))]))])
}

pub(super) fn stop_sequences() -> Schema {
    let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(1024));
    ArrayBuilder::new().items(text).max_items(Some(4)).into()
}

pub(super) fn thinking() -> Schema {
    typed(&["enabled", "adaptive", "disabled"], &[])
}

pub(super) fn metadata() -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    object.property("user_id", or_null(of(Type::String))).into()
}

pub(super) fn output_config() -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let format = typed(&["json_schema"], &[("schema", of(Type::Object))]);
    object.property("format", or_null(format)).into()
}

pub(super) fn tools() -> Schema {
    let some = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    let ours = |object: ObjectBuilder| -> Schema {
        let object = object.property("name", some()).required("name");
        let object = object.property("description", or_null(of(Type::String)));
        let object = object.property("input_schema", or_null(of(Type::Object)));
        object.property("strict", or_null(of(Type::Boolean))).into()
    };
    let object = || ObjectBuilder::new().schema_type(Type::Object);
    let server = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^(?!custom$)"));
    list(any_of([
        ours(object().property("type", or_null(one_of(&["custom"])))),
        object().property("type", server).required("type").into(),
    ]))
}

pub(super) fn tool_choice() -> Schema {
    let alone = || or_null(of(Type::Boolean));
    let with = |kinds: &[&str]| {
        let object = ObjectBuilder::new().schema_type(Type::Object);
        let object = object.property("type", one_of(kinds)).required("type");
        object.property("disable_parallel_tool_use", alone())
    };
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
    any_of([
        with(&["auto", "any", "none"]).into(),
        with(&["tool"]).property("name", name).required("name").into(),
    ])
}

pub(super) fn no_items() -> Schema {
    ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::Object)).max_items(Some(0)).into()
}

fn block() -> Schema {
    let text = || of(Type::String);
    let some = || Schema::from(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)));
    let inline = |kind: Schema| typed(&["base64"], &[("media_type", kind), ("data", some())]);
    let picture = || ObjectBuilder::new().schema_type(Type::String).pattern(Some("^image/")).into();
    let linked = || {
        let address = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^https?://"));
        typed(&["url"], &[("url", address.into())])
    };
    let written = typed(&["text"], &[("data", text())]);
    any_of([
        typed(&["text"], &[("text", text())]),
        typed(&["image"], &[("source", any_of([inline(picture()), linked()]))]),
        typed(&["document"], &[("source", any_of([inline(some()), linked(), written]))]),
        typed(&["tool_use"], &[("id", text()), ("name", some()), ("input", of(Type::Object))]),
        result(),
        typed(&["tool_reference"], &[]),
        typed(&["server_tool_use", "web_search_tool_result", "web_fetch_tool_result"], &[]),
        typed(&["thinking", "redacted_thinking"], &[]),
    ])
}

fn result() -> Schema {
    let result = ObjectBuilder::new().schema_type(Type::Object).property("type", one_of(&["tool_result"]));
    let result = result.required("type").property("tool_use_id", of(Type::String)).required("tool_use_id");
    let result = result.property("is_error", or_null(of(Type::Boolean)));
    result.property("content", or_null(any_of([of(Type::String), list(of(Type::Object))]))).into()
}

/// An object told by its `type`, and what it must have.
fn typed(kinds: &[&str], fields: &[(&str, Schema)]) -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let object = object.property("type", one_of(kinds)).required("type");
    let with = |object: ObjectBuilder, (name, schema): &(&str, Schema)| {
        object.property(*name, schema.clone()).required(*name)
    };
    fields.iter().fold(object, with).into()
}
