//! What a model says that was told of functions, of their results, or of a schema.
//!
//! The product's way of telling it is read from the prompt: role markers (`[tool]`, `[system]`), and the schema behind
//! the words `JSON Schema:`.

use serde_json::{Map, Value, json};

use super::plan::tail;
use crate::markers::{Agent, Style};

/// Deepest nesting of a value made for a schema.
const DEEPEST: usize = 12;

/// The answer, when it is an agent's.
pub(super) fn says(agent: &Agent, prompt: &str) -> Option<String> {
    let since = prompt.get(agent.at..).unwrap_or_default();
    let corrected = is_corrected(since) && !agent.stubborn;
    let style = if corrected { Style::Plain } else { agent.style };
    if let Some(result) = last_result(since) {
        return Some(format!("The tool said: {}", tail(result.trim(), 2_000)));
    }
    if !agent.calls.is_empty() {
        return Some(calls(&agent.calls, style));
    }
    let wanted = agent.json.as_deref()?;
    let value = if wanted.is_empty() { instance_of(prompt) } else { wanted.to_owned() };
    Some(document(&value, style))
}

/// Whether the last thing said is that the answer before was wrong.
fn is_corrected(since: &str) -> bool {
    let last = |mark: &str| since.rfind(mark);
    last("\n\n[system]\n") > last("\n\n[assistant]\n") && last("\n\n[assistant]\n").is_some()
}

/// What the tool brought whose result came last, unless somebody has spoken since.
fn last_result(since: &str) -> Option<&str> {
    let at = since.rfind("[tool]\n").filter(|at| since.rfind("[user]\n").is_none_or(|user| user < *at))?;
    let result = &since[at..];
    let result = result.split_once(":\n").map_or(result, |(_, result)| result);
    Some(result.split("\n\n[").next().unwrap_or(result))
}

fn calls(calls: &[(String, String)], style: Style) -> String {
    let tagged = |body: String| format!("<tool_call>{body}</tool_call>");
    let written: Vec<String> = calls.iter().map(|(name, given)| body(name, given, style)).collect();
    let text = match style {
        Style::List => tagged(format!("[{}]", written.join(", "))),
        Style::Unclosed => written.iter().map(|body| format!("<tool_call>{body}\n")).collect(),
        _ => written.into_iter().map(tagged).collect::<Vec<_>>().join("\n"),
    };
    match style {
        Style::Prose => format!("I will look that up 🌕.\n\n{text}\n\nOne moment."),
        Style::Fenced => format!("```json\n{text}\n```"),
        Style::Words => "I would rather talk about the moon.".to_owned(),
        _ => text,
    }
}

fn body(name: &str, given: &str, style: Style) -> String {
    let name = if style == Style::Unknown { "nobody_knows" } else { name };
    match style {
        Style::Invalid => format!("{{\"name\": \"{name}\", \"arguments\": {{the city of Rome}}}}"),
        Style::Empty => format!("{{\"name\": \"{name}\", \"arguments\": {{}}}}"),
        Style::Types => {
            let given = serde_json::from_str(given).map(|mut value| {
                as_text(&mut value);
                value
            });
            format!("{{\"name\": \"{name}\", \"arguments\": {}}}", given.unwrap_or(Value::Null))
        }
        Style::Sloppy => format!("{{'name': '{name}', 'arguments': {},}}", sloppy(given)),
        _ => format!("{{\"name\": \"{name}\", \"arguments\": {given}}}"),
    }
}

/// Numbers and truths as strings.
fn as_text(value: &mut Value) {
    match value {
        Value::Number(_) | Value::Bool(_) => *value = Value::String(value.to_string()),
        Value::Array(items) => items.iter_mut().for_each(as_text),
        Value::Object(fields) => fields.values_mut().for_each(as_text),
        Value::String(_) | Value::Null => {}
    }
}

/// As Python writes it, with a comma too many.
fn sloppy(given: &str) -> String {
    let python = given.replace('"', "'").replace("true", "True").replace("null", "None");
    match python.strip_suffix('}') {
        Some(open) if open.len() > 1 => format!("{open},}}"),
        _ => python,
    }
}

