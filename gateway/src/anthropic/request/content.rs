//! Content blocks. One message of this protocol may be several of ours: results of tools are messages of their own.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use grok2api_proto::{
    Result,
    chat::{FunctionCall, Message, Part, Role, attachment::Source},
};
use serde_json::Value;

use super::message;
use crate::openai::request::{
    content::{attachment, text_part},
    walk::{Fields, Node, quoted},
};

const KNOWN: &str = "text, image, document, tool_use, tool_result, thinking, redacted_thinking";

/// Adds what a message says.
pub(super) fn read(role: Role, mut node: Node<'_>, messages: &mut Vec<Message>) -> Result<()> {
    let mut said = message(role, Vec::new());
    match node.value {
        Value::String(text) => said.parts.push(text_part(text)),
        Value::Array(_) => {
            for block in node.items()? {
                self::block(block, &mut said, Some(messages))?;
            }
        }
        _ => return Err(node.expected("a string or a list of content blocks")),
    }
    // What only brought results of tools says nothing itself.
    if !said.parts.is_empty() || !said.tool_calls.is_empty() {
        messages.push(said);
    }
    Ok(())
}

/// A list of blocks of text.
pub(super) fn texts(mut node: Node<'_>) -> Result<Vec<Part>> {
    if !node.value.is_array() {
        return Err(node.expected("a string or a list of text blocks"));
    }
    node.items()?.map(text).collect()
}

fn text(mut node: Node<'_>) -> Result<Part> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    if kind.value != "text" {
        return Err(kind.invalid("must be \"text\""));
    }
    Ok(text_part(fields.required("text")?.string()?))
}

/// Within the result of a tool there are no others.
fn block(mut node: Node<'_>, said: &mut Message, results: Option<&mut Vec<Message>>) -> Result<()> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let path = kind.path;
    match (kind.string()?.as_str(), results) {
        ("text", _) => said.parts.push(text_part(fields.required("text")?.string()?)),
        ("image", _) => said.parts.push(source(fields.required("source")?, String::new(), true)?),
        ("document", _) => said.parts.push(document(&mut fields)?),
        ("tool_use", Some(_)) => said.tool_calls.push(tool_use(&mut fields)?),
        ("tool_result", Some(results)) => results.push(tool_result(&mut fields)?),
        // A tool that was searched for; all are offered anyway.
        ("tool_reference", _) => {
            let name = fields.optional("tool_name", Node::string)?.unwrap_or_default();
            said.parts.push(text_part(format!("Tool found: {name}")));
        }
        // What ran on a server is told by what the model said of it.
        ("server_tool_use" | "web_search_tool_result" | "web_fetch_tool_result", _) => {}
        // What the model thought is its own, and cannot be given back to it.
        ("thinking" | "redacted_thinking", _) => {}
        (other, _) => {
            let message = format!("'{path}' is {}, but must be one of {KNOWN}", quoted(other));
            return Err(path.error("invalid_value", message));
        }
    }
    Ok(())
}

fn document(fields: &mut Fields<'_>) -> Result<Part> {
    let title = fields.optional("title", Node::string)?.unwrap_or_default();
    let mut source = fields.required("source")?;
    if source.value.get("type").is_some_and(|kind| kind == "text") {
        return Ok(text_part(source.fields()?.required("data")?.string()?));
    }
    self::source(source, title, false)
}

/// `{"type":"base64","media_type","data"}` or `{"type":"url","url"}`.
fn source(mut node: Node<'_>, file_name: String, image: bool) -> Result<Part> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let path = kind.path;
    match kind.string()?.as_str() {
        "base64" => inline(&mut fields, file_name, image),
        "url" => {
            let url = fields.required("url")?;
            let path = url.path;
            let address = url.nonempty()?;
            if !address.starts_with("http://") && !address.starts_with("https://") {
                return Err(path.error("invalid_value", format!("'{path}' must be an http(s) address")));
            }
            Ok(attachment(path, Source::Url(address), String::new(), file_name))
        }
        other => {
            let message = format!("'{path}' is {}, but must be one of base64, url", quoted(other));
            Err(path.error("invalid_value", message))
        }
    }
}

fn inline(fields: &mut Fields<'_>, file_name: String, image: bool) -> Result<Part> {
    let kind = fields.required("media_type")?;
    if image && !kind.value.as_str().is_none_or(|kind| kind.starts_with("image/")) {
        return Err(kind.invalid("must be the type of an image"));
    }
    let media_type = kind.nonempty()?;
    let data = fields.required("data")?;
    let path = data.path;
    let bytes = STANDARD
        .decode(data.nonempty()?)
        .map_err(|error| path.error("invalid_value", format!("'{path}' is not base64: {error}")))?;
    Ok(attachment(path, Source::Data(bytes.into()), media_type, file_name))
}

fn tool_use(fields: &mut Fields<'_>) -> Result<FunctionCall> {
    let id = fields.required("id")?.string()?;
    let name = fields.required("name")?.nonempty()?;
    let input = fields.required("input")?;
    if !input.value.is_object() {
        return Err(input.expected("an object"));
    }
    Ok(FunctionCall { id, name, arguments: input.value.to_string() })
}

fn tool_result(fields: &mut Fields<'_>) -> Result<Message> {
    let tool_call_id = fields.required("tool_use_id")?.string()?;
    let failed = fields.optional("is_error", Node::boolean)?.unwrap_or(false);
    let mut parts = fields.optional("content", result)?.unwrap_or_default();
    if failed {
        parts.insert(0, text_part("The tool failed:".to_owned()));
    }
    Ok(Message { tool_call_id, ..message(Role::Tool, parts) })
}

fn result(mut node: Node<'_>) -> Result<Vec<Part>> {
    match node.value {
        Value::String(text) => Ok(vec![text_part(text)]),
        Value::Array(_) => {
            let mut said = Message::default();
            node.items()?.try_for_each(|block| self::block(block, &mut said, None))?;
            Ok(said.parts)
        }
        _ => Err(node.expected("a string or a list of content blocks")),
    }
}
