//! What the model is told: the functions there are, how one is called, what the answer must look like, and what was
//! wrong with it.

use std::fmt::Write as _;

use grok2api_proto::chat::{ChatRequest, Format, FunctionCall, Tool, ToolChoice, tool_choice::Mode};
use serde_json::{Value, json};

use super::{CLOSE, OPEN};

/// Most of what the model said that is repeated to it, in characters.
const LONGEST_QUOTE: usize = 16_000;

/// The instructions that a request needs beside its own; empty for none.
pub fn instructions(request: &ChatRequest) -> String {
    let choice = request.tool_choice.clone().unwrap_or_default();
    let functions =
        (!request.tools.is_empty()).then(|| functions(&request.tools, &choice, request.single_call));
    let format = request.format.as_ref().map(|format| document(format, !request.tools.is_empty()));
    [functions, format].into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

fn functions(tools: &[Tool], choice: &ToolChoice, single: bool) -> String {
    if choice.mode() == Mode::None {
        return "Do not call any function now, and do not write tool_call tags: answer in words.".to_owned();
    }
    let mut text = format!(
        "You can call functions. They run in the user's program, not on your side, and are called only by writing a \
         call in your answer, exactly like this:\n\
         {OPEN}{{\"name\": \"function_name\", \"arguments\": {{\"parameter\": \"value\"}}}}{CLOSE}\n\
         Rules for calls:\n\
         - `name` is the name of a function below; `arguments` is a JSON object that is valid for its parameters.\n\
         - Write valid JSON: double quotes, no comments, line feeds in strings as \\n. No code fence around a call.\n"
    );
    text.push_str(if single {
        "- Call at most one function in an answer, and end the answer behind the call.\n"
    } else {
        "- For several calls write one behind the other, and end the answer behind the last.\n"
    });
    text.push_str("- The results come with the next message. Never make up a result, and never say that you have called a function without writing the call.\n");
    match (choice.mode(), choice.name.as_str()) {
        (Mode::Required, "") => text.push_str("- You must call a function now.\n"),
        (Mode::Required, name) => {
            writeln!(text, "- You must call the function {name} now, and no other.").ok();
        }
        _ => text.push_str("- When no function is needed, answer without a call.\n"),
    }
    text.push_str("The functions:\n");
    text.push_str(&tools.iter().map(declaration).collect::<Vec<_>>().join("\n"));
    text
}

fn declaration(tool: &Tool) -> String {
    let parameters = match tool.parameters.as_str() {
        "" => json!({"type": "object", "properties": {}}).to_string(),
        schema => schema.to_owned(),
    };
    let (name, description) = (json!(tool.name), json!(tool.description));
    format!("{{\"name\":{name},\"description\":{description},\"parameters\":{parameters}}}")
}

fn document(Format { schema, .. }: &Format, functions: bool) -> String {
    let but = if functions { "Unless you call a function, answer" } else { "Answer" };
    let shape = match schema.as_str() {
        "" => "It must be an object.".to_owned(),
        schema => format!("It must be valid for this JSON Schema:\n{schema}"),
    };
    format!("{but} with one JSON value and nothing else: no words around it, no code fence. {shape}")
}

/// A call as it stands in a conversation.
pub fn call(FunctionCall { name, arguments, .. }: &FunctionCall) -> String {
    let arguments = match arguments.trim() {
        "" => "{}".to_owned(),
        // What a client kept of a call need not be JSON.
        text if serde_json::from_str::<Value>(text).is_err() => json!(text).to_string(),
        text => text.to_owned(),
    };
    format!("{OPEN}{{\"name\": {}, \"arguments\": {arguments}}}{CLOSE}", json!(name))
}

/// The conversation with what the model said, and what is wrong with that.
pub(super) fn correction(prompt: &str, said: &str, why: &str, demand: &str) -> String {
    let said = said.trim();
    let end = said.char_indices().nth(LONGEST_QUOTE).map_or(said.len(), |(end, _)| end);
    let said = if said.is_empty() { "(nothing)" } else { &said[..end] };
    format!("{prompt}\n\n[assistant]\n{said}\n\n[system]\nThat cannot be used: {why}. {demand}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(mode: Mode, name: &str) -> ChatRequest {
        let tool = Tool {
            name: "get_weather".into(),
            description: "Says \"how\" it is".into(),
            parameters: r#"{"type":"object"}"#.into(),
            strict: false,
        };
        let choice = ToolChoice { mode: mode.into(), name: name.into() };
        ChatRequest { tools: vec![tool], tool_choice: Some(choice), ..ChatRequest::default() }
    }

    #[test]
    fn functions_are_declared() {
        let text = instructions(&request(Mode::Auto, ""));
        let line =
            r#"{"name":"get_weather","description":"Says \"how\" it is","parameters":{"type":"object"}}"#;
        assert!(text.ends_with(line), "{text}");
        assert!(
            text.contains("<tool_call>{\"name\": \"function_name\"") && text.contains("one behind the other")
        );
        let single = instructions(&ChatRequest { single_call: true, ..request(Mode::Auto, "") });
        assert!(single.contains("at most one function"));
    }

    #[test]
    fn a_choice_is_told() {
        assert!(instructions(&request(Mode::Required, "")).contains("must call a function now"));
        assert!(
            instructions(&request(Mode::Required, "get_weather")).contains("the function get_weather now")
        );
        let none = instructions(&request(Mode::None, ""));
        assert!(none.contains("Do not call") && !none.contains("get_weather"));
        assert_eq!(instructions(&ChatRequest::default()), "");
    }

    #[test]
    fn a_format_is_told_with_its_schema() {
        let format = Format { schema: "{\"type\":\"object\"}".into(), ..Format::default() };
        let text = instructions(&ChatRequest { format: Some(format), ..ChatRequest::default() });
        assert!(text.starts_with("Answer with one JSON value") && text.ends_with("{\"type\":\"object\"}"));
    }

    #[test]
    fn calls_of_the_past_are_written_as_calls() {
        let written = |arguments: &str| {
            call(&FunctionCall { id: "1".into(), name: "f".into(), arguments: arguments.into() })
        };
        assert_eq!(
            written("{\"a\":1}"),
            "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\":1}}</tool_call>"
        );
        assert_eq!(written(""), "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>");
        assert_eq!(written("a=1"), "<tool_call>{\"name\": \"f\", \"arguments\": \"a=1\"}</tool_call>");
    }
}
