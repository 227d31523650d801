//! `messages[].content`: a string, an object with `text`, or a list of parts.

use grok2api_proto::{
    Result,
    chat::{Attachment, Part, attachment::Source, part},
};
use serde_json::Value;

use super::{
    data_url,
    options::{
        Field, Shape,
        Treatment::{Hint, Honoured},
        check, field, never, refuse, required, schema, unsupported,
    },
    schemas,
    walk::{Node, Path, quoted},
};

/// What a part may hold, by its `type`: each is read below, so this serves the page of fields alone.
#[cfg(test)]
pub(crate) const PART: &[Field] = &[
    required(
        "type",
        Shape::Read("string", schemas::part_type),
        "`text` (`input_text`), `refusal`, `image_url`, `file`; `input_audio` is refused",
    ),
    field("text", Shape::Text, Honoured, "of `text`, required"),
    field("refusal", Shape::Text, Honoured, "of `refusal`, required: said as text"),
    field(
        "image_url",
        Shape::Read("object or string", schemas::image_url),
        Honoured,
        "of `image_url`, required: an http(s) address, a data URL, or the bare base64 of an image",
    ),
    field("file", Shape::Fields(FILE), Honoured, "of `file`, required"),
    field(
        "input_audio",
        Shape::Object,
        unsupported(never, schema::nothing),
        "refused (`unsupported_value`): the upstream hears nothing",
    ),
];

/// `image_url`.
pub(crate) const IMAGE_URL: &[Field] = &[
    required("url", Shape::Read("string", schemas::image), "the image"),
    field("detail", Shape::Text, Hint, "the upstream decides how closely it looks"),
];

/// `file`.
pub(crate) const FILE: &[Field] = &[
    required("file_data", Shape::Read("string", schemas::data_url), "`data:…;base64,…`"),
    field("filename", Shape::Text, Honoured, "its name"),
    field(
        "file_id",
        Shape::Text,
        unsupported(never, schema::nothing),
        "refused: no files are stored, send `file_data`",
    ),
];

pub(crate) fn parse(mut node: Node<'_>) -> Result<Vec<Part>> {
    match node.value {
        Value::String(text) => Ok(vec![text_part(text)]),
        Value::Array(_) => node.items()?.map(part).collect(),
        Value::Object(_) => Ok(vec![text_part(node.fields()?.required("text")?.string()?)]),
        _ => Err(node.expected("a string or a list of content parts")),
    }
}

pub(crate) fn text_part(text: String) -> Part {
    Part { kind: Some(part::Kind::Text(text)) }
}

fn part(mut node: Node<'_>) -> Result<Part> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let path = kind.path;
    match kind.string()?.as_str() {
        "text" | "input_text" => Ok(text_part(fields.required("text")?.string()?)),
        "refusal" => Ok(text_part(fields.required("refusal")?.string()?)),
        "image_url" => image(fields.required("image_url")?),
        "file" => file(fields.required("file")?),
        "input_audio" => {
            Err(path.error("unsupported_value", format!("'{path}' is audio, which is not supported")))
        }
        other => {
            let known = "text, image_url, file";
            Err(path
                .error("invalid_value", format!("'{path}' is {}, but must be one of {known}", quoted(other))))
        }
    }
}

/// `{"url": …}`, or the address alone as some clients send it.
fn image(mut node: Node<'_>) -> Result<Part> {
    if node.value.is_string() {
        return image_source(node);
    }
    let mut fields = node.fields()?;
    let url = fields.required("url")?;
    check(IMAGE_URL, &mut fields)?;
    image_source(url)
}

/// An http(s) address, a data URL, or the base64 text of an image.
pub(crate) fn image_source(node: Node<'_>) -> Result<Part> {
    let path = node.path;
    let address = node.nonempty()?;
    if has_scheme(&address, "http://") || has_scheme(&address, "https://") {
        return Ok(attachment(path, Source::Url(address), String::new(), String::new()));
    }
    let data = if has_scheme(&address, "data:") {
        data_url::parse(&address).map_err(|why| path.error("invalid_value", format!("'{path}' {why}")))?
    } else {
        data_url::bare_image(&address).ok_or_else(|| {
            let message =
                format!("'{path}' must be an http(s) address, a data URL or the base64 text of an image");
            path.error("invalid_value", message)
        })?
    };
    if !data.media_type.starts_with("image/") {
        let message = format!("'{path}' is of type {}, but must be an image", quoted(&data.media_type));
        return Err(path.error("invalid_value", message));
    }
    Ok(attachment(path, Source::Data(data.bytes), data.media_type, String::new()))
}

fn file(mut node: Node<'_>) -> Result<Part> {
    let mut fields = node.fields()?;
    if let Some(id) = fields.take("file_id") {
        refuse(FILE, id)?;
    }
    let name = fields.optional("filename", Node::string)?.unwrap_or_default();
    let data = fields.required("file_data")?;
    let path = data.path;
    let data = data_url::parse(&data.nonempty()?)
        .map_err(|why| path.error("invalid_value", format!("'{path}' {why}")))?;
    Ok(attachment(path, Source::Data(data.bytes), data.media_type, name))
}

pub(crate) fn attachment(path: Path<'_>, source: Source, media_type: String, file_name: String) -> Part {
    let attachment = Attachment { source: Some(source), media_type, file_name, param: path.to_string() };
    Part { kind: Some(part::Kind::Attachment(attachment)) }
}

fn has_scheme(address: &str, scheme: &str) -> bool {
    address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}