fn document(value: &str, style: Style) -> String {
    match style {
        Style::Fenced => format!("```json\n{value}\n```"),
        Style::Prose => format!("Here you are:\n\n```json\n{value}\n```\n\nAnything else?"),
        Style::Sloppy => sloppy(value),
        Style::Empty => "{}".to_owned(),
        Style::Invalid | Style::Words => "I would rather talk about the moon.".to_owned(),
        Style::Types => serde_json::from_str(value).map_or_else(
            |_| value.to_owned(),
            |mut value| {
                as_text(&mut value);
                value.to_string()
            },
        ),
        _ => value.to_owned(),
    }
}

/// A value for the schema in the prompt, or an object if there is none.
fn instance_of(prompt: &str) -> String {
    let schema = prompt
        .split_once("JSON Schema:\n")
        .and_then(|(_, rest)| serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok());
    let value = schema.map_or_else(|| json!({"answer": "It is the moon."}), |root| instance(&root, &root, 0));
    value.to_string()
}

fn instance(root: &Value, schema: &Value, depth: usize) -> Value {
    let field = |name: &str| schema.get(name);
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(target) =
        field("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?))
    {
        return instance(root, target, depth + 1);
    }
    if let Some(value) = field("const").or_else(|| field("enum")?.get(0)) {
        return value.clone();
    }
    for variants in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = field(variants).and_then(|list| list.get(0)) {
            return instance(root, first, depth + 1);
        }
    }
    let kind = match field("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        kind => kind.and_then(Value::as_str),
    };
    match kind {
        Some("string") => json!("moon"),
        Some("integer") => field("minimum").cloned().unwrap_or(json!(7)),
        Some("number") => field("minimum").cloned().unwrap_or(json!(1.5)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => field("items").map_or(json!([]), |item| json!([instance(root, item, depth + 1)])),
        _ => {
            let properties = field("properties").and_then(Value::as_object);
            let made = |(name, inner): (&String, &Value)| (name.clone(), instance(root, inner, depth + 1));
            Value::Object(properties.map(|fields| fields.iter().map(made).collect()).unwrap_or_else(Map::new))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn agent(style: Style) -> Agent {
        let calls = vec![("f".to_owned(), "{\"n\": 5, \"b\": true}".to_owned())];
        Agent { calls, style, ..Agent::default() }
    }

    #[rstest]
    #[case(Style::Plain, "<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 5, \"b\": true}}</tool_call>")]
    #[case(
        Style::Types,
        "<tool_call>{\"name\": \"f\", \"arguments\": {\"b\":\"true\",\"n\":\"5\"}}</tool_call>"
    )]
    #[case(Style::Sloppy, "<tool_call>{'name': 'f', 'arguments': {'n': 5, 'b': True,},}</tool_call>")]
    #[case(Style::Unclosed, "<tool_call>{\"name\": \"f\", \"arguments\": {\"n\": 5, \"b\": true}}\n")]
    fn calls_are_written(#[case] style: Style, #[case] expected: &str) {
        assert_eq!(says(&agent(style), "do it").as_deref(), Some(expected));
    }

    #[test]
    fn a_correction_is_heeded_unless_stubborn() {
        let prompt = "[user]\ndo it\n\n[assistant]\nno\n\n[system]\nThat is wrong.";
        let words = agent(Style::Words);
        assert!(says(&words, prompt).unwrap().starts_with("<tool_call>"));
        assert!(says(&Agent { stubborn: true, ..words }, prompt).unwrap().contains("moon"));
    }

    #[test]
    fn a_result_is_used() {
        let prompt = "[user]\ndo it\n\n[assistant]\n<tool_call>\n\n[tool]\nResult of f (1):\nsunny";
        assert_eq!(says(&agent(Style::Plain), prompt).as_deref(), Some("The tool said: sunny"));
        let later = format!("{prompt}\n\n[user]\nthanks");
        assert_eq!(says(&Agent::default(), &later), None);
    }

    #[test]
    fn a_value_is_made_for_a_schema() {
        let schema = json!({
            "type": "object", "$defs": {"n": {"type": "integer", "minimum": 3}},
            "properties": {"a": {"$ref": "#/$defs/n"}, "b": {"enum": ["x", "y"]}, "c": {"type": "array", "items": {"type": "string"}}},
        });
        let asks = Agent { json: Some(String::new()), ..Agent::default() };
        let prompt = format!("Answer so. JSON Schema:\n{schema}\n\n[user]\nhi");
        assert_eq!(says(&asks, &prompt).as_deref(), Some("{\"a\":3,\"b\":\"x\",\"c\":[\"moon\"]}"));
    }
}
