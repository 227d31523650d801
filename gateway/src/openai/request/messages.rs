//! `messages`: roles, and what each may carry.

use grok2api_proto::{
    Result,
    chat::{FunctionCall, Message, Part, Role, part},
};

use super::{
    content,
    options::{
        self, Field, Shape,
        Treatment::{Hint, Honoured},
        field, never, required, schema, unsupported,
    },
    schemas,
    walk::{Fields, Node, quoted},
};

/// OpenAI's role names. `developer` is what newer models call `system`, `function` what older ones call `tool`.
const ROLES: [(&str, Role); 6] = [
    ("system", Role::System),
    ("developer", Role::System),
    ("user", Role::User),
    ("assistant", Role::Assistant),
    ("tool", Role::Tool),
    ("function", Role::Tool),
];

/// Every field of a message.
pub(crate) const MESSAGE: &[Field] = &[
    required("role", Shape::Read("string", schemas::role), "see [the API](api.md#messages)"),
    field(
        "content",
        Shape::Read("string, object with `text`, or list of parts", schemas::content),
        Honoured,
        "an assistant may leave it out",
    ),
    field(
        "name",
        Shape::Text,
        Hint,
        "the upstream tells no speakers apart; of a `function` it says which was called",
    ),
    field("refusal", Shape::Text, Honoured, "of an assistant: said as its text"),
    field(
        "tool_calls",
        Shape::Read("list of objects", schemas::calls),
        Honoured,
        "of an assistant: calls of functions; `custom` ones are refused",
    ),
    field(
        "function_call",
        Shape::Read("object", schemas::function),
        Honoured,
        "of an assistant: the older way",
    ),
    field("tool_call_id", Shape::Text, Honoured, "of a `tool`, required"),
    field(
        "audio",
        Shape::Object,
        unsupported(never, schema::nothing),
        "refused: the upstream keeps no audio",
    ),
];

pub(super) fn parse(mut node: Node<'_>) -> Result<Vec<Message>> {
    let path = node.path;
    let messages: Vec<Message> = node.items()?.map(message).collect::<Result<_>>()?;
    if messages.is_empty() {
        return Err(path.error("invalid_value", "'messages' must hold at least one message"));
    }
    if !messages.iter().any(says_something) {
        return Err(path.error("invalid_value", "'messages' holds neither text nor an attachment"));
    }
    Ok(messages)
}

pub(crate) fn says_something(message: &Message) -> bool {
    !message.tool_calls.is_empty()
        || message.parts.iter().any(|part| match &part.kind {
            Some(part::Kind::Text(text)) => !text.trim().is_empty(),
            Some(part::Kind::Attachment(_)) => true,
            None => false,
        })
}

fn message(mut node: Node<'_>) -> Result<Message> {
    let mut fields = node.fields()?;
    let role = fields.required("role")?;
    let name = fields.optional("name", Node::string)?;
    let (role, is_function) = self::role(role)?;
    let mut message = Message { role: role.into(), ..Message::default() };
    let mut refusal = None;
    if role == Role::Assistant {
        message.tool_calls = calls(&mut fields)?;
        refusal = fields.optional("refusal", Node::string)?.filter(|text| !text.is_empty());
        if let Some(audio) = fields.take("audio") {
            options::refuse(MESSAGE, audio)?;
        }
    } else if role == Role::Tool {
        message.tool_call_id = match name.filter(|_| is_function) {
            Some(name) => name,
            None => fields.required("tool_call_id")?.string()?,
        };
    }
    message.parts = parts(&mut fields, role)?;
    message.parts.extend(refusal.map(content::text_part));
    Ok(message)
}

fn role(node: Node<'_>) -> Result<(Role, bool)> {
    let path = node.path;
    let name = node.string()?;
    let known = ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| (*role, name == "function"));
    known.ok_or_else(|| {
        let names = ROLES.map(|(name, _)| name).join(", ");
        path.error("invalid_value", format!("'{path}' is {}, but must be one of {names}", quoted(&name)))
    })
}

/// Only an assistant that called tools may leave `content` out; `null` is taken everywhere.
fn parts(fields: &mut Fields<'_>, role: Role) -> Result<Vec<Part>> {
    if role == Role::Assistant || fields.has("content") {
        return Ok(fields.optional("content", content::parse)?.unwrap_or_default());
    }
    content::parse(fields.required("content")?)
}

/// `tool_calls`, and the single `function_call` of old.
fn calls(fields: &mut Fields<'_>) -> Result<Vec<FunctionCall>> {
    let mut calls = match fields.take("tool_calls") {
        Some(mut list) => list.items()?.map(tool_call).collect::<Result<_>>()?,
        None => Vec::new(),
    };
    if let Some(mut old) = fields.take("function_call") {
        calls.push(function(&mut old, String::new())?);
    }
    Ok(calls)
}

fn tool_call(mut node: Node<'_>) -> Result<FunctionCall> {
    let mut fields = node.fields()?;
    let id = fields.required("id")?.string()?;
    if let Some(kind) = fields.take("type")
        && kind.value != "function"
    {
        if kind.value == "custom" {
            let message = format!("'{}' is \"custom\": only calls of functions are supported", kind.path);
            return Err(kind.path.error("unsupported_parameter", message));
        }
        return Err(kind.invalid("must be \"function\""));
    }
    function(&mut fields.required("function")?, id)
}

fn function(node: &mut Node<'_>, id: String) -> Result<FunctionCall> {
    let mut fields = node.fields()?;
    let name = fields.required("name")?.nonempty()?;
    let arguments = fields.optional("arguments", Node::string)?.unwrap_or_default();
    Ok(FunctionCall { id, name, arguments })
}
