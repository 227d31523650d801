//! Schemas of the fixed words in answers, for `#[schema(schema_with = …)]`.

use utoipa::openapi::{Object, ObjectBuilder, Type};

macro_rules! words {
    ($($name:ident: $($word:literal)|+;)+) => {
        $(pub(crate) fn $name() -> Object { one_of(&[$($word),+]) })+
    };
}

words! {
    assistant: "assistant";
    chat_completion: "chat.completion";
    chat_completion_chunk: "chat.completion.chunk";
    done: "[DONE]";
    error_type: "invalid_request_error" | "authentication_error" | "permission_error" | "rate_limit_error"
        | "insufficient_quota" | "server_error";
    finish_reason: "stop" | "length" | "tool_calls" | "content_filter" | "function_call";
    function: "function";
    health: "healthy" | "unavailable";
    list: "list";
    model: "model";
    image_event: "image_generation.partial_image" | "image_generation.completed"
        | "image_edit.partial_image" | "image_edit.completed";
    image_event_or_error: "image_generation.partial_image" | "image_generation.completed"
        | "image_edit.partial_image" | "image_edit.completed" | "error";
    image_format: "jpeg" | "png" | "webp";
    image_size: "1024x1024" | "1536x1024" | "1024x1536";
    image_size_or_auto: "auto" | "1024x1024" | "1536x1024" | "1024x1536";
    service: "Grok2API";
    order: "asc" | "desc";
    usage: "usage";
    video: "video";
    video_deleted: "video.deleted";
    video_status: "queued" | "in_progress" | "completed" | "failed";
}

/// A string that is one of these.
pub(crate) fn one_of(words: &[&str]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied())).build()
}

/// Always `null`: a field of OpenAI's that has nothing to say here.
pub(crate) fn nothing() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}
