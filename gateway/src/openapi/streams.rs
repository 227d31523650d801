//! What streams send: described here, and written without these types by the encoders, which know no tree of JSON.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Schema, Type,
        schema::{AnyOfBuilder, SchemaType},
    },
};

use super::words;
use crate::openai::{error::Body, images::Usage, present::Annotation, whole::Counts};

/// One `data:` of a streamed chat, save the last, which is `[DONE]`. A late failure is an `ErrorResponse` in its place.
#[derive(Serialize, ToSchema)]
struct ChatCompletionChunk {
    /// The same in all chunks of a stream.
    #[schema(pattern = "^chatcmpl-")]
    id: String,
    #[schema(schema_with = words::chat_completion_chunk)]
    object: &'static str,
    /// Seconds since the epoch.
    created: i64,
    /// As asked.
    model: String,
    /// One, or none beside the usage.
    #[schema(max_items = 1)]
    choices: Vec<ChunkChoice>,
    /// With `stream_options.include_usage`: in the last chunk, `null` before.
    usage: Option<Counts>,
    /// Ours: the sources, in a choice's last chunk.
    #[schema(max_items = 50, required = false)]
    citations: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChatCompletionChunkChoice)]
struct ChunkChoice {
    /// From 0 on.
    index: u32,
    delta: Delta,
    #[schema(schema_with = words::nothing, required)]
    logprobs: (),
    /// On the last chunk of a choice.
    #[schema(required)]
    finish_reason: Option<Finish>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChatFinishReason)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "a description")]
enum Finish {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    FunctionCall,
}

/// First with its id, its type and its function's name, then with its arguments.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatCompletionChunkToolCall)]
struct CallDelta {
    /// Which call of the choice, from 0 on.
    index: u32,
    #[schema(required = false)]
    id: String,
    #[schema(schema_with = words::function, required = false)]
    r#type: &'static str,
    function: FunctionDelta,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ChatCompletionChunkFunction)]
struct FunctionDelta {
    #[schema(required = false)]
    name: String,
    arguments: String,
}

/// What a chunk adds.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatCompletionChunkDelta)]
struct Delta {
    /// In a choice's first chunk.
    #[schema(schema_with = words::assistant, required = false)]
    role: &'static str,
    #[schema(required = false)]
    content: String,
    /// Ours: the model's reasoning.
    #[schema(required = false)]
    reasoning_content: String,
    /// All of the answer's citations at once, near its end.
    #[schema(required = false)]
    annotations: Vec<Annotation<'static>>,
    #[schema(required = false)]
    tool_calls: Vec<CallDelta>,
    /// When `functions` was asked with.
    #[schema(nullable = false)]
    function_call: Option<FunctionDelta>,
}

/// The `data:` of one event of streamed images.
#[derive(Serialize, ToSchema)]
struct ImageEvent {
    /// Also the event's name.
    #[schema(schema_with = words::image_event)]
    r#type: &'static str,
    b64_json: String,
    /// Seconds since the epoch.
    created_at: i64,
    #[schema(schema_with = words::image_size_or_auto)]
    size: &'static str,
    quality: String,
    background: String,
    #[schema(schema_with = words::image_format)]
    output_format: &'static str,
    /// Of a preview: from 0 on.
    #[schema(nullable = false)]
    partial_image_index: Option<u32>,
    /// Of a finished image: the last one tells what all of them used.
    #[schema(nullable = false)]
    usage: Option<Usage>,
}

/// One server-sent event of a streamed chat.
pub(crate) struct ChatStreamEvent;

/// One server-sent event of streamed images.
pub(crate) struct ImageStreamEvent;

impl ToSchema for ChatStreamEvent {}
impl ToSchema for ImageStreamEvent {}

impl PartialSchema for ChatStreamEvent {
    fn schema() -> RefOr<Schema> {
        let json = json_of([ChatCompletionChunk::name(), Body::name()]);
        let data = AnyOfBuilder::new().item(json).item(words::done());
        let about = "A comment, `: ping`, may stand between two of these; the last is `[DONE]`.";
        event(data.build()).description(Some(about)).into()
    }
}

impl PartialSchema for ImageStreamEvent {
    fn schema() -> RefOr<Schema> {
        event(json_of([ImageEvent::name(), Body::name()]).build())
            .property("event", words::image_event_or_error())
            .required("event")
            .into()
    }
}

/// An event with such `data`.
fn event(data: impl Into<Schema>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Object).property("data", data.into()).required("data")
}

/// The JSON text of one of these.
fn json_of(schemas: [Cow<'static, str>; 2]) -> ObjectBuilder {
    let any =
        schemas.into_iter().fold(AnyOfBuilder::new(), |any, name| any.item(Ref::from_schema_name(name)));
    let data = ObjectBuilder::new().schema_type(Type::String).content_media_type("application/json");
    data.content_schema(Some(Schema::from(any.schema_type(SchemaType::AnyValue))))
}

/// Schemas that no answer of an operation names.
pub(super) fn schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![
        (ChatCompletionChunk::name().into_owned(), ChatCompletionChunk::schema()),
        (ImageEvent::name().into_owned(), ImageEvent::schema()),
    ];
    ChatCompletionChunk::schemas(&mut schemas);
    ImageEvent::schemas(&mut schemas);
    schemas
}
