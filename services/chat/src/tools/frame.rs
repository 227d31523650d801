//! What stands inside a frame: one call, several, or none.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value, value::RawValue};

use super::repair;

/// What models call the name of a function, and its arguments.
const NAMES: [&str; 5] = ["name", "tool", "tool_name", "function_name", "function"];
const ARGUMENTS: [&str; 6] = ["arguments", "parameters", "args", "input", "tool_input", "params"];

/// A call as the model wrote it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Value,
    /// The arguments to the letter, when they were JSON.
    pub(super) raw: Option<String>,
}

/// The calls of a frame, in order; nothing when it cannot be read.
pub(super) fn calls(body: &str) -> Option<Vec<Call>> {
    let read = match strict(body) {
        Some(calls) => calls,
        None => repair::values(body)?.iter().flat_map(flat).filter_map(call).collect(),
    };
    (!read.is_empty()).then_some(read)
}

/// Lists of calls as their calls.
fn flat(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        single => std::slice::from_ref(single),
    }
}

fn strict(body: &str) -> Option<Vec<Call>> {
    let mut calls = Vec::new();
    for raw in serde_json::Deserializer::from_str(body).into_iter::<&RawValue>() {
        let raw = raw.ok()?.get();
        if raw.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            calls.extend(items.iter().filter_map(|item| strictly(item.get())));
        } else {
            calls.extend(strictly(raw));
        }
    }
    Some(calls)
}

/// The call with its arguments to the letter.
fn strictly(raw: &str) -> Option<Call> {
    let read = call(&serde_json::from_str(raw).ok()?)?;
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw).ok()?;
    let letters = ARGUMENTS.iter().find_map(|name| fields.get(*name)).map(|raw| raw.get());
    let raw = letters.filter(|letters| letters.starts_with('{')).map(str::to_owned);
    Some(Call { raw, ..read })
}

fn call(value: &Value) -> Option<Call> {
    let fields = value.as_object()?;
    if let Some(inner @ Value::Object(_)) = fields.get("function") {
        return call(inner);
    }
    let (key, name) = NAMES.iter().find_map(|key| Some((*key, fields.get(*key)?.as_str()?)))?;
    let arguments = match ARGUMENTS.iter().find_map(|name| fields.get(*name)) {
        Some(Value::String(text)) => repair::value(text).unwrap_or_else(|| Value::String(text.clone())),
        Some(Value::Null) => Value::Object(serde_json::Map::new()),
        Some(given) => given.clone(),
        // Some write the arguments beside the name.
        None => {
            let beside =
                fields.iter().filter(|(name, _)| name.as_str() != key && *name != "id" && *name != "type");
            beside.map(|(name, value)| (name.clone(), value.clone())).collect()
        }
    };
    Some(Call { name: name.to_owned(), arguments, raw: None })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::plain(r#"{"name":"f","arguments":{"b":1,"a":2}}"#, &[("f", json!({"a": 2, "b": 1}))])]
    #[case::list(r#"[{"name":"f","arguments":{}},{"name":"g","arguments":{"x":1}}]"#, &[("f", json!({})), ("g", json!({"x": 1}))])]
    #[case::one_behind_the_other("{\"name\":\"f\"}\n{\"name\":\"g\"}", &[("f", json!({})), ("g", json!({}))])]
    #[case::other_words(r#"{"tool":"f","parameters":{"x":1}}"#, &[("f", json!({"x": 1}))])]
    #[case::openai(r#"{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}"#, &[("f", json!({"x": 1}))])]
    #[case::beside(r#"{"name":"f","x":1}"#, &[("f", json!({"x": 1}))])]
    #[case::repaired("{'name': 'f', 'arguments': {'x': True,}", &[("f", json!({"x": true}))])]
    fn calls_are_read(#[case] body: &str, #[case] expected: &[(&str, Value)]) {
        let read: Vec<_> = calls(body).unwrap().into_iter().map(|call| (call.name, call.arguments)).collect();
        let expected: Vec<_> =
            expected.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn arguments_are_kept_to_the_letter() {
        let read = calls(r#"{"name":"f","arguments":{"b": 1, "a": 2.0}}"#).unwrap();
        assert_eq!(read[0].raw.as_deref(), Some(r#"{"b": 1, "a": 2.0}"#));
    }

    #[test]
    fn other_json_is_no_call() {
        assert_eq!(calls("[1, 2]"), None);
        assert_eq!(calls("{\"a\": 1}"), None);
        assert_eq!(calls("{\"name\": \"f\", \"arguments\": {oops}}"), None);
    }
}
