//! The fields of requests, as tables: what each must be, and what becomes of it.

pub(crate) mod schema;

use grok2api_proto::Result;
use serde_json::Value;
use utoipa::openapi::Schema;

use super::{
    schemas,
    walk::{Fields, Node, Path, quoted},
};

/// What becomes of a field.
#[derive(Clone, Copy)]
pub(crate) enum Treatment {
    /// It does what it says.
    Honoured,
    /// The upstream knows nothing of it; this product does it.
    Emulated,
    /// Type-checked, then left to the upstream's own judgement.
    Hint,
    /// Refused with this code unless the value asks for nothing special.
    Refused {
        /// Values that change nothing.
        unless: fn(&Value) -> bool,
        /// The same, as a schema.
        leaves: fn() -> Schema,
        /// `error.code`.
        code: &'static str,
    },
}

/// The type of a field.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Boolean,
    Text,
    /// From, to.
    Number(f64, f64),
    /// From, to.
    Integer(i64, i64),
    /// A string or a list of strings.
    Stop,
    Texts,
    /// One of these words.
    Words(&'static [&'static str]),
    Object,
    Objects,
    /// An object with these fields.
    Fields(&'static [Field]),
    /// An object whose values are all of one kind, whatever their names.
    Map(&'static Shape),
    TextOrObjects,
    TextOrObject,
    /// Checked where it is read, as this schema says.
    Read(&'static str, fn() -> Schema),
}

pub(crate) struct Field {
    name: &'static str,
    shape: Shape,
    treatment: Treatment,
    note: &'static str,
    required: bool,
}

pub(crate) const fn field(
    name: &'static str,
    shape: Shape,
    treatment: Treatment,
    note: &'static str,
) -> Field {
    Field { name, shape, treatment, note, required: false }
}

/// A field that no request may leave out.
pub(crate) const fn required(name: &'static str, shape: Shape, note: &'static str) -> Field {
    Field { name, shape, treatment: Honoured, note, required: true }
}

pub(crate) const fn unsupported(unless: fn(&Value) -> bool, leaves: fn() -> Schema) -> Treatment {
    Treatment::Refused { unless, leaves, code: "unsupported_parameter" }
}

use Shape::{
    Boolean, Integer, Map, Number, Object, Objects, Read, Stop, Text, TextOrObject, TextOrObjects, Texts,
    Words,
};
use Treatment::{Emulated, Hint, Honoured};

const CHOICES: Shape = Integer(1, 128);
pub(crate) const TOKENS: Shape = Integer(1, i64::MAX);
/// Most answers to one request.
pub(crate) const MOST_CHOICES: usize = 4;
/// Of a stop sequence, in characters.
const LONGEST_STOP: usize = 1024;

/// Every field of OpenAI's chat API, and ours.
pub(crate) const CHAT: &[Field] = &[
    required("model", Read("string", schemas::name), "an id of `GET /v1/models`"),
    required("messages", Read("list of messages", schemas::messages), "see Messages"),
    field("stream", Boolean, Honoured, "default `false`"),
    field(
        "stream_options",
        Read("object", schemas::stream_options),
        Honoured,
        "`include_usage`: one more chunk with the usage",
    ),
    field(
        "thinking_mode",
        Read("string", schemas::thinking_mode),
        Honoured,
        "ours: `reasoning_content`, `think` or `off` for this request",
    ),
    field("temporary", Boolean, Honoured, "ours: whether the upstream forgets the conversation"),
    field("temperature", Number(0.0, 2.0), Hint, "the upstream has no such control"),
    field("top_p", Number(0.0, 1.0), Hint, "the upstream has no such control"),
    field("frequency_penalty", Number(-2.0, 2.0), Hint, "the upstream has no such control"),
    field("presence_penalty", Number(-2.0, 2.0), Hint, "the upstream has no such control"),
    field("logit_bias", Map(&Number(-100.0, 100.0)), Hint, "the upstream has no such control"),
    field("seed", Integer(i64::MIN, i64::MAX), Hint, "the upstream has no such control"),
    field("reasoning_effort", EFFORTS, Emulated, "may choose a faster or a deeper sibling of the model"),
    field("verbosity", DEGREES, Hint, "the model decides"),
    field("web_search_options", Shape::Fields(SEARCH), Hint, "the model searches when it sees fit"),
    field("prediction", Shape::Fields(PREDICTION), Hint, "speed only"),
    field("service_tier", TIERS, Hint, "one tier"),
    field("store", Boolean, Hint, "nothing is stored"),
    field("metadata", Map(&Text), Hint, "for the client's own use"),
    field("user", Text, Hint, "for the client's own use"),
    field("safety_identifier", Text, Hint, "for the client's own use"),
    field("prompt_cache_key", Text, Honoured, "requests with the same key prefer the same account"),
    field("prompt_cache_retention", Words(&["in_memory", "in-memory", "24h"]), Hint, "speed only"),
    field("max_completion_tokens", TOKENS, Emulated, "the answer is cut and ends with `length`; see Limits"),
    field("max_tokens", TOKENS, Emulated, "the same; the smaller one counts"),
    field("stop", Stop, Emulated, "at most 4 strings of at most 1024 characters; see Limits"),
    field(
        "n",
        Read("integer", schemas::choices),
        Emulated,
        "at most 4; each answer is a turn of its own, and all count in the usage",
    ),
    field(
        "tools",
        Read("list of objects", schemas::tools),
        Emulated,
        "functions are called; tools of other types are accepted and not offered",
    ),
    field(
        "functions",
        Read("list of objects", schemas::functions),
        Emulated,
        "the same, as it was before `tools`: at most one call",
    ),
    field("parallel_tool_calls", Boolean, Emulated, "`false`: at most one call"),
    field(
        "top_logprobs",
        Integer(0, 20),
        unsupported(is_zero, schemas::zero),
        "refused unless 0: the upstream tells no probabilities",
    ),
    field(
        "tool_choice",
        Read("a string or an object", schemas::tool_choice),
        Emulated,
        "`auto`, `none`, `required`, one function, or `allowed_tools`",
    ),
    field(
        "function_call",
        Read("a string or an object", schemas::function_call),
        Emulated,
        "`auto`, `none` or one function",
    ),
    field(
        "response_format",
        Read("an object", schemas::response_format),
        Emulated,
        "`text`, `json_object` or `json_schema`; the JSON comes when it is whole",
    ),
    field("logprobs", Boolean, unsupported(is_false, schemas::off), "refused unless `false`"),
    field("modalities", Texts, unsupported(is_text_only, schemas::text_only), "refused unless `[\"text\"]`"),
    field("audio", Object, unsupported(never, schema::nothing), "refused: the upstream gives text only"),
];

const DEGREES: Shape = Words(&["low", "medium", "high"]);
const EFFORTS: Shape = Words(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]);
const TIERS: Shape = Words(&["auto", "default", "flex", "scale", "priority"]);

/// `web_search_options`.
const SEARCH: &[Field] = &[
    field("search_context_size", DEGREES, Hint, "the model decides"),
    field("user_location", Shape::Fields(LOCATION), Hint, "the upstream knows no places"),
];
const LOCATION: &[Field] =
    &[required("type", Words(&["approximate"]), ""), required("approximate", Shape::Fields(PLACE), "")];
const PLACE: &[Field] = &[
    field("city", Text, Hint, ""),
    field("country", Text, Hint, ""),
    field("region", Text, Hint, ""),
    field("timezone", Text, Hint, ""),
];

/// `prediction`.
const PREDICTION: &[Field] =
    &[required("type", Words(&["content"]), ""), required("content", TextOrObjects, "")];

pub(crate) fn never(_: &Value) -> bool {
    false
}

fn is_zero(value: &Value) -> bool {
    whole(value) == Some(0)
}

fn is_false(value: &Value) -> bool {
    *value == false
}

fn is_text_only(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(|entry| entry == "text"))
}

