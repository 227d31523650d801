//! The tools: what they are called with, and the turns that they are.

use grok2api_proto::{
    Result,
    chat::{ChatRequest, Message, Role},
};
use rmcp::model::{JsonObject, Tool as Described, ToolAnnotations};
use serde_json::{Value, json};

use crate::openai::request::{
    content::text_part,
    images::Images,
    name,
    videos::Video,
    walk::{Fields, Node},
};

/// Answers when no model is named.
const USUAL_MODEL: &str = "grok-4-fast";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    AskGrok,
    DrawImage,
    MakeVideo,
}

const ALL: [Tool; 3] = [Tool::AskGrok, Tool::DrawImage, Tool::MakeVideo];

/// All of them, as clients see them.
pub(super) fn all() -> Vec<Described> {
    ALL.into_iter().map(Tool::described).collect()
}

impl Tool {
    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|tool| tool.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::AskGrok => "ask_grok",
            Self::DrawImage => "draw_image",
            Self::MakeVideo => "make_video",
        }
    }

    fn described(self) -> Described {
        let (title, text) = match self {
            Self::AskGrok => {
                ("Ask Grok", "Asks Grok a question. It can search the web and X, and cites what it found.")
            }
            Self::DrawImage => ("Draw an image", "Has Grok draw images; the result is links to them."),
            Self::MakeVideo => (
                "Make a video",
                "Has Grok make a short video, which takes minutes; the result is a link to it.",
            ),
        };
        let hints = ToolAnnotations::new().read_only(true).open_world(true);
        Described::new(self.name(), text, self.schema()).with_title(title).with_annotations(hints)
    }

    fn schema(self) -> JsonObject {
        let text = |about: &str| json!({"type": "string", "description": about});
        let model = |usual: &str| text(&format!("An id of /v1/models; {usual} when left out."));
        let (fields, needed) = match self {
            Self::AskGrok => (
                json!({
                    "question": text("What to ask."),
                    "instructions": text("How to answer."),
                    "model": model(USUAL_MODEL),
                }),
                "question",
            ),
            Self::DrawImage => (
                json!({
                    "prompt": text("What is to be seen."),
                    "n": {"type": "integer", "minimum": 1, "maximum": 10, "description": "How many; 1 when left out."},
                    "size": text("auto, or WIDTHxHEIGHT, of which the shape counts."),
                    "model": model("grok-3-fast"),
                }),
                "prompt",
            ),
            Self::MakeVideo => (
                json!({
                    "prompt": text("What is to be seen."),
                    "image_url": text("The image to begin with: an address or a data URL."),
                    "model": model("grok-imagine-0.9"),
                }),
                "prompt",
            ),
        };
        let schema = json!({"type": "object", "properties": fields, "required": [needed], "additionalProperties": false});
        if let Value::Object(schema) = schema { schema } else { JsonObject::new() }
    }

    /// The turn that a call asks for, without its caller, and how many images it may bring.
    ///
    /// # Errors
    /// `InvalidRequest` naming the argument.
    pub(super) fn request(self, arguments: JsonObject, turn_id: String) -> Result<(ChatRequest, usize)> {
        let body = Value::Object(arguments);
        match self {
            Self::AskGrok => Ok((ask(body, turn_id)?, usize::MAX)),
            Self::DrawImage => {
                let images = Images::generation(body.to_string().as_bytes())?;
                let count = images.count as usize;
                Ok((images.into_request(turn_id), count))
            }
            Self::MakeVideo => Ok((Video::parse(video(body).to_string().as_bytes())?.to_request(turn_id), 0)),
        }
    }
}

fn ask(arguments: Value, request_id: String) -> Result<ChatRequest> {
    let mut root = Node::root(arguments);
    let mut fields = root.fields()?;
    let model = fields.optional("model", name)?.unwrap_or_else(|| USUAL_MODEL.to_owned());
    let instructions = fields.optional("instructions", Node::string)?.filter(|text| !text.trim().is_empty());
    let question = question(&mut fields)?;
    let said =
        |role: Role, text| Message { role: role.into(), parts: vec![text_part(text)], ..Message::default() };
    let messages = instructions.map(|text| said(Role::System, text)).into_iter();
    let messages = messages.chain([said(Role::User, question)]).collect();
    Ok(ChatRequest { request_id, model, messages, ..ChatRequest::default() })
}

fn question(fields: &mut Fields<'_>) -> Result<String> {
    let question = fields.required("question")?;
    if question.value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Err(question.invalid("must not be empty"));
    }
    question.string()
}

/// As the API takes it.
fn video(mut arguments: Value) -> Value {
    if let Some(fields) = arguments.as_object_mut()
        && let Some(image) = fields.remove("image_url").filter(|image| !image.is_null())
    {
        fields.insert("input_reference".to_owned(), json!({"image_url": image}));
    }
    arguments
}

#[cfg(test)]
mod tests {
    use grok2api_proto::chat::part;
    use rstest::rstest;

    use super::*;

    fn request(tool: Tool, arguments: Value) -> Result<(ChatRequest, usize)> {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        tool.request(arguments, "turn_1".into())
    }

    #[test]
    fn a_question_is_a_turn() {
        let (asked, _) =
            request(Tool::AskGrok, json!({"question": "why?", "instructions": "be brief"})).unwrap();
        assert_eq!((asked.model.as_str(), asked.messages.len()), (USUAL_MODEL, 2));
        assert_eq!(asked.messages[1].parts[0].kind, Some(part::Kind::Text("why?".into())));
    }

    #[test]
    fn images_and_videos_are_those_of_the_api() {
        let (drawn, count) = request(Tool::DrawImage, json!({"prompt": "a cat", "n": 2})).unwrap();
        assert_eq!((drawn.drawing.unwrap().count, count), (2, 2));
        let film = json!({"prompt": "a cat", "image_url": "https://a.example/1.png"});
        let (film, _) = request(Tool::MakeVideo, film).unwrap();
        assert_eq!((film.model.as_str(), film.messages[0].parts.len()), ("grok-imagine-0.9", 2));
    }

    #[rstest]
    #[case(Tool::AskGrok, json!({}), "question")]
    #[case(Tool::AskGrok, json!({"question": " "}), "question")]
    #[case(Tool::AskGrok, json!({"question": "x", "model": 7}), "model")]
    #[case(Tool::DrawImage, json!({"n": 2}), "prompt")]
    #[case(Tool::DrawImage, json!({"prompt": "x", "n": 99}), "n")]
    #[case(Tool::MakeVideo, json!({"prompt": "x", "image_url": "ftp://x"}), "input_reference.image_url")]
    fn a_wrong_call_is_refused_by_name(#[case] tool: Tool, #[case] arguments: Value, #[case] param: &str) {
        assert_eq!(request(tool, arguments).unwrap_err().param.as_deref(), Some(param));
    }

    #[test]
    fn all_tools_are_found_by_their_names() {
        for described in all() {
            let tool = Tool::named(&described.name).unwrap();
            let needed = described.input_schema["required"][0].as_str().unwrap();
            assert!(described.input_schema["properties"].get(needed).is_some(), "{tool:?}");
        }
        assert_eq!(Tool::named("rm"), None);
    }
}
