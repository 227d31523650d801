//! `POST /v1/messages`: from JSON text to [`ChatRequest`], or to an error that names the parameter.

mod content;
pub(crate) mod fields;
mod tools;

use grok2api_proto::{
    Result,
    chat::{ChatRequest, Format, Message, Part, Role, part},
};
use serde_json::Value;

use crate::openai::request::{
    content::text_part,
    json, name, options,
    walk::{Node, quoted},
};
use fields::FIELDS;

/// What a client asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    /// The model's public name, as asked.
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The reasoning is to be shown.
    pub(crate) thinks: bool,
    messages: Vec<Message>,
    stop: Vec<String>,
    max_tokens: Option<u64>,
    tools: tools::Tools,
    format: Option<Format>,
    /// `metadata.user_id`, by which agents tell their sessions; empty for none.
    conversation: String,
}

impl Asked {
    /// Reads and checks a request body, whatever its content type says. `max_tokens` may be absent.
    ///
    /// # Errors
    /// `InvalidRequest`; `param` names the place: `messages[2].content[0].source.data`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let mut root = Node::root(json(body)?);
        let mut fields = root.fields()?;
        let model = name(fields.required("model")?)?;
        let list = fields.required("messages")?;
        let mut messages: Vec<Message> = fields.optional("system", system)?.into_iter().collect();
        let path = list.path;
        converse(list, &mut messages)?;
        if !messages.iter().any(says_something) {
            return Err(path.error("invalid_value", "'messages' holds neither text nor an attachment"));
        }
        let asked = Self {
            model,
            messages,
            stream: fields.optional("stream", Node::boolean)?.unwrap_or(false),
            thinks: fields.optional("thinking", thinks)?.unwrap_or(false),
            stop: fields.optional("stop_sequences", stops)?.unwrap_or_default(),
            max_tokens: fields.optional("max_tokens", options::tokens)?,
            tools: tools::take(&mut fields)?,
            format: fields.optional("output_config", tools::output)?.flatten(),
            conversation: fields.optional("metadata", user)?.unwrap_or_default(),
        };
        options::check(FIELDS, &mut fields)?;
        Ok(asked)
    }

    /// The request in the product's own terms.
    pub(crate) fn into_request(self, request_id: String) -> ChatRequest {
        let Self { model, messages, stop, max_tokens, tools, format, conversation, .. } = self;
        ChatRequest {
            request_id,
            model,
            messages,
            stop,
            max_tokens,
            tools: tools.tools,
            tool_choice: tools.choice,
            single_call: tools.single,
            format,
            conversation,
            ..ChatRequest::default()
        }
    }
}

fn says_something(message: &Message) -> bool {
    !message.tool_calls.is_empty()
        || message.parts.iter().any(|part| match &part.kind {
            Some(part::Kind::Text(text)) => !text.trim().is_empty(),
            Some(part::Kind::Attachment(_)) => true,
            None => false,
        })
}

/// `system`: a text, or a list of blocks of text.
fn system(node: Node<'_>) -> Result<Message> {
    let parts = match node.value {
        Value::String(text) => vec![text_part(text)],
        _ => content::texts(node)?,
    };
    Ok(message(Role::System, parts))
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role: role.into(), parts, ..Message::default() }
}

fn converse(mut list: Node<'_>, messages: &mut Vec<Message>) -> Result<()> {
    let path = list.path;
    let items = list.items()?;
    if items.len() == 0 {
        return Err(path.error("invalid_value", "'messages' must hold at least one message"));
    }
    for mut item in items {
        let mut fields = item.fields()?;
        let role = fields.required("role")?;
        let path = role.path;
        let role = match role.string()?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            // Newer clients change the instructions on the way.
            "system" => Role::System,
            other => {
                let message =
                    format!("'{path}' is {}, but must be one of user, assistant, system", quoted(other));
                return Err(path.error("invalid_value", message));
            }
        };
        content::read(role, fields.required("content")?, messages)?;
    }
    Ok(())
}

/// `metadata`, of which only the user is read.
fn user(mut node: Node<'_>) -> Result<String> {
    Ok(node.fields()?.optional("user_id", Node::string)?.unwrap_or_default())
}

fn stops(node: Node<'_>) -> Result<Vec<String>> {
    if node.value.is_array() { options::stop(node) } else { Err(node.expected("a list of strings")) }
}

/// Thought is shown to those who ask for it; how long the model thinks is its own business.
fn thinks(mut node: Node<'_>) -> Result<bool> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let path = kind.path;
    match kind.string()?.as_str() {
        "enabled" | "adaptive" => Ok(true),
        "disabled" => Ok(false),
        other => {
            let message =
                format!("'{path}' is {}, but must be one of enabled, adaptive, disabled", quoted(other));
            Err(path.error("invalid_value", message))
        }
    }
}

#[cfg(test)]
mod tests;