/// `n`.
pub(crate) fn choices(mut node: Node<'_>) -> Result<usize> {
    CHOICES.check(&mut node)?;
    let count = whole(&node.value).and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
    if count <= MOST_CHOICES {
        return Ok(count);
    }
    let message = format!("'{}' is {count}, but at most {MOST_CHOICES} answers are given at once", node.path);
    Err(node.path.error("unsupported_value", message))
}

/// `max_tokens`, `max_completion_tokens`.
pub(crate) fn tokens(mut node: Node<'_>) -> Result<u64> {
    TOKENS.check(&mut node)?;
    Ok(whole(&node.value).and_then(|count| u64::try_from(count).ok()).unwrap_or(u64::MAX))
}

/// `stop`, without the empty strings.
pub(crate) fn stop(mut node: Node<'_>) -> Result<Vec<String>> {
    Stop.check(&mut node)?;
    let sequences = match node.value.take() {
        Value::Array(list) => list,
        text => vec![text],
    };
    let text = |value| if let Value::String(text) = value { Some(text) } else { None };
    let sequences: Vec<String> =
        sequences.into_iter().filter_map(text).filter(|text| !text.is_empty()).collect();
    if sequences.iter().any(|sequence| sequence.chars().count() > LONGEST_STOP) {
        return Err(
            node.invalid(format_args!("must not hold a string of more than {LONGEST_STOP} characters"))
        );
    }
    Ok(sequences)
}

/// Checks what is left of a request after the fields were read that do something. What is in no table is ignored.
pub(crate) fn check(table: &'static [Field], fields: &mut Fields<'_>) -> Result<()> {
    table.iter().try_for_each(|field| fields.take(field.name).map_or(Ok(()), |node| field.check(node)))
}

/// The refusal of a field that was taken out before the others.
pub(crate) fn refuse(table: &'static [Field], node: Node<'_>) -> Result<()> {
    let named = |field: &&Field| matches!(node.path, Path::Key(_, key) if key == field.name);
    table.iter().find(named).map_or(Ok(()), |field| field.check(node))
}

/// The same for an object all of which is checked by its table.
pub(crate) fn check_all(table: &'static [Field], fields: &mut Fields<'_>) -> Result<()> {
    table.iter().try_for_each(|field| match fields.take(field.name) {
        Some(node) => field.check(node),
        None if field.required => fields.required(field.name).map(drop),
        None => Ok(()),
    })
}

