//! An answer that is to be JSON.

use grok2api_proto::{Error, Result, chat};
use serde_json::Value;

use super::{repair, schema::Schema};

/// What the answer must be.
#[derive(Debug)]
pub(super) struct Shape {
    /// None stands for any object.
    schema: Option<Schema>,
    strict: bool,
}

/// Why an answer is not what it must be.
#[derive(Debug, PartialEq)]
pub(super) struct Misses {
    pub(super) why: String,
    /// JSON that only misses the schema, when that may be passed on.
    pub(super) fallback: Option<String>,
}

impl Shape {
    /// The shape a request asks for.
    ///
    /// # Errors
    /// `InvalidRequest` for a strict one whose schema cannot be used.
    pub(super) fn new(format: &chat::Format) -> Result<Self> {
        let unusable = |why| {
            let message = format!("the schema {:?} of the answer cannot be used: {why}", format.name);
            Error::invalid("response_format", message)
        };
        let schema = match format.schema.as_str() {
            "" => None,
            text => match Schema::parse(text) {
                Ok(schema) if format.strict => schema.compile().map(|()| Some(schema)).map_err(unusable)?,
                Ok(schema) => Some(schema),
                Err(why) if format.strict => return Err(unusable(why)),
                Err(_) => None,
            },
        };
        Ok(Self { schema, strict: format.strict })
    }

    /// The JSON in what the model said.
    ///
    /// # Errors
    /// Why there is none that fits.
    pub(super) fn read(&self, said: &str) -> Result<String, Misses> {
        let text = bare(said);
        let not_json = || Misses { why: "the answer is not valid JSON".to_owned(), fallback: None };
        let (mut value, letters) = value_in(text).ok_or_else(not_json)?;
        let Some(schema) = &self.schema else {
            if !value.is_object() {
                return Err(Misses { why: "the answer is not a JSON object".to_owned(), fallback: None });
            }
            return Ok(letters.map_or_else(|| value.to_string(), str::to_owned));
        };
        let changed = schema.coerce(&mut value);
        let told = schema.check(&value);
        let text = letters.filter(|_| !changed).map_or_else(|| value.to_string(), str::to_owned);
        told.map_err(|mistakes| Misses {
            why: format!("the answer is not valid for the schema: {mistakes}"),
            fallback: (!self.strict).then_some(text.clone()),
        })?;
        Ok(text)
    }
}

/// The text without the code fence around it.
pub(super) fn bare(said: &str) -> &str {
    let text = said.trim();
    let Some(inner) = text.strip_prefix("```") else { return text };
    let inner = inner.split_once('\n').map_or(inner, |(_, inner)| inner);
    inner.trim_end().strip_suffix("```").unwrap_or(inner).trim()
}

/// The value of a text, and the text of the value when it was JSON to the letter.
fn value_in(text: &str) -> Option<(Value, Option<&str>)> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some((value, Some(text)));
    }
    // Prose before or behind it.
    for (at, _) in text.match_indices(['{', '[']) {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            let end = at + values.byte_offset();
            return Some((value, Some(&text[at..end])));
        }
        if at > 4096 {
            break;
        }
    }
    let at = text.find(['{', '['])?;
    repair::value(&text[at..]).map(|value| (value, None))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PERSON: &str = r#"{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}"#;

    fn shape(schema: &str, strict: bool) -> Shape {
        Shape::new(&chat::Format { name: "it".into(), schema: schema.into(), strict }).unwrap()
    }

    #[rstest]
    #[case::plain(r#"{"b": 1, "age": 2}"#, r#"{"b": 1, "age": 2}"#)]
    #[case::fenced("```json\n{\"age\": 2}\n```", "{\"age\": 2}")]
    #[case::prose("Here you are:\n\n{\"age\": 2}\n\nDone.", "{\"age\": 2}")]
    #[case::fenced_in_prose("Sure!\n```json\n{\"age\": 2}\n```\nDone.", "{\"age\": 2}")]
    #[case::repaired("{'age': 2,}", "{\"age\":2}")]
    #[case::coerced("{\"age\": \"2\"}", "{\"age\":2}")]
    fn an_answer_is_read(#[case] said: &str, #[case] expected: &str) {
        assert_eq!(shape(PERSON, true).read(said).as_deref(), Ok(expected));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(shape(PERSON, true).read("no").unwrap_err().why, "the answer is not valid JSON");
        let missed = shape(PERSON, true).read("{}").unwrap_err();
        assert!(missed.why.contains("age") && missed.fallback.is_none(), "{missed:?}");
        assert_eq!(shape(PERSON, false).read("{}").unwrap_err().fallback.as_deref(), Some("{}"));
        assert_eq!(shape("", false).read("[1]").unwrap_err().why, "the answer is not a JSON object");
        assert_eq!(shape("", false).read("{\"a\":1}").as_deref(), Ok("{\"a\":1}"));
    }

    #[test]
    fn a_strict_schema_must_compile() {
        let format =
            |strict| chat::Format { name: "it".into(), schema: r#"{"type":"whole"}"#.into(), strict };
        assert!(Shape::new(&format(false)).is_ok());
        assert_eq!(Shape::new(&format(true)).unwrap_err().param.as_deref(), Some("response_format"));
    }
}
