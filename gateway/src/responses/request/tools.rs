//! `tools` and `tool_choice`. Functions are the client's to call; of the tools that a server brings, the upstream has
//! searching, and all others are accepted and not there.

use std::collections::HashMap;

use grok2api_proto::{
    Result,
    chat::{Tool, ToolChoice, tool_choice::Mode},
};
use serde_json::{Value, json};

use crate::openai::request::walk::{Fields, Node, quoted};

/// The one argument of a tool that takes a text.
pub(crate) const INPUT: &str = "input";

/// What a request says of tools.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    pub(super) functions: Vec<Tool>,
    pub(super) choice: Option<ToolChoice>,
    pub(super) single: bool,
    /// What the client calls them.
    pub(crate) names: Names,
    /// The client wants to see what was searched.
    pub(crate) searches: bool,
}

/// The client's names of functions that have another one here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(HashMap<String, Name>);

/// What a client calls a function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
    /// It takes a text in the place of arguments.
    pub(crate) custom: bool,
}

impl Names {
    /// The client's name of a function.
    pub(crate) fn of(&self, name: &str) -> Name {
        let plain = || Name { name: name.to_owned(), namespace: None, custom: false };
        self.0.get(name).cloned().unwrap_or_else(plain)
    }
}

/// The name under which the model knows a function.
pub(super) fn flat(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}__{name}"))
}

pub(super) fn read(mut node: Node<'_>) -> Result<Tools> {
    let mut tools = Tools::default();
    if !node.value.is_array() {
        return Err(node.expected("a list of tools"));
    }
    node.items()?.try_for_each(|tool| tools.add(tool, None))?;
    Ok(tools)
}

impl Tools {
    fn add(&mut self, mut node: Node<'_>, namespace: Option<&str>) -> Result<()> {
        let mut fields = node.fields()?;
        let kind = fields.required("type")?.string()?;
        match kind.as_str() {
            "function" => self.function(&mut fields, namespace)?,
            "custom" => self.custom(&mut fields, namespace)?,
            "namespace" if namespace.is_none() => {
                let name = fields.required("name")?.nonempty()?;
                if let Some(mut tools) = fields.take("tools") {
                    tools.items()?.try_for_each(|tool| self.add(tool, Some(&name)))?;
                }
            }
            kind => self.searches |= kind.starts_with("web_search"),
        }
        Ok(())
    }

    fn function(&mut self, fields: &mut Fields<'_>, namespace: Option<&str>) -> Result<()> {
        let name = fields.required("name")?.nonempty()?;
        let parameters = fields.optional("parameters", |node| match node.value {
            Value::Object(_) => Ok(node.value.to_string()),
            _ => Err(node.expected("an object")),
        })?;
        let tool = Tool {
            name: flat(namespace, &name),
            description: fields.optional("description", Node::string)?.unwrap_or_default(),
            parameters: parameters.unwrap_or_default(),
            strict: fields.optional("strict", Node::boolean)?.unwrap_or(false),
        };
        self.push(tool, Name { name, namespace: namespace.map(str::to_owned), custom: false });
        Ok(())
    }

    fn custom(&mut self, fields: &mut Fields<'_>, namespace: Option<&str>) -> Result<()> {
        let name = fields.required("name")?.nonempty()?;
        let schema = json!({
            "type": "object", "properties": { (INPUT): {"type": "string"} }, "required": [INPUT],
            "additionalProperties": false,
        });
        let tool = Tool {
            name: flat(namespace, &name),
            description: fields.optional("description", Node::string)?.unwrap_or_default(),
            parameters: schema.to_string(),
            strict: true,
        };
        self.push(tool, Name { name, namespace: namespace.map(str::to_owned), custom: true });
        Ok(())
    }

    fn push(&mut self, tool: Tool, name: Name) {
        if name.custom || name.namespace.is_some() {
            self.names.0.insert(tool.name.clone(), name);
        }
        self.functions.push(tool);
    }

    /// With `tool_choice` and `parallel_tool_calls`.
    pub(super) fn chosen(mut self, choice: Option<Node<'_>>, parallel: Option<Node<'_>>) -> Result<Self> {
        self.single = parallel.map(Node::boolean).transpose()?.is_some_and(|parallel| !parallel);
        self.choice = choice.map(|choice| self.choose(choice)).transpose()?.flatten();
        Ok(self)
    }

    fn choose(&mut self, mut node: Node<'_>) -> Result<Option<ToolChoice>> {
        if node.value.is_string() {
            return mode(node).map(Some);
        }
        if !node.value.is_object() {
            return Err(node.expected("a string or an object"));
        }
        let mut fields = node.fields()?;
        match fields.required("type")?.string()?.as_str() {
            "function" | "custom" => self.named(&mut fields).map(Some),
            "allowed_tools" => self.allowed(&mut fields).map(Some),
            // One that the server brings: the upstream takes it when it sees fit.
            _ => Ok(None),
        }
    }

    fn named(&self, fields: &mut Fields<'_>) -> Result<ToolChoice> {
        let namespace = fields.optional("namespace", Node::string)?;
        let name = fields.required("name")?;
        let path = name.path;
        let name = flat(namespace.as_deref(), &name.nonempty()?);
        if !self.functions.iter().any(|tool| tool.name == name) {
            let message = format!("'{path}' is {}, which is none of the tools", quoted(&name));
            return Err(path.error("invalid_value", message));
        }
        Ok(ToolChoice { mode: Mode::Required.into(), name })
    }

    /// What is not allowed is not there.
    fn allowed(&mut self, fields: &mut Fields<'_>) -> Result<ToolChoice> {
        let mode = fields.optional("mode", mode)?.unwrap_or_default();
        let mut tools = fields.required("tools")?;
        let path = tools.path;
        let (mut names, mut brought) = (Vec::new(), false);
        for mut tool in tools.items()? {
            let mut fields = tool.fields()?;
            let namespace = fields.optional("namespace", Node::string)?;
            match fields.optional("name", Node::string)? {
                Some(name) => names.push(flat(namespace.as_deref(), &name)),
                // One that the server brings.
                None => brought = true,
            }
        }
        self.functions.retain(|tool| names.contains(&tool.name));
        if mode.mode() == Mode::Required && self.functions.is_empty() && !brought {
            let message = format!("'{path}' names none of the tools, but a call is required");
            return Err(path.error("invalid_value", message));
        }
        Ok(mode)
    }
}

fn mode(node: Node<'_>) -> Result<ToolChoice> {
    let path = node.path;
    let mode = match node.string()?.as_str() {
        "auto" => Mode::Auto,
        "none" => Mode::None,
        "required" => Mode::Required,
        other => {
            let message = format!("'{path}' is {}, but must be one of auto, none, required", quoted(other));
            return Err(path.error("invalid_value", message));
        }
    };
    Ok(ToolChoice { mode: mode.into(), name: String::new() })
}
