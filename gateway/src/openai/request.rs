//! `POST /v1/chat/completions`: from JSON text to [`ChatRequest`], or to an error that names the parameter.

pub(crate) mod content;
pub(crate) mod data_url;
pub mod images;
pub(crate) mod messages;
pub(crate) mod options;
pub mod schemas;
pub(crate) mod tools;
pub mod videos;
pub(crate) mod walk;

use grok2api_proto::{
    Error, Kind, Result,
    chat::{ChatRequest, Format, Message},
};
use memchr::memchr2;
use serde_json::Value;

use walk::{Fields, Node, quoted};

use super::present::Thinking;

const LONGEST_NAME: usize = 256;
/// Most values in a body. Their tree takes fifty times the memory of their text; conversations hold far fewer.
const MOST_VALUES: usize = 200_000;

/// What a client asked for.
#[derive(Debug, PartialEq)]
pub struct Completion {
    /// The model's public name, as asked.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Message>,
    /// Server-sent events instead of one JSON answer.
    pub stream: bool,
    /// `stream_options.include_usage`.
    pub include_usage: bool,
    /// `thinking_mode`: overrides the runtime parameter of that name.
    pub thinking: Option<Thinking>,
    /// `temporary`: overrides the runtime parameter of that name.
    pub temporary: Option<bool>,
    /// `n`: how many answers.
    pub choices: usize,
    /// `stop`: an answer ends before the first of these; none is empty.
    pub stop: Vec<String>,
    /// The smaller of `max_completion_tokens` and `max_tokens`.
    pub max_tokens: Option<u64>,
    /// `response_format`, unless it is plain text.
    pub format: Option<Format>,
    /// `reasoning_effort`; empty for none.
    pub effort: String,
    /// `prompt_cache_key`: which conversation it is; empty for none.
    pub conversation: String,
    pub(crate) tools: tools::Tools,
}

impl Completion {
    /// Reads and checks a request body, whatever its content type says.
    ///
    /// # Errors
    /// `InvalidRequest`; `param` names the place: `messages[2].content[0].image_url.url`.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let mut root = Node::root(json(body)?);
        let mut fields = root.fields()?;
        let model = fields.required("model")?;
        let messages = fields.required("messages")?;
        let completion = Self {
            model: name(model)?,
            stream: fields.optional("stream", Node::boolean)?.unwrap_or(false),
            include_usage: fields.optional("stream_options", include_usage)?.unwrap_or(false),
            thinking: fields.optional("thinking_mode", thinking)?,
            temporary: fields.optional("temporary", Node::boolean)?,
            choices: fields.optional("n", options::choices)?.unwrap_or(1),
            stop: fields.optional("stop", options::stop)?.unwrap_or_default(),
            max_tokens: max_tokens(&mut fields)?,
            format: fields.optional("response_format", tools::format)?.flatten(),
            effort: fields.optional("reasoning_effort", options::effort)?.unwrap_or_default(),
            conversation: fields.optional("prompt_cache_key", Node::string)?.unwrap_or_default(),
            tools: tools::take(&mut fields)?,
            messages: messages::parse(messages)?,
        };
        options::check(options::CHAT, &mut fields)?;
        Ok(completion)
    }

    /// The request in the product's own terms.
    pub fn into_request(self, request_id: String) -> ChatRequest {
        let Self {
            model, messages, temporary, stop, max_tokens, format, effort, conversation, tools, ..
        } = self;
        ChatRequest {
            request_id,
            model,
            messages,
            temporary,
            stop,
            max_tokens,
            tools: tools.tools,
            tool_choice: tools.choice,
            single_call: tools.single,
            format,
            effort,
            conversation,
            ..ChatRequest::default()
        }
    }
}

pub(crate) fn json(body: &[u8]) -> Result<Value> {
    let invalid = |message| Error::new(Kind::InvalidRequest, "invalid_json", message);
    if body.is_empty() {
        return Err(invalid("the request body is empty; a JSON object was expected".to_owned()));
    }
    if values(body) > MOST_VALUES {
        let message = format!("the request body holds more than {MOST_VALUES} JSON values");
        return Err(Error::new(Kind::TooLarge, "too_many_values", message));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| invalid(format!("the request body is not UTF-8 at byte {}", error.valid_up_to())))?;
    serde_json::from_str(text).map_err(|error| invalid(format!("the request body is not JSON: {error}")))
}

/// How many values the body holds at the most, told by its commas outside strings, before any memory is spent on them.
fn values(body: &[u8]) -> usize {
    let (mut count, mut at) = (1, 0);
    while let Some(offset) = memchr2(b'"', b',', &body[at..]) {
        at += offset + 1;
        if body[at - 1] == b',' {
            count += 1;
        } else {
            at = string_end(body, at);
        }
    }
    count
}

fn string_end(body: &[u8], mut at: usize) -> usize {
    while let Some(offset) = body.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += offset + 1;
        if body[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    body.len()
}

/// A model's name; errors and logs repeat it.
pub(crate) fn name(node: Node<'_>) -> Result<String> {
    if node.value.as_str().is_some_and(|name| name.chars().count() > LONGEST_NAME) {
        return Err(node.invalid(format_args!("must not be longer than {LONGEST_NAME} characters")));
    }
    node.nonempty()
}

fn include_usage(mut node: Node<'_>) -> Result<bool> {
    Ok(node.fields()?.optional("include_usage", Node::boolean)?.unwrap_or(false))
}

fn max_tokens(fields: &mut Fields<'_>) -> Result<Option<u64>> {
    let newer = fields.optional("max_completion_tokens", options::tokens)?;
    let older = fields.optional("max_tokens", options::tokens)?;
    Ok([newer, older].into_iter().flatten().min())
}

fn thinking(node: Node<'_>) -> Result<Thinking> {
    let path = node.path.to_string();
    let name = node.string()?;
    Thinking::named(&name).ok_or_else(|| {
        Error::invalid(
            path,
            format!("thinking_mode {} is none of reasoning_content, think, off", quoted(&name)),
        )
    })
}

#[cfg(test)]
mod tests;
