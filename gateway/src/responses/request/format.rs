//! `text`: what shape the answer is to have.

use grok2api_proto::{Result, chat::Format};

use crate::openai::request::walk::{Node, quoted};

/// Nothing when any text will do.
pub(super) fn read(mut node: Node<'_>) -> Result<Option<Format>> {
    let mut fields = node.fields()?;
    fields.optional("verbosity", Node::string)?;
    Ok(fields.optional("format", format)?.flatten())
}

fn format(mut node: Node<'_>) -> Result<Option<Format>> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let path = kind.path;
    match kind.string()?.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::default())),
        "json_schema" => {
            let schema = fields.required("schema")?;
            if !schema.value.is_object() {
                return Err(schema.expected("an object"));
            }
            Ok(Some(Format {
                name: fields.required("name")?.nonempty()?,
                schema: schema.value.to_string(),
                strict: fields.optional("strict", Node::boolean)?.unwrap_or(false),
            }))
        }
        other => {
            let message =
                format!("'{path}' is {}, but must be one of text, json_object, json_schema", quoted(other));
            Err(path.error("invalid_value", message))
        }
    }
}
