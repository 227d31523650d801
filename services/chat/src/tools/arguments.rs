//! The client's functions, and whether a call of one can be passed on.

use grok2api_proto::{Error, Result, chat};

use super::{
    frame::{self, Call},
    schema::Schema,
};

/// Functions that may be called.
#[derive(Debug, Default)]
pub(super) struct Functions(Vec<Function>);

#[derive(Debug)]
struct Function {
    name: String,
    schema: Option<Schema>,
    strict: bool,
}

/// A call, judged.
#[derive(Debug, PartialEq)]
pub(super) enum Judged {
    /// As good as it can be.
    Good { name: String, arguments: String },
    /// It must not be passed on like this, unless as `fallback`: JSON that only misses the schema.
    Bad { why: String, fallback: Option<(String, String)> },
}

impl Functions {
    /// The functions of a request.
    ///
    /// # Errors
    /// `InvalidRequest` for a strict one whose schema cannot be used.
    pub(super) fn new(tools: &[chat::Tool]) -> Result<Self> {
        tools.iter().enumerate().map(function).collect::<Result<_>>().map(Self)
    }

    /// The function of that name, written exactly or nearly so.
    fn named(&self, name: &str) -> Option<&Function> {
        let exact = self.0.iter().find(|function| function.name == name);
        exact.or_else(|| {
            let plain = plain(name);
            let mut alike = self.0.iter().filter(|function| self::plain(&function.name) == plain);
            alike.next().filter(|_| alike.next().is_none())
        })
    }

    /// What a frame calls; nothing when it is none of ours.
    pub(super) fn read(&self, body: &str) -> Option<Vec<Judged>> {
        if let Some(calls) = frame::calls(body) {
            let judged: Vec<Judged> = calls.into_iter().filter_map(|call| self.judge(call)).collect();
            return (!judged.is_empty()).then_some(judged);
        }
        let meant = self.0.iter().find(|function| {
            body.contains(&format!("\"{}\"", function.name)) || body.contains(&format!("'{}'", function.name))
        })?;
        let why = format!("the call of {} is not valid JSON", meant.name);
        Some(vec![Judged::Bad { why, fallback: None }])
    }

    fn judge(&self, call: Call) -> Option<Judged> {
        let function = self.named(&call.name)?;
        Some(function.judge(call))
    }
}

impl Function {
    fn judge(&self, Call { mut arguments, raw, .. }: Call) -> Judged {
        let name = self.name.clone();
        if !arguments.is_object() {
            let why = format!("the arguments of {name} are not a JSON object");
            return Judged::Bad { why, fallback: None };
        }
        let Some(schema) = &self.schema else {
            return Judged::Good { name, arguments: raw.unwrap_or_else(|| arguments.to_string()) };
        };
        let changed = schema.coerce(&mut arguments);
        let told = schema.check(&arguments);
        let text = raw.filter(|_| !changed).unwrap_or_else(|| arguments.to_string());
        match told {
            Ok(()) => Judged::Good { name, arguments: text },
            Err(mistakes) => Judged::Bad {
                why: format!("the arguments of {name} are not valid: {mistakes}"),
                fallback: (!self.strict).then_some((name, text)),
            },
        }
    }
}

fn function((at, tool): (usize, &chat::Tool)) -> Result<Function> {
    let unusable = |why: String| {
        let message = format!("the schema of the strict function {:?} cannot be used: {why}", tool.name);
        Error::invalid(format!("tools[{at}]"), message)
    };
    let schema = match tool.parameters.as_str() {
        "" => None,
        text => match Schema::parse(text) {
            Ok(schema) if tool.strict => schema.compile().map(|()| Some(schema)).map_err(unusable)?,
            Ok(schema) => Some(schema),
            Err(why) if tool.strict => return Err(unusable(why)),
            Err(_) => None,
        },
    };
    Ok(Function { name: tool.name.clone(), schema, strict: tool.strict })
}

/// A name without what models get wrong about it: `functions.get-weather` as `getweather`.
fn plain(name: &str) -> String {
    let last = name.rsplit(['.', ':', '/']).next().unwrap_or(name);
    last.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn functions(strict: bool) -> Functions {
        let parameters = json!({
            "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        });
        let weather = chat::Tool {
            name: "get_weather".into(),
            parameters: parameters.to_string(),
            strict,
            ..chat::Tool::default()
        };
        Functions::new(&[weather, chat::Tool { name: "now".into(), ..chat::Tool::default() }]).unwrap()
    }

    fn good(name: &str, arguments: &str) -> Judged {
        Judged::Good { name: name.to_owned(), arguments: arguments.to_owned() }
    }

    #[rstest]
    #[case::to_the_letter(
        r#"{"name":"get_weather","arguments":{"days": 2, "city": "Rome"}}"#,
        r#"{"days": 2, "city": "Rome"}"#
    )]
    #[case::coerced(
        r#"{"name":"get_weather","arguments":{"city":"Rome","days":"2"}}"#,
        r#"{"city":"Rome","days":2}"#
    )]
    #[case::repaired("{'name': 'get_weather', 'arguments': {'city': 'Rome',}}", r#"{"city":"Rome"}"#)]
    #[case::nearly_named(
        r#"{"name":"functions.Get-Weather","arguments":{"city":"Rome"}}"#,
        r#"{"city":"Rome"}"#
    )]
    fn calls_that_can_be_passed_on(#[case] body: &str, #[case] arguments: &str) {
        assert_eq!(functions(true).read(body), Some(vec![good("get_weather", arguments)]));
    }

    #[test]
    fn what_misses_the_schema_is_kept_unless_strict() {
        let body = r#"{"name":"get_weather","arguments":{"town":"Rome"}}"#;
        for strict in [true, false] {
            let read = functions(strict).read(body).unwrap();
            let [Judged::Bad { why, fallback }] = read.as_slice() else { panic!("{read:?}") };
            assert!(why.contains("\"city\""), "{why}");
            assert_eq!(fallback.is_none(), strict);
        }
    }

    #[test]
    fn strangers_are_text_and_ours_are_asked_for_again() {
        let functions = functions(false);
        assert_eq!(functions.read(r#"{"name":"rm","arguments":{}}"#), None);
        assert_eq!(functions.read("{see below}"), None);
        let broken = functions.read(r#"{"name": "now", "arguments": {oops}}"#).unwrap();
        assert!(matches!(&broken[..], [Judged::Bad { fallback: None, .. }]), "{broken:?}");
        assert_eq!(functions.read(r#"{"name":"now"}"#), Some(vec![good("now", "{}")]));
    }

    #[test]
    fn a_strict_schema_must_compile() {
        let tool = |strict| chat::Tool {
            name: "f".into(),
            parameters: r#"{"type":"whole"}"#.into(),
            strict,
            ..chat::Tool::default()
        };
        let error = Functions::new(&[tool(false), tool(true)]).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("tools[1]"));
        assert!(error.message.contains("\"f\""), "{error}");
    }
}
