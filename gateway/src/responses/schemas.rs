//! What requests may hold and streams send, as schemas for `/openapi.json`.

use serde::Serialize;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type},
};

use super::request::fields::FIELDS;
use crate::openai::request::options::schema::{any_of, list, object, of, or_null, words as one_of};

/// Schemas of the fixed words.
pub(crate) mod words {
    use utoipa::openapi::Object;

    use crate::openapi::words::one_of;

    macro_rules! words {
        ($($name:ident: $($word:literal)|+;)+) => {
            $(pub(crate) fn $name() -> Object { one_of(&[$($word),+]) })+
        };
    }

    words! {
        response: "response";
        status: "completed" | "failed" | "in_progress" | "cancelled" | "incomplete";
        item_status: "in_progress" | "completed" | "incomplete";
        incomplete: "max_output_tokens" | "content_filter";
        summary_text: "summary_text";
        output_text: "output_text";
        url_citation: "url_citation";
        error_code: "server_error" | "rate_limit_exceeded" | "invalid_prompt" | "unsupported_image_media_type";
        input_tokens: "response.input_tokens";
    }
}

const ITEM: &str = "ResponseInputItem";
const PART: &str = "ResponseInputPart";

/// `POST /v1/responses`.
pub(crate) struct ResponsesRequest;

/// One server-sent event of an answer.
pub(crate) struct ResponseStreamEvent;

/// The items of a request.
#[derive(Serialize, ToSchema)]
#[schema(as = ResponseItemList)]
pub(crate) struct ItemList {
    #[schema(schema_with = crate::openapi::words::list)]
    pub(crate) object: &'static str,
    /// As they were sent, with an id each.
    pub(crate) data: Vec<serde_json::Value>,
    pub(crate) first_id: Option<String>,
    pub(crate) last_id: Option<String>,
    pub(crate) has_more: bool,
}

/// A response that is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = ResponseDeleted)]
pub(crate) struct Deleted {
    pub(crate) id: String,
    #[schema(schema_with = words::response)]
    pub(crate) object: &'static str,
    pub(crate) deleted: bool,
}

/// What a request would count.
#[derive(Serialize, ToSchema)]
#[schema(as = ResponseInputCount)]
pub(crate) struct InputCount {
    #[schema(schema_with = words::input_tokens)]
    pub(crate) object: &'static str,
    /// An estimate.
    pub(crate) input_tokens: u64,
}

impl ToSchema for ResponsesRequest {}
impl ToSchema for ResponseStreamEvent {}

impl PartialSchema for ResponsesRequest {
    fn schema() -> RefOr<Schema> {
        let example = json!({"model": "grok-4-fast", "input": "Hello!"});
        RefOr::T(object(FIELDS).examples([example]).into())
    }
}

impl PartialSchema for ResponseStreamEvent {
    fn schema() -> RefOr<Schema> {
        let names = [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.output_item.done",
            "response.content_part.added",
            "response.content_part.done",
            "response.output_text.delta",
            "response.output_text.annotation.added",
            "response.output_text.done",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.custom_tool_call_input.delta",
            "response.custom_tool_call_input.done",
            "response.web_search_call.in_progress",
            "response.web_search_call.searching",
            "response.web_search_call.completed",
            "response.completed",
            "response.incomplete",
            "response.failed",
            "error",
        ];
        let data = ObjectBuilder::new().schema_type(Type::String).content_media_type("application/json");
        let event = ObjectBuilder::new().property("event", one_of(&names)).required("event");
        let event = event.property("data", data).required("data");
        let text =
            "The event's data is an object whose `type` is the event's name, with its `sequence_number`.";
        event.description(Some(text)).into()
    }
}

/// Schemas that the others refer to.
pub(crate) fn named() -> Vec<(String, RefOr<Schema>)> {
    vec![(ITEM.to_owned(), item().into()), (PART.to_owned(), part().into())]
}

pub(super) fn input() -> Schema {
    any_of([of(Type::String), ArrayBuilder::new().items(Ref::from_schema_name(ITEM)).into()])
}

pub(super) fn reasoning() -> Schema {
    let summary = or_null(one_of(&["auto", "concise", "detailed", "none"]));
    let object = ObjectBuilder::new().schema_type(Type::Object).property("summary", summary.clone());
    let object = object.property("generate_summary", summary);
    object.property("effort", or_null(of(Type::String))).into()
}

