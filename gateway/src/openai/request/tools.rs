//! `tools`, `tool_choice` and what they were called before; `response_format`.

use grok2api_proto::{
    Result,
    chat::{Format, Tool, ToolChoice, tool_choice::Mode},
};

use super::walk::{Fields, Node, Path, quoted};

/// What a request says of functions.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tools {
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: Option<ToolChoice>,
    /// At most one call.
    pub(crate) single: bool,
    /// Asked for as `functions`, and answered so.
    pub(crate) legacy: bool,
}

/// Takes what a request says of functions.
pub(super) fn take(fields: &mut Fields<'_>) -> Result<Tools> {
    let parallel = fields.optional("parallel_tool_calls", Node::boolean)?.unwrap_or(true);
    let tools = fields.optional("tools", tools)?;
    let functions = fields.optional("functions", functions)?;
    let legacy = tools.is_none() && functions.is_some();
    let mut tools = tools.or(functions).unwrap_or_default();
    let choice = match fields.take("tool_choice") {
        Some(node) => Some(choice(node, &mut tools)?),
        None => None,
    };
    let old = fields.optional("function_call", |node| old_choice(node, &tools))?;
    Ok(Tools { tools, choice: choice.or(old), single: !parallel || legacy, legacy })
}

fn tools(mut node: Node<'_>) -> Result<Vec<Tool>> {
    let tools = node.items()?.map(tool).collect::<Result<Vec<Option<Tool>>>>()?;
    Ok(tools.into_iter().flatten().collect())
}

/// A function; what other kinds of tools look like is not ours to say, and none is offered to the model.
fn tool(mut node: Node<'_>) -> Result<Option<Tool>> {
    let mut fields = node.fields()?;
    match fields.optional("type", Node::string)?.as_deref() {
        Some("function") => function(&mut fields.required("function")?.fields()?).map(Some),
        Some(_) => Ok(None),
        None => function(&mut fields).map(Some),
    }
}

fn functions(mut node: Node<'_>) -> Result<Vec<Tool>> {
    node.items()?.map(|mut node| function(&mut node.fields()?)).collect()
}

fn function(fields: &mut Fields<'_>) -> Result<Tool> {
    Ok(Tool {
        name: fields.required("name")?.nonempty()?,
        description: fields.optional("description", Node::string)?.unwrap_or_default(),
        parameters: fields.optional("parameters", schema)?.unwrap_or_default(),
        strict: fields.optional("strict", Node::boolean)?.unwrap_or(false),
    })
}

/// A JSON Schema, as text.
pub(crate) fn schema(node: Node<'_>) -> Result<String> {
    if node.value.is_object() { Ok(node.value.to_string()) } else { Err(node.expected("an object")) }
}

fn choice(mut node: Node<'_>, tools: &mut Vec<Tool>) -> Result<ToolChoice> {
    let path = node.path;
    if node.value.is_string() {
        let mode = match node.string()?.as_str() {
            "auto" => Mode::Auto,
            "none" => Mode::None,
            "required" => return required(&path, String::new(), tools),
            other => {
                let message =
                    format!("'{path}' is {}, but must be one of auto, none, required", quoted(other));
                return Err(path.error("invalid_value", message));
            }
        };
        return Ok(ToolChoice { mode: mode.into(), name: String::new() });
    }
    if !node.value.is_object() {
        return Err(node.expected("a string or an object"));
    }
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let kind_path = kind.path;
    match kind.string()?.as_str() {
        "function" => {
            let name = fields.required("function")?.fields()?.required("name")?.nonempty()?;
            required(&path, name, tools)
        }
        "allowed_tools" => allowed(&mut fields.required("allowed_tools")?, &path, tools),
        other => {
            let message =
                format!("'{kind_path}' is {}, but must be one of function, allowed_tools", quoted(other));
            Err(kind_path.error("invalid_value", message))
        }
    }
}

/// What is not allowed is not there.
fn allowed(node: &mut Node<'_>, path: &Path<'_>, tools: &mut Vec<Tool>) -> Result<ToolChoice> {
    let mut fields = node.fields()?;
    let mut names = Vec::new();
    for mut tool in fields.required("tools")?.items()? {
        let mut fields = tool.fields()?;
        // Beside the type, as the Responses protocol has it, or in `function`.
        let name = match (fields.take("function"), fields.take("name")) {
            (Some(mut function), _) => known(function.fields()?.required("name")?, tools)?,
            (None, Some(name)) => known(name, tools)?,
            (None, None) => continue,
        };
        names.push(name);
    }
    tools.retain(|tool| names.contains(&tool.name));
    let mode = fields.required("mode")?;
    let mode_path = mode.path;
    match mode.string()?.as_str() {
        "auto" => Ok(ToolChoice::default()),
        "required" => required(path, String::new(), tools),
        other => {
            let message = format!("'{mode_path}' is {}, but must be one of auto, required", quoted(other));
            Err(mode_path.error("invalid_value", message))
        }
    }
}

/// The name of a function that the request holds.
fn known(node: Node<'_>, tools: &[Tool]) -> Result<String> {
    let path = node.path;
    let name = node.nonempty()?;
    if tools.iter().any(|tool| tool.name == name) {
        return Ok(name);
    }
    let message = format!("'{path}' is {}, which is none of the tools", quoted(&name));
    Err(path.error("invalid_value", message))
}

fn required(path: &Path<'_>, name: String, tools: &[Tool]) -> Result<ToolChoice> {
    let known = if name.is_empty() { !tools.is_empty() } else { tools.iter().any(|tool| tool.name == name) };
    if known {
        return Ok(ToolChoice { mode: Mode::Required.into(), name });
    }
    let message = match name.as_str() {
        "" => format!("'{path}' wants a call, but the request holds no function"),
        name => format!("'{path}' names the function {}, which the request does not hold", quoted(name)),
    };
    Err(path.error("invalid_value", message))
}

/// `function_call`: `auto`, `none` or the one function to call.
fn old_choice(mut node: Node<'_>, tools: &[Tool]) -> Result<ToolChoice> {
    let path = node.path;
    if node.value.is_string() {
        let mode = match node.string()?.as_str() {
            "auto" => Mode::Auto,
            "none" => Mode::None,
            other => {
                let message = format!("'{path}' is {}, but must be one of auto, none", quoted(other));
                return Err(path.error("invalid_value", message));
            }
        };
        return Ok(ToolChoice { mode: mode.into(), name: String::new() });
    }
    if !node.value.is_object() {
        return Err(node.expected("a string or an object"));
    }
    let name = node.fields()?.required("name")?.nonempty()?;
    required(&path, name, tools)
}

/// `response_format`; plain text is none.
pub(super) fn format(mut node: Node<'_>) -> Result<Option<Format>> {
    let mut fields = node.fields()?;
    let kind = fields.required("type")?;
    let path = kind.path;
    match kind.string()?.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::default())),
        "json_schema" => {
            let mut node = fields.required("json_schema")?;
            let mut fields = node.fields()?;
            Ok(Some(Format {
                name: fields.required("name")?.nonempty()?,
                schema: fields.optional("schema", schema)?.unwrap_or_default(),
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
