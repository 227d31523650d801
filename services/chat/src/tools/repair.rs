//! JSON as models write it when they do not take care: read leniently, never guessed at beyond that.
//!
//! Understood are trailing and missing commas, single quotes, bare keys, Python's and JavaScript's literals, comments,
//! raw line feeds in strings, quotes inside strings, ends that are missing, and what follows the value.

use serde_json::{Map, Number, Value};

/// Deepest nesting followed.
const DEEPEST: usize = 96;

/// The first value of a text, strictly or else leniently; nothing when a part of it cannot be read.
pub fn value(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| {
        let mut reader = Reader::new(text);
        reader.space();
        reader.value(0).filter(|_| !reader.lossy)
    })
}

/// All values of a text, one after the other; nothing when a part of one cannot be read.
pub fn values(text: &str) -> Option<Vec<Value>> {
    let (mut reader, mut values) = (Reader::new(text), Vec::new());
    loop {
        reader.skip(|letter| letter.is_whitespace() || matches!(letter, ',' | '}' | ']' | ';'));
        match reader.value(0) {
            _ if reader.lossy => return None,
            Some(value) => values.push(value),
            None => return Some(values),
        }
    }
}

/// Reads letter by letter.
struct Reader<'t> {
    rest: &'t str,
    /// Something inside a value could not be read.
    lossy: bool,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text, lossy: false }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let mut letters = self.rest.chars();
        let letter = letters.next();
        self.rest = letters.as_str();
        letter
    }

    fn skip(&mut self, which: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(which);
    }

    /// White space and comments.
    fn space(&mut self) {
        loop {
            self.skip(char::is_whitespace);
            let end = if self.rest.starts_with("//") {
                self.rest.find('\n')
            } else if self.rest.starts_with("/*") {
                self.rest.find("*/").map(|at| at + 2)
            } else {
                return;
            };
            self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            '{' => Some(self.object(depth)),
            '[' => Some(self.list(depth)),
            quote @ ('"' | '\'') => Some(Value::String(self.string(quote))),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Value {
        self.take();
        let mut map = Map::new();
        loop {
            self.separators();
            let key = match self.peek() {
                None | Some(']') => break,
                Some('}') => {
                    self.take();
                    break;
                }
                Some(quote @ ('"' | '\'')) => self.string(quote),
                Some(_) => self.bare_key(),
            };
            self.space();
            let value = (self.peek() == Some(':')).then(|| {
                self.take();
                self.space();
                self.value(depth + 1)
            });
            match value.flatten() {
                Some(value) => map.insert(key, value),
                None => {
                    self.lossy |= !self.rest.is_empty();
                    break;
                }
            };
        }
        Value::Object(map)
    }

    fn list(&mut self, depth: usize) -> Value {
        self.take();
        let mut list = Vec::new();
        loop {
            self.separators();
            match self.peek() {
                None | Some('}') => break,
                Some(']') => {
                    self.take();
                    break;
                }
                Some(_) => match self.value(depth + 1) {
                    Some(value) => list.push(value),
                    None => {
                        self.lossy = true;
                        break;
                    }
                },
            }
        }
        Value::Array(list)
    }

    fn separators(&mut self) {
        self.space();
        while self.peek() == Some(',') {
            self.take();
            self.space();
        }
    }

    fn bare_key(&mut self) -> String {
        let end =
            self.rest.find(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '-' | '$')));
        let (key, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        key.to_owned()
    }

    /// A number or a literal, in JSON's, Python's or JavaScript's spelling.
    fn word(&mut self) -> Option<Value> {
        let is_end =
            |letter: char| letter.is_whitespace() || matches!(letter, ',' | '}' | ']' | ':' | '"' | '\'');
        let (word, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        let value = match word {
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            "null" | "None" | "NULL" | "undefined" | "NaN" => Value::Null,
            _ => Value::Number(number(word)?),
        };
        self.rest = rest;
        Some(value)
    }

    /// A string. A quote inside one is told from its end by what follows.
    fn string(&mut self, quote: char) -> String {
        self.take();
        let mut text = String::new();
        while let Some(letter) = self.take() {
            match letter {
                '\\' => self.escape(&mut text),
                _ if letter == quote && self.ends_string() => return text,
                _ => text.push(letter),
            }
        }
        text
    }

    /// Whether a quote just read can be the end of its string.
    fn ends_string(&self) -> bool {
        let behind = self.rest.trim_start();
        match behind.chars().next() {
            None | Some('}' | ']' | ':') => true,
            // `"a", "b"` goes on with a value or a key, `"say "a", he said"` does not.
            Some(',') => behind[1..].trim_start().chars().next().is_none_or(|letter| {
                matches!(letter, '"' | '\'' | '{' | '[' | '}' | ']' | '-' | '_') || letter.is_alphanumeric()
            }),
            // A comma that was forgotten before the next key.
            Some('"' | '\'') => behind.len() < self.rest.len(),
            Some(_) => false,
        }
    }

    fn escape(&mut self, text: &mut String) {
        match self.take() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => text.push(self.unicode()),
            Some(letter @ ('"' | '\'' | '\\' | '/' | '\n')) => text.push(letter),
            // An escape that JSON does not know, such as a regular expression's.
            Some(letter) => text.extend(['\\', letter]),
            None => {}
        }
    }

    fn unicode(&mut self) -> char {
        let first = self.hex().unwrap_or(0xfffd);
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).unwrap_or('\u{fffd}');
        }
        let Some(rest) = self.rest.strip_prefix("\\u") else { return '\u{fffd}' };
        self.rest = rest;
        let second = self.hex().filter(|second| (0xdc00..0xe000).contains(second));
        second
            .and_then(|second| char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)))
            .unwrap_or('\u{fffd}')
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        self.rest = &self.rest[4..];
        Some(value)
    }
}

