//! `POST /v1/responses`: from JSON text to [`ChatRequest`], or to an error that names the parameter.
//!
//! In two steps, because a request may refer to what was said before: [`Draft`] tells what it refers to, and is read with
//! what was found.

pub(crate) mod fields;
mod format;
mod input;
pub(crate) mod kept;
pub(crate) mod tools;

use std::collections::HashMap;

use grok2api_proto::{
    Result,
    chat::{ChatRequest, Format, Message, Role},
};
use serde_json::Value;

use crate::{
    openai::request::{
        content::text_part,
        json,
        messages::says_something,
        name, options,
        walk::{Node, quoted},
    },
    responses::answer::Echo,
};
use fields::FIELDS;
use tools::Tools;

/// A body that is JSON.
pub(crate) struct Draft(Value);

/// What was found of what a draft refers to.
#[derive(Default)]
pub(crate) struct Known {
    /// The items of the conversation so far.
    pub(crate) before: Vec<Value>,
    /// Items by their ids.
    pub(crate) items: HashMap<String, Value>,
}

/// What a client asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The model's public name, as asked.
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// The reasoning is to be shown.
    pub(crate) thinks: bool,
    /// `prompt_cache_key`: the client's name of the conversation.
    pub(crate) conversation: Option<String>,
    pub(crate) tools: Tools,
    /// What the answer repeats.
    pub(crate) echo: Echo,
    /// The input as it is kept, when it is.
    pub(crate) input: Vec<Value>,
    messages: Vec<Message>,
    format: Option<Format>,
    max_tokens: Option<u64>,
    effort: String,
}

impl Draft {
    /// # Errors
    /// `InvalidRequest`, `TooLarge`: it is no JSON, or too much of it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        json(body).map(Self)
    }

    /// The response that this one continues.
    pub(crate) fn previous(&self) -> Option<&str> {
        self.0.get("previous_response_id")?.as_str()
    }

    /// The ids of the items that are referred to.
    pub(crate) fn references(&self) -> impl Iterator<Item = &str> {
        let items = self.0.get("input").and_then(Value::as_array);
        items.into_iter().flatten().filter_map(input::reference)
    }

    /// Checks the request and reads it. `max_output_tokens` below a model's least is taken as it is.
    ///
    /// # Errors
    /// `InvalidRequest`; `param` names the place: `input[2].content[0].image_url`.
    pub(crate) fn read(mut self, known: Known, keeps: bool) -> Result<Asked> {
        self.insert(&known);
        let echo = Echo::of(&self.0, keeps);
        let input = if echo.store { kept::items(self.0.get("input")) } else { Vec::new() };
        let mut root = Node::root(self.0);
        let mut fields = root.fields()?;
        let model = name(fields.required("model")?)?;
        let mut messages = instructions(fields.optional("instructions", Node::string)?);
        input::read(Node::root(Value::Array(known.before)), &mut messages)?;
        let list = fields.required("input")?;
        let path = list.path;
        input::read(list, &mut messages)?;
        if !messages.iter().any(says_something) {
            return Err(path.error("invalid_value", "'input' holds neither text nor an attachment"));
        }
        let tools = fields.optional("tools", tools::read)?.unwrap_or_default();
        let (thinks, effort) = fields.optional("reasoning", reasoning)?.unwrap_or_default();
        let asked = Asked {
            model,
            messages,
            thinks,
            effort,
            stream: fields.optional("stream", Node::boolean)?.unwrap_or(false),
            conversation: fields.optional("prompt_cache_key", Node::string)?,
            max_tokens: fields.optional("max_output_tokens", options::tokens)?,
            format: fields.optional("text", format::read)?.flatten(),
            tools: tools.chosen(fields.take("tool_choice"), fields.take("parallel_tool_calls"))?,
            echo,
            input,
        };
        options::check(FIELDS, &mut fields)?;
        Ok(asked)
    }

    /// Puts what is referred to in the place of the references.
    fn insert(&mut self, known: &Known) {
        let items = self.0.get_mut("input").and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            let found = input::reference(item).and_then(|id| known.items.get(id)).cloned();
            if let Some(found) = found {
                *item = found;
            }
        }
    }
}

impl Asked {
    /// The request in the product's own terms.
    pub(crate) fn take_request(&mut self, request_id: String) -> ChatRequest {
        ChatRequest {
            request_id,
            model: self.model.clone(),
            messages: std::mem::take(&mut self.messages),
            max_tokens: self.max_tokens,
            tools: std::mem::take(&mut self.tools.functions),
            tool_choice: self.tools.choice.take(),
            single_call: self.tools.single,
            format: self.format.take(),
            effort: std::mem::take(&mut self.effort),
            ..ChatRequest::default()
        }
    }
}

fn instructions(text: Option<String>) -> Vec<Message> {
    let text = text.filter(|text| !text.trim().is_empty());
    text.into_iter().map(|text| message(Role::System, vec![text_part(text)])).collect()
}

fn message(role: Role, parts: Vec<grok2api_proto::chat::Part>) -> Message {
    Message { role: role.into(), parts, ..Message::default() }
}

/// Thought is shown to those who ask for its summary.
fn reasoning(mut node: Node<'_>) -> Result<(bool, String)> {
    let mut fields = node.fields()?;
    let effort = fields.optional("effort", Node::string)?.unwrap_or_default();
    let older = fields.optional("generate_summary", summary)?;
    let shown = fields.optional("summary", summary)?.or(older);
    Ok((shown.unwrap_or(false), effort))
}

fn summary(node: Node<'_>) -> Result<bool> {
    let path = node.path;
    match node.string()?.as_str() {
        "auto" | "concise" | "detailed" => Ok(true),
        "none" => Ok(false),
        other => {
            let message =
                format!("'{path}' is {}, but must be one of auto, concise, detailed", quoted(other));
            Err(path.error("invalid_value", message))
        }
    }
}

#[cfg(test)]
mod tests;
