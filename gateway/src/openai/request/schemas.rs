//! What requests may hold, as schemas for `/openapi.json`: the tables of fields, and what stands inside their values.

use std::borrow::Cow;

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema, Type},
};

use super::{
    LONGEST_NAME,
    content::{FILE, IMAGE_URL},
    images::{IMAGES, LONGEST_PROMPT},
    options::{
        CHAT, MOST_CHOICES,
        schema::{any_of, form, integer, list, object, of, or_null, words},
    },
    videos::VIDEOS,
};

/// An image of one pixel: the smallest that a reader can try.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const CHAT_MESSAGE: &str = "ChatMessage";
const CONTENT_PART: &str = "ContentPart";

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)+) => {
        $($(#[$doc])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object($schema.build()))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        })+
    };
}

bodies! {
    /// `POST /v1/chat/completions`.
    ChatCompletionRequest = object(CHAT).examples([json!({
        "model": "grok-4-fast", "messages": [{"role": "user", "content": "Hello!"}],
    })]);
    /// `POST /v1/images/generations`.
    ImageGenerationRequest = without(object(IMAGES), &["image", "images"]).examples([json!({"prompt": "a moon"})]);
    /// `POST /v1/images/edits`, as JSON.
    ImageEditRequest = object(IMAGES).examples([json!({"prompt": "a hat", "image": PIXEL})]);
    /// `POST /v1/images/edits`, as a form.
    ImageEditForm = without(form(IMAGES), &["images"]).property("image", any_of([file(), ArrayBuilder::from(Array::new(file())).min_items(Some(1)).into()])).required("image");
    /// `POST /v1/videos`, as JSON.
    VideoRequest = object(VIDEOS).examples([json!({"prompt": "the sun rises"})]);
    /// `POST /v1/videos`, as a form.
    VideoForm = form(VIDEOS).property("input_reference", file());
}

fn without(object: ObjectBuilder, names: &[&str]) -> ObjectBuilder {
    let mut object = object.build();
    object.properties.retain(|name, _| !names.contains(&name.as_str()));
    object.into()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn pattern(pattern: &str) -> Schema {
    text().pattern(Some(pattern)).into()
}

fn file() -> Schema {
    text().content_media_type("application/octet-stream").into()
}

pub(crate) fn name() -> Schema {
    text().min_length(Some(1)).max_length(Some(LONGEST_NAME)).into()
}

pub(super) fn prompt() -> Schema {
    text().pattern(Some(r"\S")).max_length(Some(LONGEST_PROMPT)).into()
}

pub(super) fn choices() -> Schema {
    integer(1, i64::try_from(MOST_CHOICES).unwrap_or(1))
}

pub(super) fn thinking_mode() -> Schema {
    words(&["reasoning_content", "think", "off"])
}

pub(super) fn stream_options() -> Schema {
    let include = or_null(of(Type::Boolean));
    ObjectBuilder::new().schema_type(Type::Object).property("include_usage", include).into()
}

fn named_function() -> ObjectBuilder {
    let some = text().min_length(Some(1));
    ObjectBuilder::new().schema_type(Type::Object).property("name", some).required("name")
}

pub(super) fn tool_choice() -> Schema {
    let object = || ObjectBuilder::new().schema_type(Type::Object).required("type");
    let function = object().property("type", words(&["function"])).property("function", named_function());
    let function_or_null = or_null(named_function().into());
    let tool = ObjectBuilder::new().schema_type(Type::Object).property("function", function_or_null);
    let allowed = ObjectBuilder::new().schema_type(Type::Object).required("mode").required("tools");
    let allowed = allowed.property("mode", words(&["auto", "required"]));
    let allowed = allowed.property("tools", list(tool.into()));
    let allowed = object().property("type", words(&["allowed_tools"])).property("allowed_tools", allowed);
    any_of([
        words(&["auto", "none", "required"]),
        function.required("function").into(),
        allowed.required("allowed_tools").into(),
    ])
}

pub(super) fn function_call() -> Schema {
    any_of([words(&["auto", "none"]), named_function().into()])
}

pub(super) fn response_format() -> Schema {
    let object = || ObjectBuilder::new().schema_type(Type::Object).required("type");
    let shape = named_function().property("schema", or_null(of(Type::Object)));
    let shape = shape.property("strict", or_null(of(Type::Boolean)));
    let json = object().property("type", words(&["json_schema"])).property("json_schema", shape);
    any_of([
        object().property("type", words(&["text", "json_object"])).into(),
        json.required("json_schema").into(),
    ])
}

pub(super) fn off() -> Schema {
    ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false])).into()
}

pub(super) fn zero() -> Schema {
    integer(0, 0)
}

pub(super) fn text_only() -> Schema {
    list(words(&["text"]))
}

pub(super) fn opaque() -> Schema {
    pattern("^(?!transparent$)")
}

