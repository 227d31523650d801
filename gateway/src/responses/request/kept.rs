//! The input of a request as it is kept, and shown by `GET /v1/responses/{id}/input_items`: items with ids and types.

use serde_json::{Map, Value, json};

/// The items, without ids where the client gave none: see [`name`].
pub(super) fn items(input: Option<&Value>) -> Vec<Value> {
    match input {
        Some(Value::String(text)) => vec![item(&json!({"role": "user", "content": text}))],
        Some(Value::Array(items)) => items.iter().filter(|item| item.is_object()).map(item).collect(),
        _ => Vec::new(),
    }
}

/// Gives those without an id one of the response they are part of.
pub(crate) fn name(items: &mut [Value], digits: &str) {
    for (at, item) in items.iter_mut().enumerate().filter_map(|(at, item)| Some((at, item.as_object_mut()?)))
    {
        if !item.get("id").is_some_and(Value::is_string) {
            let prefix = match item.get("type").and_then(Value::as_str) {
                Some("function_call") => "fc",
                Some("function_call_output") => "fco",
                Some("reasoning") => "rs",
                Some("message") => "msg",
                _ => "item",
            };
            item.insert("id".to_owned(), format!("{prefix}_{digits}_i{at}").into());
        }
    }
}

fn item(item: &Value) -> Value {
    let mut map = item.as_object().cloned().unwrap_or_default();
    let message = default(&mut map, "type", "message") == "message";
    if message {
        let said = map.get("role").is_some_and(|role| role == "assistant");
        let content = map.get("content").map(|content| self::content(content, said));
        map.insert("content".to_owned(), content.unwrap_or_else(|| json!([])));
    }
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default();
    if message || matches!(kind, "function_call" | "function_call_output") {
        default(&mut map, "status", "completed");
    }
    Value::Object(map)
}

fn content(content: &Value, said: bool) -> Value {
    match content {
        Value::String(text) => json!([part(&json!({"type": "text", "text": text}), said)]),
        Value::Array(parts) => parts.iter().map(|part| self::part(part, said)).collect(),
        other => other.clone(),
    }
}

fn part(part: &Value, said: bool) -> Value {
    let mut map = part.as_object().cloned().unwrap_or_default();
    match map.get("type").and_then(Value::as_str) {
        Some("text" | "input_text" | "output_text") if said => {
            map.insert("type".to_owned(), "output_text".into());
            map.entry("annotations").or_insert_with(|| json!([]));
            map.entry("logprobs").or_insert_with(|| json!([]));
        }
        Some("text" | "output_text") => _ = map.insert("type".to_owned(), "input_text".into()),
        Some("input_image") => _ = default(&mut map, "detail", "auto"),
        _ => {}
    }
    Value::Object(map)
}

/// What stands there, which is `value` where nothing did.
fn default<'m>(map: &'m mut Map<String, Value>, name: &str, value: &str) -> &'m Value {
    let entry = map.entry(name).or_insert(Value::Null);
    if entry.is_null() {
        *entry = value.into();
    }
    entry
}
