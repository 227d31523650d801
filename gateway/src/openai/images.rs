//! Answers to image requests: one JSON object, or events as OpenAI streams them.

use bytes::{BufMut as _, BytesMut};
use grok2api_proto::{
    Error,
    chat::{self, Media},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{error, request::images::Size};
use crate::openapi::words;

/// What is asked of the images, for the client to read again.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Seconds since the epoch.
    pub created: i64,
    /// The shape asked for.
    pub size: Size,
    /// An edit, not a generation.
    pub edit: bool,
}

/// One image as the client gets it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImageData)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Image {
    Url(String),
    B64Json(String),
}

/// The JSON answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImagesResponse)]
pub struct Images {
    /// Seconds since the epoch.
    created: i64,
    data: Vec<Image>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::image_format, required = false)]
    output_format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::image_size, required = false)]
    size: Option<&'static str>,
    usage: Usage,
}

/// Estimated like that of a chat; images count nothing.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = ImageUsage)]
pub(crate) struct Usage {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    input_tokens_details: Details,
}

#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = ImageUsageDetails)]
struct Details {
    text_tokens: u64,
    image_tokens: u64,
}

#[derive(Serialize)]
struct Event<'e> {
    r#type: &'static str,
    b64_json: &'e str,
    created_at: i64,
    size: &'static str,
    quality: &'static str,
    background: &'static str,
    output_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_image_index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

impl From<&chat::Usage> for Usage {
    fn from(usage: &chat::Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens,
            output_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
            input_tokens_details: Details { text_tokens: usage.prompt_tokens, image_tokens: 0 },
        }
    }
}

impl Images {
    /// The images of one turn, all of `format`.
    pub fn new(asked: Asked, data: Vec<Image>, format: Option<&Media>, usage: &chat::Usage) -> Self {
        let size = (asked.size != Size::Auto).then(|| asked.size.name());
        let output_format = format.and_then(|media| output_format(&media.content_type));
        Self { created: asked.created, data, output_format, size, usage: Usage::from(usage) }
    }
}

impl Asked {
    /// Appends the event of a preview; `index` counts those of one image.
    pub fn partial(&self, media: &Media, base64: &str, index: u32, out: &mut BytesMut) {
        let name = if self.edit { "image_edit.partial_image" } else { "image_generation.partial_image" };
        let event = Event { partial_image_index: Some(index), ..self.event(name, media, base64) };
        frame(name, &event, out);
    }

    /// Appends the event of a finished image. The last one tells what all of them used.
    pub fn completed(&self, media: &Media, base64: &str, usage: Option<&chat::Usage>, out: &mut BytesMut) {
        let name = if self.edit { "image_edit.completed" } else { "image_generation.completed" };
        let usage = Some(usage.map(Usage::from).unwrap_or_default());
        frame(name, &Event { usage, ..self.event(name, media, base64) }, out);
    }

    fn event<'e>(&self, name: &'static str, media: &Media, base64: &'e str) -> Event<'e> {
        Event {
            r#type: name,
            b64_json: base64,
            created_at: self.created,
            size: self.size.name(),
            quality: "auto",
            background: "opaque",
            output_format: output_format(&media.content_type).unwrap_or("jpeg"),
            partial_image_index: None,
            usage: None,
        }
    }
}

/// Ends a stream with an error.
pub fn failure(error: &Error, out: &mut BytesMut) {
    frame("error", &error::Body::from(error), out);
}

fn frame(name: &str, value: &impl Serialize, out: &mut BytesMut) {
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\ndata: ");
    // Writing to memory cannot fail, and no value here has keys that are not strings.
    serde_json::to_writer(out.writer(), value).ok();
    out.put_slice(b"\n\n");
}

/// OpenAI's name of a media type.
fn output_format(media_type: &str) -> Option<&'static str> {
    match media_type {
        "image/jpeg" => Some("jpeg"),
        "image/png" => Some("png"),
        "image/webp" => Some("webp"),
        _ => None,
    }
}
