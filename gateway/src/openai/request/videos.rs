//! `POST /v1/videos`: from JSON, or a form, to a turn of a video model.

use grok2api_proto::{
    Error, Kind, Result,
    chat::{ChatRequest, Message, Part, Role, part},
};
use serde_json::Value;

use super::{
    images::{Form, prompt, reference},
    json, name,
    options::{self, Field, Shape, Treatment, field, required},
    schemas,
    walk::{Fields, Node, quoted},
};
use Shape::{Read, Text};
use Treatment::{Hint, Honoured};

const USUAL_MODEL: &str = "grok-imagine-0.9";
const USUAL_SIZE: &str = "720x1280";
const USUAL_SECONDS: &str = "4";

/// The fields of the request.
pub(super) const VIDEOS: &[Field] = &[
    required("prompt", Read("string", schemas::prompt), "at most 32,000 characters"),
    field(
        "model",
        Read("string", schemas::name),
        Honoured,
        "a model that makes videos; `grok-imagine-0.9` when left out",
    ),
    field(
        "input_reference",
        Read("file or object", schemas::reference),
        Honoured,
        "the image to begin with: a file, or `{\"image_url\": …}`",
    ),
    field(
        "size",
        Read("string", schemas::video_size),
        Hint,
        "WIDTHxHEIGHT; told again in the answer, the upstream decides",
    ),
    field(
        "seconds",
        Read("string", schemas::seconds),
        Hint,
        "`4`, `8` or `12`; told again in the answer, the upstream decides",
    ),
    field("user", Text, Hint, "for the client's own use"),
];

/// What a client asked for.
#[derive(Debug, PartialEq)]
pub struct Video {
    /// The model's public name.
    pub model: String,
    /// What is to be seen.
    pub prompt: String,
    /// As asked.
    pub size: String,
    /// As asked.
    pub seconds: String,
    /// The image to begin with.
    pub input: Option<Part>,
}

impl Video {
    /// Reads and checks a JSON body.
    ///
    /// # Errors
    /// `InvalidRequest` naming the place.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let mut root = Node::root(json(body)?);
        let mut fields = root.fields()?;
        let input = fields.optional("input_reference", reference)?;
        Ok(Self { input, ..Self::read(&mut fields)? })
    }

    /// Reads and checks a form.
    ///
    /// # Errors
    /// `InvalidRequest` naming the field.
    pub fn form(form: Form) -> Result<Self> {
        let (fields, mut files) = form.into_parts();
        let mut root = Node::root(Value::Object(fields));
        let video = Self::read(&mut root.fields()?)?;
        if files.len() > 1 {
            return Err(Error::invalid("input_reference", "a video begins with one image at most"));
        }
        Ok(Self { input: files.pop(), ..video })
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let video = Self {
            prompt: prompt(fields.required("prompt")?)?,
            model: fields.optional("model", name)?.unwrap_or_else(|| USUAL_MODEL.to_owned()),
            size: fields.optional("size", size)?.unwrap_or_else(|| USUAL_SIZE.to_owned()),
            seconds: fields.optional("seconds", seconds)?.unwrap_or_else(|| USUAL_SECONDS.to_owned()),
            input: None,
        };
        options::check(VIDEOS, fields)?;
        Ok(video)
    }

    /// The turn that makes it.
    pub fn to_request(&self, request_id: String) -> ChatRequest {
        let text = Part { kind: Some(part::Kind::Text(self.prompt.clone())) };
        let parts = std::iter::once(text).chain(self.input.clone()).collect();
        let messages = vec![Message { role: Role::User.into(), parts, ..Message::default() }];
        ChatRequest { request_id, model: self.model.clone(), messages, ..ChatRequest::default() }
    }
}

fn size(node: Node<'_>) -> Result<String> {
    let path = node.path;
    let text = node.string()?;
    let pixels = |side: &str| side.parse::<u16>().is_ok_and(|side| side > 0);
    if text.split_once('x').is_some_and(|(width, height)| pixels(width) && pixels(height)) {
        return Ok(text);
    }
    Err(path.error("invalid_value", format!("'{path}' is {}, but must be WIDTHxHEIGHT", quoted(&text))))
}