/// A function must have a name; what other kinds of tools look like is not ours to say.
pub(super) fn tools() -> Schema {
    let object = || ObjectBuilder::new().schema_type(Type::Object);
    let wrapped = object().property("type", words(&["function"])).property("function", defined(object()));
    let other = object().property("type", pattern("^(?!function$)")).required("type");
    let bare = defined(object().property("type", of(Type::Null)));
    list(any_of([wrapped.required("type").required("function").into(), other.into(), bare.into()]))
}

pub(super) fn functions() -> Schema {
    list(defined(ObjectBuilder::new().schema_type(Type::Object)).into())
}

/// The definition of a function.
fn defined(object: ObjectBuilder) -> ObjectBuilder {
    let object = object.property("name", text().min_length(Some(1))).required("name");
    let object = object.property("description", or_null(of(Type::String)));
    let object = object.property("parameters", or_null(of(Type::Object)));
    object.property("strict", or_null(of(Type::Boolean)))
}

pub(super) fn image_format() -> Schema {
    words(&["url", "b64_json"])
}

pub(super) fn image_size() -> Schema {
    pattern("^(auto|[1-9][0-9]{0,8}x[1-9][0-9]{0,8})$")
}

pub(super) fn video_size() -> Schema {
    pattern("^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$")
}

pub(super) fn seconds() -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([4, 8, 12]));
    any_of([words(&["4", "8", "12"]), number.into()])
}

/// An address, a data URL, or the base64 text of an image.
pub(super) fn image() -> Schema {
    text().pattern(Some("^([Hh][Tt][Tt][Pp][Ss]?://|[Dd][Aa][Tt][Aa]:image/|[A-Za-z0-9+/]{8})")).into()
}

pub(super) fn images() -> Schema {
    any_of([image(), ArrayBuilder::from(Array::new(image())).min_items(Some(1)).into()])
}

pub(super) fn reference() -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    object.property("image_url", image()).required("image_url").property("file_id", of(Type::Null)).into()
}

pub(super) fn references() -> Schema {
    list(reference())
}

pub(super) fn messages() -> Schema {
    ArrayBuilder::new().items(Ref::from_schema_name(CHAT_MESSAGE)).min_items(Some(1)).into()
}

/// Schemas that the bodies refer to.
pub(crate) fn named() -> [(String, RefOr<Schema>); 2] {
    [(CHAT_MESSAGE.to_owned(), chat_message().into()), (CONTENT_PART.to_owned(), part().into())]
}

fn chat_message() -> Schema {
    any_of([
        message(&["system", "developer", "user"], content()).required("content").into(),
        assistant(),
        tool_result(),
        message(&["function"], content()).required("content").required("name").into(),
    ])
}

fn message(roles: &[&str], content: Schema) -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(Type::Object).required("role");
    let object = object.property("role", words(roles)).property("content", or_null(content));
    object.property("name", or_null(of(Type::String)))
}

fn tool_result() -> Schema {
    let message = message(&["tool"], content()).required("content");
    message.property("tool_call_id", of(Type::String)).required("tool_call_id").into()
}

fn assistant() -> Schema {
    let message = message(&["assistant"], content()).property("refusal", or_null(of(Type::String)));
    let message = message.property("tool_calls", or_null(calls())).property("audio", of(Type::Null));
    message.property("function_call", or_null(function())).into()
}

pub(super) fn function() -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object).required("name");
    let object = object.property("name", text().min_length(Some(1)));
    object.property("arguments", or_null(of(Type::String))).into()
}

pub(super) fn calls() -> Schema {
    let call = ObjectBuilder::new().schema_type(Type::Object).required("id").required("function");
    let call = call.property("id", of(Type::String)).property("function", function());
    list(call.property("type", or_null(words(&["function"]))).into())
}

pub(super) fn role() -> Schema {
    words(&["system", "developer", "user", "assistant", "tool", "function"])
}

pub(super) fn content() -> Schema {
    let object = ObjectBuilder::new().schema_type(Type::Object).required("text");
    let parts = ArrayBuilder::new().items(Ref::from_schema_name(CONTENT_PART));
    any_of([of(Type::String), parts.into(), object.property("text", of(Type::String)).into()])
}

fn part() -> Schema {
    let part = |kind: &[&str], field: &str, value: Schema| -> Schema {
        let object = ObjectBuilder::new().schema_type(Type::Object).required("type").required(field);
        object.property("type", words(kind)).property(field, value).into()
    };
    any_of([
        part(&["text", "input_text"], "text", of(Type::String)),
        part(&["refusal"], "refusal", of(Type::String)),
        part(&["image_url"], "image_url", image_url()),
        part(&["file"], "file", object(FILE).into()),
    ])
}

#[cfg(test)]
pub(super) fn part_type() -> Schema {
    words(&["text", "input_text", "refusal", "image_url", "file"])
}

pub(super) fn image_url() -> Schema {
    any_of([image(), object(IMAGE_URL).into()])
}

pub(super) fn data_url() -> Schema {
    pattern("^data:")
}
