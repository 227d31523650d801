//! `input`: a text, or items. One item is a message, a call, or a call's result; what a client tells of tools that are not
//! there is passed over.

use grok2api_proto::{
    Result,
    chat::{FunctionCall, Message, Part, Role, attachment::Source},
};
use serde_json::{Value, json};

use super::{message, tools};
use crate::openai::request::{
    content::{attachment, image_source, text_part},
    data_url,
    walk::{Fields, Node, quoted},
};

/// Adds what the input says.
pub(super) fn read(mut node: Node<'_>, messages: &mut Vec<Message>) -> Result<()> {
    match node.value {
        Value::String(text) => {
            messages.push(message(Role::User, vec![text_part(text)]));
            Ok(())
        }
        Value::Array(_) => node.items()?.try_for_each(|item| self::item(item, messages)),
        _ => Err(node.expected("a string or a list of items")),
    }
}

/// The id of the item that this one stands for.
pub(super) fn reference(item: &Value) -> Option<&str> {
    let is_reference = match item.get("type").filter(|kind| !kind.is_null()) {
        Some(kind) => kind == "item_reference",
        // The short form has nothing but the id.
        None => item.get("role").is_none(),
    };
    item.get("id").filter(|_| is_reference)?.as_str()
}

fn item(mut node: Node<'_>, messages: &mut Vec<Message>) -> Result<()> {
    if let Some(id) = reference(&node.value) {
        let message = format!("'{}' refers to the item {}, which is not kept", node.path, quoted(id));
        return Err(node.path.error("item_not_found", message));
    }
    let mut fields = node.fields()?;
    match fields.optional("type", Node::string)?.as_deref() {
        None | Some("message") => messages.push(said(&mut fields)?),
        Some("function_call") => {
            let arguments = fields.optional("arguments", Node::string)?.unwrap_or_default();
            called(&mut fields, arguments, messages)?;
        }
        Some("custom_tool_call") => {
            let input = fields.optional("input", Node::string)?.unwrap_or_default();
            called(&mut fields, json!({ (tools::INPUT): input }).to_string(), messages)?;
        }
        Some("function_call_output" | "custom_tool_call_output") => messages.push(result(&mut fields)?),
        // What the model thought is its own, and cannot be given back to it.
        Some(_) => {}
    }
    Ok(())
}

fn said(fields: &mut Fields<'_>) -> Result<Message> {
    let role = fields.required("role")?;
    let path = role.path;
    let role = match role.string()?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" | "developer" => Role::System,
        other => {
            let message = format!(
                "'{path}' is {}, but must be one of user, assistant, system, developer",
                quoted(other)
            );
            return Err(path.error("invalid_value", message));
        }
    };
    Ok(message(role, content(fields.required("content")?)?))
}

/// Calls one after the other, and the text before them, are one message.
fn called(fields: &mut Fields<'_>, arguments: String, messages: &mut Vec<Message>) -> Result<()> {
    let id = fields.required("call_id")?.string()?;
    let name = fields.required("name")?.nonempty()?;
    let namespace = fields.optional("namespace", Node::string)?;
    let call = FunctionCall { id, name: tools::flat(namespace.as_deref(), &name), arguments };
    match messages.last_mut().filter(|last| last.role() == Role::Assistant) {
        Some(last) => last.tool_calls.push(call),
        None => messages.push(Message { tool_calls: vec![call], ..message(Role::Assistant, Vec::new()) }),
    }
    Ok(())
}

fn result(fields: &mut Fields<'_>) -> Result<Message> {
    let tool_call_id = fields.required("call_id")?.string()?;
    let output = fields.optional("output", |output| match output.value {
        Value::Array(_) | Value::String(_) => content(output),
        other => Ok(vec![text_part(other.to_string())]),
    })?;
    Ok(Message { tool_call_id, ..message(Role::Tool, output.unwrap_or_default()) })
}

fn content(mut node: Node<'_>) -> Result<Vec<Part>> {
    match node.value {
        Value::String(text) => Ok(vec![text_part(text)]),
        Value::Array(_) => node.items()?.map(part).collect(),
        _ => Err(node.expected("a string or a list of content parts")),
    }
}

fn part(mut node: Node<'_>) -> Result<Part> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let path = kind.path;
    match kind.string()?.as_str() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            Ok(text_part(fields.required("text")?.string()?))
        }
        "refusal" => Ok(text_part(fields.required("refusal")?.string()?)),
        "input_image" => {
            no_file_id(&mut fields, "image_url")?;
            image_source(fields.required("image_url")?)
        }
        "input_file" => file(&mut fields),
        "input_audio" => {
            Err(path.error("unsupported_value", format!("'{path}' is audio, which is not supported")))
        }
        other => {
            let known = "input_text, input_image, input_file, output_text, refusal";
            Err(path
                .error("invalid_value", format!("'{path}' is {}, but must be one of {known}", quoted(other))))
        }
    }
}

fn file(fields: &mut Fields<'_>) -> Result<Part> {
    no_file_id(fields, "file_data")?;
    let name = fields.optional("filename", Node::string)?.unwrap_or_default();
    if let Some(url) = fields.take("file_url") {
        let path = url.path;
        let address = url.nonempty()?;
        if !address.starts_with("http://") && !address.starts_with("https://") {
            return Err(path.error("invalid_value", format!("'{path}' must be an http(s) address")));
        }
        return Ok(attachment(path, Source::Url(address), String::new(), name));
    }
    let data = fields.required("file_data")?;
    let path = data.path;
    let data = data_url::parse(&data.nonempty()?)
        .map_err(|why| path.error("invalid_value", format!("'{path}' {why}")))?;
    Ok(attachment(path, Source::Data(data.bytes), data.media_type, name))
}

/// There is no store of files.
fn no_file_id(fields: &mut Fields<'_>, instead: &str) -> Result<()> {
    let Some(id) = fields.take("file_id") else { return Ok(()) };
    let message = format!("'{}' is not supported: send '{instead}'", id.path);
    Err(id.path.error("unsupported_parameter", message))
}
