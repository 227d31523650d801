//! `POST /v1/images/generations` and `/v1/images/edits`: from JSON, or a form, to [`ChatRequest`].

mod form;

use grok2api_proto::{
    Error, Kind, Result,
    chat::{ChatRequest, Drawing, Message, Part, Role, part},
};
use serde_json::Value;

pub use form::{Form, malformed};

use super::{
    content, json, name,
    options::{self, Field, Shape, Treatment, field, never, required, schema, unsupported},
    schemas,
    walk::{Fields, Node, quoted},
};
use Shape::{Boolean, Integer, Object, Read, Text, Words};
use Treatment::{Emulated, Hint, Honoured};

/// Draws when no model is named.
const USUAL_MODEL: &str = "grok-3-fast";
pub(super) const LONGEST_PROMPT: usize = 32_000;
const COUNT: Shape = Integer(1, 10);
const QUALITIES: Shape = Words(&["auto", "low", "medium", "high", "standard", "hd"]);
const PREVIEWS: Shape = Integer(0, 3);

/// The fields of both requests.
pub(super) const IMAGES: &[Field] = &[
    required("prompt", Read("string", schemas::prompt), "at most 32,000 characters"),
    field(
        "model",
        Read("string", schemas::name),
        Honoured,
        "a model of kind chat; `grok-3-fast` when left out",
    ),
    field("n", COUNT, Honoured, "1 to 10, by default 1; the upstream may give fewer"),
    field(
        "size",
        Read("string", schemas::image_size),
        Emulated,
        "`auto` or WIDTHxHEIGHT; told to the model as an aspect ratio",
    ),
    field(
        "response_format",
        Read("string", schemas::image_format),
        Honoured,
        "`url` (default) or `b64_json`",
    ),
    field("stream", Boolean, Honoured, "events instead of one answer; always base64"),
    field(
        "partial_images",
        PREVIEWS,
        Honoured,
        "0 to 3 previews in a stream, as far as the upstream shows some",
    ),
    field(
        "image",
        Read("file, string or list of strings", schemas::images),
        Honoured,
        "edits only, required; see the API",
    ),
    field(
        "images",
        Read("list of objects", schemas::references),
        Honoured,
        "edits only: `{\"image_url\": …}` each",
    ),
    field("quality", QUALITIES, Hint, "one quality"),
    field("style", Words(&["vivid", "natural"]), Hint, "say it in the prompt"),
    field("background", Text, unsupported(is_no_transparency, schemas::opaque), "refused when `transparent`"),
    field(
        "output_format",
        Words(&["png", "jpeg", "webp"]),
        Hint,
        "images are what the upstream gives, JPEG as a rule; the answer says what",
    ),
    field("output_compression", Integer(0, 100), Hint, "images are passed on as they come"),
    field("input_fidelity", Words(&["high", "low"]), Hint, "one fidelity"),
    field("moderation", Words(&["low", "auto"]), Hint, "the upstream has the last word"),
    field("user", Text, Hint, "for the client's own use"),
    field(
        "mask",
        Object,
        unsupported(never, schema::nothing),
        "refused: say in the prompt what is to be changed",
    ),
];

/// What a client asked for.
#[derive(Debug, PartialEq)]
pub struct Images {
    /// The model's public name.
    pub model: String,
    /// What to draw, or to change.
    pub prompt: String,
    /// How many images are wanted.
    pub count: u32,
    /// The shape they should have.
    pub size: Size,
    /// Base64 instead of links.
    pub base64: bool,
    /// Server-sent events instead of one JSON answer.
    pub stream: bool,
    /// Previews wanted in a stream.
    pub previews: u32,
    /// The images to be edited.
    pub inputs: Vec<Part>,
}

/// OpenAI's three shapes of an image, and none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Size {
    Auto,
    Square,
    Landscape,
    Portrait,
}

fn is_no_transparency(value: &Value) -> bool {
    value.as_str() != Some("transparent")
}

impl Images {
    /// Reads and checks the body of a generation.
    ///
    /// # Errors
    /// `InvalidRequest` naming the place.
    pub fn generation(body: &[u8]) -> Result<Self> {
        let mut root = Node::root(json(body)?);
        Self::read(&mut root.fields()?)
    }

    /// Reads and checks the JSON body of an edit.
    ///
    /// # Errors
    /// `InvalidRequest` naming the place.
    pub fn edit(body: &[u8]) -> Result<Self> {
        let mut root = Node::root(json(body)?);
        let mut fields = root.fields()?;
        let mut inputs = match fields.take("image") {
            Some(image) => one_or_more(image)?,
            None => Vec::new(),
        };
        if let Some(mut images) = fields.take("images") {
            inputs.extend(images.items()?.map(reference).collect::<Result<Vec<_>>>()?);
        }
        Self::read(&mut fields)?.with(inputs)
    }