impl Field {
    fn check(&self, mut node: Node<'_>) -> Result<()> {
        if let Treatment::Refused { unless, code, .. } = self.treatment
            && self.shape.admits(&node.value)
            && !unless(&node.value)
        {
            return Err(node
                .path
                .error(code, format!("this value of '{}' is not supported: {}", node.path, self.note)));
        }
        self.shape.check(&mut node)
    }
}

impl Shape {
    /// Whether the JSON type alone fits.
    fn admits(self, value: &Value) -> bool {
        match self {
            Boolean => value.is_boolean(),
            Text => value.is_string(),
            Words(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Number(from, to) => value.as_f64().is_some_and(|number| (from..=to).contains(&number)),
            Integer(from, to) => whole(value).is_some_and(|number| (from..=to).contains(&number)),
            Object | Shape::Fields(_) => value.is_object(),
            Map(each) => value.as_object().is_some_and(|map| map.values().all(|one| each.admits(one))),
            Objects => is_list_of_objects(value),
            TextOrObjects => value.is_string() || is_list_of_objects(value),
            Stop => value.is_string() || is_list_of_texts(value),
            Texts => is_list_of_texts(value),
            TextOrObject => value.is_string() || value.is_object(),
            Read(..) => true,
        }
    }

    pub(crate) fn check(self, node: &mut Node<'_>) -> Result<()> {
        match self {
            Number(from, to) if node.value.is_number() && !self.admits(&node.value) => {
                Err(node.invalid(format_args!("is {}, but must be within {from} and {to}", node.value)))
            }
            Integer(from, to) if whole(&node.value).is_some() && !self.admits(&node.value) => {
                let bounds = if to == i64::MAX {
                    format!("at least {from}")
                } else {
                    format!("within {from} and {to}")
                };
                Err(node.invalid(format_args!("is {}, but must be {bounds}", node.value)))
            }
            Stop if node.value.as_array().is_some_and(|list| list.len() > 4) => {
                Err(node.invalid("must hold at most 4 strings"))
            }
            Words(words) if node.value.is_string() && !self.admits(&node.value) => {
                let given = quoted(node.value.as_str().unwrap_or_default());
                Err(node.invalid(format_args!("is {given}, but must be one of {}", words.join(", "))))
            }
            Map(each) if node.value.is_object() && !self.admits(&node.value) => {
                let wrong =
                    node.value.as_object().and_then(|map| map.iter().find(|(_, one)| !each.admits(one)));
                let name = wrong.map(|(name, _)| quoted(name)).unwrap_or_default();
                let message = format!("'{}' must be {}, which {name} is not one of", node.path, self.name());
                Err(node.path.error("invalid_type", message))
            }
            Shape::Fields(table) if self.admits(&node.value) => check_all(table, &mut node.fields()?),
            _ if self.admits(&node.value) => Ok(()),
            _ => Err(node.expected(self.name())),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Boolean => "a boolean",
            Text => "a string",
            Number(..) => "a number",
            Integer(..) => "an integer",
            Stop => "a string or a list of strings",
            Texts => "a list of strings",
            Words(_) => "a string",
            Object | Shape::Fields(_) => "an object",
            Map(Text) => "an object of strings",
            Map(Number(..)) => "an object of numbers within -100 and 100",
            Map(_) => "an object",
            TextOrObjects => "a string or a list of objects",
            Objects => "a list of objects",
            TextOrObject => "a string or an object",
            Read(name, _) => name,
        }
    }
}

/// How hard the model should think, in one of the known words.
pub(crate) fn effort(mut node: Node<'_>) -> Result<String> {
    EFFORTS.check(&mut node)?;
    node.string()
}

/// An integer that was checked.
pub(crate) fn count(node: &Node<'_>) -> u64 {
    whole(&node.value).and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
}

/// Integers, and floats that are integers: JavaScript does not tell them apart.
fn whole(value: &Value) -> Option<i64> {
    let rounded = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_u64().map(|_| i64::MAX)).or_else(|| value.as_f64().and_then(rounded))
}

fn is_list_of_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_object))
}

fn is_list_of_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

/// The table as Markdown: a section of `docs/request-fields.md`.
#[cfg(test)]
pub(crate) fn documentation(table: &[Field]) -> String {
    use std::fmt::Write as _;
    let mut text = "| field | type | treatment | note |\n|---|---|---|---|\n".to_owned();
    for Field { name, shape, treatment, note, required } in table {
        let note = if *required { format!("required; {note}") } else { (*note).to_owned() };
        let note = match shape {
            Words(words) => format!("`{}`; {note}", words.join("`, `")),
            _ => note,
        };
        let shape = shape.name().trim_start_matches("a ").trim_start_matches("an ");
        writeln!(text, "| `{name}` | {shape} | {} | {note} |", treatment.name()).ok();
    }
    text
}

impl Treatment {
    fn name(self) -> &'static str {
        match self {
            Honoured => "honoured",
            Emulated => "emulated",
            Hint => "hint",
            Self::Refused { .. } => "refused",
        }
    }
}
