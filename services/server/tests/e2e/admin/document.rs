//! What `/openapi.json` says of the admin API, held against what is sent and answered in all the tests here.

use serde_json::Value;

/// The document's own words for a request that succeeded; both bodies must be as it says, and no field may be one it is silent of.
pub fn hold(document: &Value, method: &str, path: &str, sent: Option<&Value>, given: &Value) {
    let path = path.split('?').next().unwrap();
    let operation = operation(document, method, path);
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
    if let Err(why) = check(document, schema, given) {
        panic!("the answer to {method} {path} is not as documented: {why}\n{given}");
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if let (Some(sent), true) = (sent, schema.is_object())
        && let Err(why) = check(document, schema, sent)
    {
        panic!("{method} {path} took what is not documented: {why}\n{sent}");
    }
}

/// That of the path with the fewest variables.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> &'a Value {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let of = template.split('/');
        of.clone().count() == parts.len()
            && of.zip(&parts).all(|(wanted, part)| wanted.starts_with('{') || wanted == *part)
    };
    let paths = document["paths"].as_object().unwrap().iter();
    let fitting = paths.filter(|(template, item)| fits(template) && item.get(method).is_some());
    let found = fitting.min_by_key(|(template, _)| template.matches('{').count());
    &found.unwrap_or_else(|| panic!("{method} {path} is not in the document")).1[method]
}

fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(&name[1..]).ok_or_else(|| format!("{name} is nowhere"))?;
        return check(document, target, value);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fails: Result<Vec<String>, ()> =
            any.iter().map(|schema| check(document, schema, value).err().ok_or(())).collect();
        return fails.map_or(Ok(()), |fails| Err(fails.join("; or ")));
    }
    if !has_type(&schema["type"], value) {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{value} is none of {words:?}"));
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check(document, &schema["items"], item)),
        Value::Object(fields) if schema["type"].is_string() => {
            let missing = |name: &&Value| !fields.contains_key(name.as_str().unwrap());
            if let Some(name) = schema["required"].as_array().into_iter().flatten().find(missing) {
                return Err(format!("{name} is missing"));
            }
            fields.iter().try_for_each(|(name, field)| {
                let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
                let known = known.filter(|known| known.is_object());
                let known = known.ok_or_else(|| format!("nothing is said of the field {name}"))?;
                check(document, known, field).map_err(|why| format!("{name}: {why}"))
            })
        }
        _ => Ok(()),
    }
}

/// Without a type, anything is meant.
fn has_type(kind: &Value, value: &Value) -> bool {
    match kind {
        Value::String(kind) => match kind.as_str() {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is no type"),
        },
        Value::Array(kinds) => kinds.iter().any(|kind| has_type(kind, value)),
        _ => true,
    }
}
