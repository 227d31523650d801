//! `tools`, `tool_choice` and `output_config`.

use grok2api_proto::{
    Result,
    chat::{Format, Tool, ToolChoice, tool_choice::Mode},
};

use crate::openai::request::{
    tools::schema,
    walk::{Fields, Node, quoted},
};

/// What a request says of tools.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tools {
    pub(super) tools: Vec<Tool>,
    pub(super) choice: Option<ToolChoice>,
    /// At most one call.
    pub(super) single: bool,
}

/// Takes what a request says of tools.
pub(super) fn take(fields: &mut Fields<'_>) -> Result<Tools> {
    let tools = fields.optional("tools", list)?.unwrap_or_default();
    let Some(node) = fields.take("tool_choice") else { return Ok(Tools { tools, ..Tools::default() }) };
    let (choice, single) = choice(node, &tools)?;
    Ok(Tools { tools, choice: Some(choice), single })
}

fn list(mut node: Node<'_>) -> Result<Vec<Tool>> {
    let tools = node.items()?.map(tool).collect::<Result<Vec<Option<Tool>>>>()?;
    Ok(tools.into_iter().flatten().collect())
}

/// A tool of the client's: with `input_schema`, and with the type `custom` or none. Those of other types run on
/// Anthropic's servers; they are accepted and not offered to the model. One whose loading is deferred is offered, since
/// nobody searches for it here.
fn tool(mut node: Node<'_>) -> Result<Option<Tool>> {
    let mut fields = node.fields()?;
    match fields.optional("type", Node::string)?.as_deref() {
        None | Some("custom") => {}
        Some(_) => return Ok(None),
    }
    Ok(Some(Tool {
        name: fields.required("name")?.nonempty()?,
        description: fields.optional("description", Node::string)?.unwrap_or_default(),
        parameters: fields.optional("input_schema", schema)?.unwrap_or_default(),
        strict: fields.optional("strict", Node::boolean)?.unwrap_or(false),
    }))
}

fn choice(mut node: Node<'_>, tools: &[Tool]) -> Result<(ToolChoice, bool)> {
    let path = node.path;
    let mut fields = node.fields()?;
    let single = fields.optional("disable_parallel_tool_use", Node::boolean)?.unwrap_or(false);
    let kind = fields.required("type")?;
    let kind_path = kind.path;
    let (mode, name) = match kind.string()?.as_str() {
        "auto" => (Mode::Auto, String::new()),
        "none" => (Mode::None, String::new()),
        "any" => (Mode::Required, String::new()),
        "tool" => (Mode::Required, fields.required("name")?.nonempty()?),
        other => {
            let message =
                format!("'{kind_path}' is {}, but must be one of auto, any, tool, none", quoted(other));
            return Err(kind_path.error("invalid_value", message));
        }
    };
    if mode == Mode::Required && tools.is_empty() {
        let message = format!("'{path}' wants a call, but the request holds no tool of the client's");
        return Err(path.error("invalid_value", message));
    }
    if !name.is_empty() && !tools.iter().any(|tool| tool.name == name) {
        let message = format!("'{path}' names the tool {}, which the request does not hold", quoted(&name));
        return Err(path.error("invalid_value", message));
    }
    Ok((ToolChoice { mode: mode.into(), name }, single))
}

/// `output_config`: its `format`, a JSON Schema. How hard the model thinks is its own business.
pub(super) fn output(mut node: Node<'_>) -> Result<Option<Format>> {
    let Some(mut format) = node.fields()?.take("format") else { return Ok(None) };
    let mut fields = format.fields()?;
    let kind = fields.required("type")?;
    if kind.value != "json_schema" {
        return Err(kind.invalid("must be \"json_schema\""));
    }
    let schema = schema(fields.required("schema")?)?;
    Ok(Some(Format { schema, strict: true, ..Format::default() }))
}
