//! Schemas as tables, and their types in words.

use std::fmt::Write as _;

use serde_json::Value;

use super::{entries, escaped, list, prose, text};

const SCHEMAS: &str = "#/components/schemas/";

/// Every schema that has a name and fields.
pub(super) fn all(document: &Value, out: &mut String) {
    out.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let name = escaped(name);
        write!(out, "<section id=\"schema-{name}\"><h3><code>{name}</code></h3>").ok();
        write!(out, "<p>{}</p>", prose(text(&schema["description"]))).ok();
        for choice in ["oneOf", "anyOf"].iter().flat_map(|choices| list(&schema[*choices])) {
            fields(choice, out);
        }
        fields(schema, out);
        out.push_str("</section>");
    }
}

/// The fields of a body.
pub(super) fn table(document: &Value, schema: &Value, out: &mut String) {
    fields(resolved(document, schema), out);
}

/// What a reference stands for.
pub(super) fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = text(&value["$ref"]).trim_start_matches('#');
    if pointer.is_empty() { value } else { document.pointer(pointer).unwrap_or(value) }
}

/// A table of what the object must have, and then of what it may have.
fn fields(schema: &Value, out: &mut String) {
    if entries(&schema["properties"]).next().is_none() {
        return;
    }
    let required = list(&schema["required"]);
    let is_required = |name: &String| required.iter().any(|known| known == name);
    out.push_str("<div class=\"wide\"><table>");
    for must in [true, false] {
        for (name, field) in entries(&schema["properties"]).filter(|(name, _)| is_required(name) == must) {
            let mark = if must { " <i>required</i>" } else { "" };
            let (name, note) = (escaped(name), prose(text(&field["description"])));
            write!(out, "<tr><th><code>{name}</code>{mark}</th><td>{}</td><td>{note}</td></tr>", kind(field))
                .ok();
        }
    }
    out.push_str("</table></div>");
}

/// A type in words, with links.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = text(&schema["$ref"]).strip_prefix(SCHEMAS) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    for choices in ["anyOf", "oneOf"] {
        let kinds: Vec<String> = list(&schema[choices]).iter().map(kind).collect();
        if !kinds.is_empty() {
            return distinct(kinds).join(" or ");
        }
    }
    let values: Vec<String> = list(&schema["enum"])
        .iter()
        .map(|value| format!("<code>{}</code>", escaped(&value.to_string())))
        .collect();
    if !values.is_empty() {
        return values.join(" ");
    }
    let single = std::slice::from_ref(&schema["type"]);
    let types = schema["type"].as_array().map_or(single, Vec::as_slice);
    let types = types.iter().map(|name| named(text(name), schema));
    distinct(types.collect()).join(" or ")
}

fn named(name: &str, schema: &Value) -> String {
    match name {
        "array" => format!("list of {}", kind(&schema["items"])),
        "string" if schema.get("contentSchema").is_some() => {
            format!("JSON text of {}", kind(&schema["contentSchema"]))
        }
        "string" if schema.get("contentMediaType").is_some() => "bytes".to_owned(),
        "" => "anything".to_owned(),
        "integer" | "number" => format!("{name}{}", bounds(schema)),
        name => escaped(name),
    }
}

fn bounds(schema: &Value) -> String {
    let of = |least: &str, most: &str| match (schema.get(least), schema.get(most)) {
        (Some(from), Some(to)) => format!(" {from} to {to}"),
        (Some(from), None) => format!(" ≥ {from}"),
        (None, Some(to)) => format!(" ≤ {to}"),
        (None, None) => String::new(),
    };
    of("minimum", "maximum")
}

fn distinct(mut kinds: Vec<String>) -> Vec<String> {
    let mut seen = Vec::with_capacity(kinds.len());
    kinds.retain(|kind| {
        !seen.contains(kind) && {
            seen.push(kind.clone());
            true
        }
    });
    kinds
}