    /// Reads and checks the form of an edit.
    ///
    /// # Errors
    /// `InvalidRequest` naming the field.
    pub fn edit_form(form: Form) -> Result<Self> {
        let (fields, files) = form.into_parts();
        let mut root = Node::root(Value::Object(fields));
        Self::read(&mut root.fields()?)?.with(files)
    }

    fn with(self, inputs: Vec<Part>) -> Result<Self> {
        if inputs.is_empty() {
            let error = Error::new(Kind::InvalidRequest, "missing_required_parameter", "'image' is required");
            return Err(error.at("image"));
        }
        Ok(Self { inputs, ..self })
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let images = Self {
            prompt: prompt(fields.required("prompt")?)?,
            model: fields.optional("model", name)?.unwrap_or_else(|| USUAL_MODEL.to_owned()),
            count: fields.optional("n", |node| number(COUNT, node))?.unwrap_or(1),
            size: fields.optional("size", size)?.unwrap_or(Size::Auto),
            base64: fields.optional("response_format", base64)?.unwrap_or(false),
            stream: fields.optional("stream", Node::boolean)?.unwrap_or(false),
            previews: fields.optional("partial_images", |node| number(PREVIEWS, node))?.unwrap_or(0),
            inputs: Vec::new(),
        };
        options::check(IMAGES, fields)?;
        Ok(images)
    }

    /// The request in the product's own terms.
    pub fn into_request(self, request_id: String) -> ChatRequest {
        let drawing = Drawing {
            count: self.count,
            aspect_ratio: self.size.ratio().to_owned(),
            previews: self.stream && self.previews > 0,
        };
        let text = Part { kind: Some(part::Kind::Text(self.prompt)) };
        let parts = std::iter::once(text).chain(self.inputs).collect();
        let message = Message { role: Role::User.into(), parts, ..Message::default() };
        let (model, messages) = (self.model, vec![message]);
        ChatRequest { request_id, model, messages, drawing: Some(drawing), ..ChatRequest::default() }
    }
}

impl Size {
    /// Width to height; nothing is the upstream's choice.
    fn ratio(self) -> &'static str {
        match self {
            Self::Auto => "",
            Self::Square => "1:1",
            Self::Landscape => "3:2",
            Self::Portrait => "2:3",
        }
    }

    /// OpenAI's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Square => "1024x1024",
            Self::Landscape => "1536x1024",
            Self::Portrait => "1024x1536",
        }
    }
}

pub(super) fn prompt(node: Node<'_>) -> Result<String> {
    let text = node.value.as_str().unwrap_or("-");
    if text.trim().is_empty() {
        return Err(node.invalid("must not be empty"));
    }
    if text.chars().count() > LONGEST_PROMPT {
        return Err(node.invalid(format_args!("must not be longer than {LONGEST_PROMPT} characters")));
    }
    node.string()
}

fn number(shape: Shape, mut node: Node<'_>) -> Result<u32> {
    shape.check(&mut node)?;
    Ok(u32::try_from(options::count(&node)).unwrap_or(u32::MAX))
}

/// `WIDTHxHEIGHT`; only the shape is kept.
fn size(node: Node<'_>) -> Result<Size> {
    let path = node.path;
    let text = node.string()?;
    if text == "auto" {
        return Ok(Size::Auto);
    }
    let pixels = |side: &str| side.parse::<u32>().ok().filter(|&side| side > 0);
    let sides = text.split_once('x').and_then(|(width, height)| Some((pixels(width)?, pixels(height)?)));
    match sides {
        Some((width, height)) if width > height => Ok(Size::Landscape),
        Some((width, height)) if width < height => Ok(Size::Portrait),
        Some(_) => Ok(Size::Square),
        None => {
            let message = format!("'{path}' is {}, but must be auto or WIDTHxHEIGHT", quoted(&text));
            Err(path.error("invalid_value", message))
        }
    }
}

fn base64(node: Node<'_>) -> Result<bool> {
    let path = node.path;
    match node.string()?.as_str() {
        "url" => Ok(false),
        "b64_json" => Ok(true),
        other => {
            let message = format!("'{path}' is {}, but must be url or b64_json", quoted(other));
            Err(path.error("invalid_value", message))
        }
    }
}

/// An address or data URL, or several.
fn one_or_more(mut node: Node<'_>) -> Result<Vec<Part>> {
    if node.value.is_array() {
        return node.items()?.map(content::image_source).collect();
    }
    Ok(vec![content::image_source(node)?])
}

/// `{"image_url": "…"}`.
pub(super) fn reference(mut node: Node<'_>) -> Result<Part> {
    let mut fields = node.fields()?;
    if let Some(id) = fields.take("file_id") {
        let message = format!("'{}' is not supported: send 'image_url'", id.path);
        return Err(id.path.error("unsupported_parameter", message));
    }
    content::image_source(fields.required("image_url")?)
}

/// The table as Markdown: a section of `docs/request-fields.md`.
#[cfg(test)]
pub(super) fn documentation() -> String {
    options::documentation(IMAGES)
}

#[cfg(test)]
mod tests;
