//! JSON Schemas of a client's: compiled when first needed, never fetching anything.

use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Number, Value, json};

/// Deepest level at which types are adjusted.
const DEEPEST: usize = 32;
/// Most mistakes told of one value.
const MOST_MISTAKES: usize = 5;
/// Of a mistake, in characters: a message may repeat the value.
const LONGEST_MISTAKE: usize = 200;

/// A schema as it came with a request.
#[derive(Debug)]
pub struct Schema {
    document: Value,
    validator: OnceLock<Result<Validator, String>>,
}

impl Schema {
    /// Reads a schema; a text that is no JSON is none.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if !(document.is_object() || document.is_boolean()) {
            return Err("a schema is an object".to_owned());
        }
        Ok(Self { document, validator: OnceLock::new() })
    }

    /// Makes sure that values can be held to it.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn compile(&self) -> Result<(), String> {
        self.validator().as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn validator(&self) -> &Result<Validator, String> {
        self.validator.get_or_init(|| {
            jsonschema::validator_for(&self.document).map_err(|error| cut(&error.to_string()))
        })
    }

    /// Says what about a value does not fit; a schema that does not compile lets everything pass.
    ///
    /// # Errors
    /// The first mistakes, each with its place.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let Ok(validator) = self.validator() else { return Ok(()) };
        let mistakes = validator.iter_errors(value).take(MOST_MISTAKES).map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the value".to_owned() } else { place };
            format!("{place}: {}", cut(&error.to_string()))
        });
        let mistakes: Vec<String> = mistakes.collect();
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("; ")) }
    }

    /// Turns values into the type that the schema wants where nothing is lost by it: `"5"` into `5`. Says whether
    /// anything was changed.
    pub fn coerce(&self, value: &mut Value) -> bool {
        coerce(&self.document, &self.document, value, 0)
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MISTAKE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn coerce(root: &Value, schema: &Value, value: &mut Value, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    let schema = resolved(root, schema);
    if let Some(only) = only_variant(schema, value) {
        return coerce(root, only, value, depth + 1);
    }
    let types = types(schema);
    let mut changed = false;
    if !types.is_empty()
        && !types.iter().any(|kind| is_of(kind, value))
        && let Some(better) = types.iter().find_map(|kind| turned(kind, value))
    {
        *value = better;
        changed = true;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let inner = schema.get("properties").and_then(|properties| properties.get(name));
                if let Some(inner) = inner.or_else(|| schema.get("additionalProperties")) {
                    changed |= coerce(root, inner, field, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                for item in items {
                    changed |= coerce(root, inner, item, depth + 1);
                }
            }
        }
        _ => {}
    }
    changed
}

/// Follows references within the document.
fn resolved<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    for _ in 0..DEEPEST {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// Of variants, the only one that is not `null`: what optional fields look like.
fn only_variant<'s>(schema: &'s Value, value: &Value) -> Option<&'s Value> {
    let variants = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    let null = json!("null");
    let mut real = variants.iter().filter(|variant| variant.get("type") != Some(&null));
    let only = real.next().filter(|_| real.next().is_none())?;
    let may_be_null = variants.len() > 1;
    (!(may_be_null && value.is_null())).then_some(only)
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        // `5.0` is an integer to the schema, but few programs read it as one.
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => true,
    }
}

/// The value as that type, if nothing is lost.
fn turned(kind: &str, value: &Value) -> Option<Value> {
    match (kind, value) {
        ("integer", Value::Number(number)) => whole(number.as_f64()?),
        ("integer", Value::String(text)) => {
            let text = text.trim();
            text.parse::<i64>().ok().map(Value::from).or_else(|| whole(text.parse().ok()?))
        }
        ("number", Value::String(text)) => {
            let number: Number = serde_json::from_str(text.trim()).ok()?;
            Some(Value::Number(number))
        }
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
        ("string", Value::Bool(truth)) => Some(Value::String(truth.to_string())),
        ("null", Value::String(text)) if matches!(text.as_str(), "" | "null" | "None") => Some(Value::Null),
        ("object" | "array", Value::String(text)) => {
            let inner = super::repair::value(text).filter(|inner| is_of(kind, inner));
            inner.or_else(|| (kind == "array").then(|| json!([text])))
        }
        ("array", Value::Null) => None,
        ("array", single) => Some(Value::Array(vec![single.clone()])),
        _ => None,
    }
}

fn whole(number: f64) -> Option<Value> {
    (number.fract() == 0.0 && number.abs() < 9e15).then(|| Value::from(number as i64))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn schema(document: Value) -> Schema {
        Schema::parse(&document.to_string()).unwrap()
    }

    #[rstest]
    #[case("integer", json!("5"), json!(5))]
    #[case("integer", json!(5.0), json!(5))]
    #[case("integer", json!("5.5"), json!("5.5"))]
    #[case("number", json!("2.5"), json!(2.5))]
    #[case("boolean", json!("True"), json!(true))]
    #[case("string", json!(5), json!("5"))]
    #[case("array", json!("[1, 2]"), json!([1, 2]))]
    #[case("array", json!("x"), json!(["x"]))]
    #[case("object", json!("{\"a\": 1}"), json!({"a": 1}))]
    #[case("null", json!("null"), Value::Null)]
    fn values_take_the_type_that_is_wanted(
        #[case] kind: &str,
        #[case] value: Value,
        #[case] expected: Value,
    ) {
        let object = schema(json!({"type": "object", "properties": {"x": {"type": kind}}}));
        let mut whole = json!({"x": value, "y": "5"});
        object.coerce(&mut whole);
        assert_eq!(whole, json!({"x": expected, "y": "5"}));
    }

    #[test]
    fn references_and_variants_are_followed() {
        let document = json!({
            "type": "object", "$defs": {"n": {"type": "integer"}},
            "properties": {
                "a": {"$ref": "#/$defs/n"}, "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "c": {"type": "array", "items": {"$ref": "#/$defs/n"}}, "d": {"type": ["integer", "null"]},
            },
        });
        let mut value = json!({"a": "1", "b": "2", "c": ["3"], "d": null});
        assert!(schema(document).coerce(&mut value));
        assert_eq!(value, json!({"a": 1, "b": 2, "c": [3], "d": null}));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let object = schema(json!({
            "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a", "b"],
        }));
        let told = object.check(&json!({"a": "x"})).unwrap_err();
        assert!(told.contains("/a") && told.contains("\"b\""), "{told}");
        assert_eq!(object.check(&json!({"a": 1, "b": 2})), Ok(()));
    }

    #[test]
    fn nothing_is_fetched_and_what_cannot_be_compiled_is_told() {
        for document in [json!({"$ref": "https://example.com/schema.json"}), json!({"type": "whole"})] {
            let schema = schema(document);
            assert!(schema.compile().is_err());
            assert_eq!(schema.check(&json!({})), Ok(()));
        }
        assert!(Schema::parse("5").is_err() && Schema::parse("{").is_err());
    }
}