fn number(word: &str) -> Option<Number> {
    if let Ok(number) = serde_json::from_str(word) {
        return Some(number);
    }
    // `+5`, `.5`, `5.`, `1_000`.
    let plain = word.trim_start_matches('+').replace('_', "");
    let whole = plain.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| {
        let is_number =
            plain.starts_with(|letter: char| letter.is_ascii_digit() || matches!(letter, '-' | '.'));
        plain.parse::<f64>().ok().filter(|_| is_number).and_then(Number::from_f64)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::strict(r#"{"a": [1, 2.5, null, true, "x"]}"#, json!({"a": [1, 2.5, null, true, "x"]}))]
    #[case::trailing_commas(r#"{"a": [1, 2,], "b": {"c": 1,},}"#, json!({"a": [1, 2], "b": {"c": 1}}))]
    #[case::missing_comma(r#"{"a": "x" "b": 2}"#, json!({"a": "x", "b": 2}))]
    #[case::unclosed(r#"{"a": {"b": [1, {"c": "d"#, json!({"a": {"b": [1, {"c": "d"}]}}))]
    #[case::single_quotes("{'a': 'it\\'s', 'b': 'x'}", json!({"a": "it's", "b": "x"}))]
    #[case::apostrophe("{'a': 'it's fine'}", json!({"a": "it's fine"}))]
    #[case::python("{\"a\": True, \"b\": None, \"c\": False}", json!({"a": true, "b": null, "c": false}))]
    #[case::raw_line_feeds("{\"a\": \"x\ny\tz\"}", json!({"a": "x\ny\tz"}))]
    #[case::inner_quotes(r#"{"a": "print("hi") and go", "b": 1}"#, json!({"a": "print(\"hi\") and go", "b": 1}))]
    #[case::bare_keys("{a: 1, b_c: 'x'}", json!({"a": 1, "b_c": "x"}))]
    #[case::comments("{\"a\": 1, // one\n /* two */ \"b\": 2}", json!({"a": 1, "b": 2}))]
    #[case::numbers("[+5, .5, 1_000, -2, 1e3]", json!([5, 0.5, 1000, -2, 1e3]))]
    #[case::unknown_escape(r#"{"a": "\d+\u00e9\ud83c\udf15"}"#, json!({"a": "\\d+é🌕"}))]
    #[case::something_behind("{\"a\": 1} and so on", json!({"a": 1}))]
    #[case::too_many_ends("{\"a\": 1}}", json!({"a": 1}))]
    fn it_is_read(#[case] text: &str, #[case] expected: Value) {
        assert_eq!(value(text), Some(expected));
    }

    #[test]
    fn prose_is_no_value() {
        assert_eq!(value("see below"), None);
        assert_eq!(value(""), None);
        assert_eq!(value("{\"city\": Rome}"), None);
        assert_eq!(values("[".repeat(10_000).as_str()), None);
    }

    #[test]
    fn several_values_are_read() {
        assert_eq!(values("{\"a\":1}\n{\"b\":2}").unwrap(), [json!({"a": 1}), json!({"b": 2})]);
        assert_eq!(values("{\"a\":1,}, {'b':2}").unwrap(), [json!({"a": 1}), json!({"b": 2})]);
    }

    proptest::proptest! {
        #[test]
        fn anything_is_survived(text in ".{0,80}") {
            value(&text);
            values(&text);
        }

        #[test]
        fn a_cut_object_keeps_what_was_whole(at in 0usize..60) {
            let text = r#"{"a": [1, 2, {"b": "c"}], "d": "é", "e": 5}"#;
            if text.is_char_boundary(at.min(text.len())) && at > 0 {
                proptest::prop_assert!(value(&text[..at.min(text.len())]).is_some_and(|value| value.is_object()));
            }
        }
    }
}