/// OpenAI has it a string; clients send numbers too.
fn seconds(node: Node<'_>) -> Result<String> {
    let path = node.path;
    let text = if node.value.is_u64() { node.value.to_string() } else { node.string()? };
    if ["4", "8", "12"].contains(&text.as_str()) {
        return Ok(text);
    }
    Err(path.error("invalid_value", format!("'{path}' is {}, but must be 4, 8 or 12", quoted(&text))))
}

/// Part of a list of videos.
#[derive(Debug, PartialEq)]
pub struct Page {
    /// The last one that is known.
    pub after: String,
    /// 1 to 100.
    pub limit: u32,
    /// The oldest first.
    pub ascending: bool,
}

impl Page {
    /// Reads and checks the query of a list.
    ///
    /// # Errors
    /// `InvalidRequest` naming the parameter.
    pub fn parse(query: &[(String, String)]) -> Result<Self> {
        let of = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let limit = of("limit").map_or(Ok(20), str::parse::<u32>).unwrap_or_default();
        if !(1..=100).contains(&limit) {
            return Err(Error::invalid("limit", "'limit' must be within 1 and 100"));
        }
        let ascending = match of("order") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(Error::invalid("order", "'order' must be asc or desc")),
        };
        Ok(Self { after: of("after").unwrap_or_default().to_owned(), limit, ascending })
    }
}

/// Which part of a finished video is wanted: only the video itself is there.
///
/// # Errors
/// `InvalidRequest` for another.
pub fn variant(query: &[(String, String)]) -> Result<()> {
    match query.iter().find(|(name, _)| name == "variant").map(|(_, value)| value.as_str()) {
        None | Some("video") => Ok(()),
        Some(_) => Err(Error::new(
            Kind::InvalidRequest,
            "unsupported_value",
            "'variant' must be video: thumbnails and spritesheets are not made",
        )
        .at("variant")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn parse(fields: &Value) -> Result<Video> {
        let mut request = json!({"prompt": "a cat"});
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Video::parse(request.to_string().as_bytes())
    }

    #[test]
    fn a_prompt_is_enough() {
        let video = parse(&json!({"size": null, "seconds": null})).unwrap();
        let told = (video.model.as_str(), video.size.as_str(), video.seconds.as_str());
        assert_eq!(told, ("grok-imagine-0.9", "720x1280", "4"));
        assert_eq!(video.to_request("turn".into()).messages[0].parts.len(), 1);
    }

    #[test]
    fn a_video_begins_with_an_image() {
        let fields = json!({"input_reference": {"image_url": "https://a.example/1.png"}, "seconds": 8});
        let video = parse(&fields).unwrap();
        assert_eq!(
            (video.seconds.as_str(), video.to_request("turn".into()).messages[0].parts.len()),
            ("8", 2)
        );
    }

    #[rstest]
    #[case(json!({"prompt": ""}), "prompt", "invalid_value")]
    #[case(json!({"size": "large"}), "size", "invalid_value")]
    #[case(json!({"seconds": "5"}), "seconds", "invalid_value")]
    #[case(json!({"seconds": 4.5}), "seconds", "invalid_type")]
    #[case(json!({"input_reference": {"file_id": "f"}}), "input_reference.file_id", "unsupported_parameter")]
    #[case(json!({"input_reference": "x"}), "input_reference", "invalid_type")]
    fn a_wrong_request_is_refused_by_name(#[case] fields: Value, #[case] param: &str, #[case] code: &str) {
        let error = parse(&fields).unwrap_err();
        assert_eq!((error.param.as_deref(), error.code.as_ref()), (Some(param), code));
    }

    #[rstest]
    #[case(&[], Some((20, false)))]
    #[case(&[("limit", "3"), ("order", "asc")], Some((3, true)))]
    #[case(&[("limit", "0")], None)]
    #[case(&[("limit", "x")], None)]
    #[case(&[("order", "up")], None)]
    fn a_page_is_read(#[case] query: &[(&str, &str)], #[case] expected: Option<(u32, bool)>) {
        let query: Vec<_> = query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(Page::parse(&query).ok().map(|page| (page.limit, page.ascending)), expected);
    }
}