pub(super) fn text() -> Schema {
    let text = || of(Type::String);
    let some = || Schema::from(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)));
    let strict = or_null(of(Type::Boolean));
    let schema = typed(&["json_schema"], &[("name", some()), ("schema", of(Type::Object))]);
    let schema = ObjectBuilder::from(schema).property("strict", strict).build();
    let format = any_of([typed(&["text", "json_object"], &[]).into(), schema.into()]);
    let object = ObjectBuilder::new().schema_type(Type::Object).property("format", or_null(format));
    object.property("verbosity", or_null(text())).into()
}

pub(super) fn tools() -> Schema {
    let some = || Schema::from(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)));
    let function = typed(&["function"], &[("name", some())]);
    let function = ObjectBuilder::from(function).property("parameters", or_null(of(Type::Object)));
    let function = function.property("description", or_null(of(Type::String)));
    let function = function.property("strict", or_null(of(Type::Boolean))).build();
    let custom = typed(&["custom"], &[("name", some())]);
    let custom = ObjectBuilder::from(custom).property("description", or_null(of(Type::String))).build();
    let other = ObjectBuilder::new().schema_type(Type::Object).required("type");
    let kind =
        ObjectBuilder::new().schema_type(Type::String).pattern(Some("^(?!(function|custom|namespace)$)"));
    let plain = any_of([function.into(), custom.into(), other.property("type", kind).into()]);
    // What stands within one within another is passed over.
    let within = any_of([plain.clone(), typed(&["namespace"], &[]).into()]);
    let namespace = typed(&["namespace"], &[("name", some())]);
    let namespace = ObjectBuilder::from(namespace).property("tools", or_null(list(within)));
    list(any_of([plain, namespace.into()]))
}

pub(super) fn tool_choice() -> Schema {
    let kind = ObjectBuilder::new().schema_type(Type::String);
    let chosen = ObjectBuilder::new().schema_type(Type::Object).property("type", kind).required("type");
    any_of([one_of(&["auto", "none", "required"]), chosen.into()])
}

pub(super) fn off() -> Schema {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false])).into()
}

fn item() -> Schema {
    let text = || of(Type::String);
    let content = || any_of([text(), ArrayBuilder::new().items(Ref::from_schema_name(PART)).into()]);
    let message = ObjectBuilder::new().schema_type(Type::Object).required("role").required("content");
    let message = message.property("role", one_of(&["user", "assistant", "system", "developer"]));
    let message = message.property("content", content()).property("type", or_null(one_of(&["message"])));
    let call = typed(&["function_call"], &[("call_id", text()), ("name", text())]);
    let call = ObjectBuilder::from(call).property("arguments", or_null(text()));
    let custom = typed(&["custom_tool_call"], &[("call_id", text()), ("name", text())]);
    let custom = ObjectBuilder::from(custom).property("input", or_null(text()));
    let result = typed(&["function_call_output", "custom_tool_call_output"], &[("call_id", text())]);
    let reference = typed(&["item_reference"], &[("id", text())]);
    let kind = "^(?!(message|function_call|custom_tool_call|function_call_output|custom_tool_call_output|item_reference)$)";
    let kind = ObjectBuilder::new().schema_type(Type::String).pattern(Some(kind));
    let other = ObjectBuilder::new().schema_type(Type::Object).property("type", kind).required("type");
    any_of([message.into(), call.into(), custom.into(), result.into(), reference.into(), other.into()])
}

fn part() -> Schema {
    let text = || of(Type::String);
    let written = ["input_text", "output_text", "text", "summary_text", "reasoning_text"];
    let address = "^([Hh][Tt][Tt][Pp][Ss]?://|[Dd][Aa][Tt][Aa]:image/|[A-Za-z0-9+/]{8})";
    let address = ObjectBuilder::new().schema_type(Type::String).pattern(Some(address));
    let file = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^data:"));
    let link = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^https?://"));
    any_of([
        typed(&written, &[("text", text())]).into(),
        typed(&["refusal"], &[("refusal", text())]).into(),
        typed(&["input_image"], &[("image_url", address.into())]).into(),
        typed(&["input_file"], &[("file_data", file.into())]).into(),
        typed(&["input_file"], &[("file_url", link.into())]).into(),
    ])
}

/// An object told by its `type`, and what it must have.
fn typed(kinds: &[&str], fields: &[(&str, Schema)]) -> utoipa::openapi::Object {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let object = object.property("type", one_of(kinds)).required("type");
    let with = |object: ObjectBuilder, (name, schema): &(&str, Schema)| {
        object.property(*name, schema.clone()).required(*name)
    };
    fields.iter().fold(object, with).build()
}
