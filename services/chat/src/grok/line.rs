//! One object of the stream as borrowed, forgiving types (`grok-web-protocol.md` section 3.2).
//!
//! A field of an unexpected type counts as absent; it never costs the line. What is rare or of uncertain shape
//! stays raw and is read where it is used.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The root of every object.
#[derive(Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(borrow, default)]
    pub result: Option<Body<'a>>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(crate) struct Body<'a> {
    #[serde(borrow, default)]
    pub conversation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub response: Option<Response<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response<'a> {
    #[serde(borrow, default)]
    pub token: Option<&'a RawValue>,
    #[serde(default)]
    pub is_thinking: Flag,
    #[serde(default)]
    pub is_soft_stop: Flag,
    #[serde(borrow, default)]
    pub message_tag: Text<'a>,
    #[serde(borrow, default)]
    pub message_step_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub rollout_id: Text<'a>,
    #[serde(borrow, default)]
    pub response_id: Text<'a>,
    #[serde(borrow, default)]
    pub tool_usage_card_id: Text<'a>,
    #[serde(borrow, default)]
    pub tool_usage_card: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub web_search_results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub cited_web_search_results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub x_search_results: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub xposts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub cited_xposts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub card_attachment: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub card_attachments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub streaming_image_generation_response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub streaming_video_generation_response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub model_response: Option<&'a RawValue>,
    #[serde(default)]
    pub final_metadata: Option<IgnoredAny>,
    #[serde(borrow, default)]
    pub stream_errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

/// A string, borrowed where it holds no escapes; empty for anything else.
#[derive(Default)]
pub(crate) struct Text<'a>(pub Cow<'a, str>);

/// A boolean; false for anything else.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flag(pub bool);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Reads a raw part as `T`, or not at all.
pub(crate) fn read<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    lenient(raw?.get())
}

/// Reads text whose strings may hold half a surrogate pair: a preview that was cut inside an emoji.
pub(crate) fn lenient<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok().or_else(|| serde_json::from_str(&whole_pairs(json)?).ok())
}

/// The same JSON with U+FFFD for every surrogate escape without its other half; nothing when it has none.
pub(crate) fn whole_pairs(json: &str) -> Option<String> {
    const PAIR: usize = "\\ud83c\\udf15".len();
    let unit = |at: usize| u32::from_str_radix(json.get(at + 2..at + 6)?, 16).ok();
    let mut repaired = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(offset) = memchr::memchr(b'\\', &json.as_bytes()[at..]) {
        at += offset;
        let code = if json.as_bytes().get(at + 1) == Some(&b'u') { unit(at) } else { None };
        let low = |at: usize| json[at..].starts_with("\\u") && matches!(unit(at), Some(0xdc00..0xe000));
        match code {
            Some(0xd800..0xdc00) if json.is_char_boundary(at + 6) && low(at + 6) => at += PAIR,
            Some(0xd800..0xe000) => {
                repaired.push_str(&json[copied..at]);
                repaired.push('\u{fffd}');
                at += 6;
                copied = at;
            }
            _ => at += 2,
        }
    }
    if copied == 0 {
        return None;
    }
    repaired.push_str(&json[copied..]);
    Some(repaired)
}

struct Lenient<T>(std::marker::PhantomData<T>);

/// What a lenient value takes; every other type gives the default.
trait Take<'de>: Default {
    fn text(_: &str) -> Self {
        Self::default()
    }
    fn borrowed(text: &'de str) -> Self {
        Self::text(text)
    }
    fn flag(_: bool) -> Self {
        Self::default()
    }
}

impl<'de> Take<'de> for Text<'de> {
    fn text(text: &str) -> Self {
        Self(Cow::Owned(text.to_owned()))
    }
    fn borrowed(text: &'de str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl Take<'_> for Flag {
    fn flag(flag: bool) -> Self {
        Self(flag)
    }
}

impl<'de, T: Take<'de>> Visitor<'de> for Lenient<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }
    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }
    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<T, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<Text<'de>>(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Lenient::<Flag>(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed_and_escapes_are_resolved() {
        let line: Line<'_> =
            serde_json::from_str(r#"{"result":{"response":{"messageTag":"final"}}}"#).unwrap();
        let response = line.result.unwrap().response.unwrap();
        assert!(matches!(response.message_tag.0, Cow::Borrowed("final")));
        let line: Line<'_> =
            serde_json::from_str(r#"{"result":{"response":{"messageTag":"a\n\u00e9"}}}"#).unwrap();
        assert_eq!(&*line.result.unwrap().response.unwrap().message_tag, "a\né");
    }

    #[rstest::rstest]
    #[case(r#"{"a":"x \ud83c"}"#, Some("{\"a\":\"x \u{fffd}\"}"))]
    #[case(
        r#"{"a":"\udf15 \ud83c\udf15 \ud83c\ud83c\udf15"}"#,
        Some("{\"a\":\"\u{fffd} \\ud83c\\udf15 \u{fffd}\\ud83c\\udf15\"}")
    )]
    #[case(r#"{"a":"\\ud83c \u00e9 é"}"#, None)]
    #[case(r#"{"a":"\ud8"#, None)]
    fn halves_of_pairs_are_replaced(#[case] json: &str, #[case] expected: Option<&str>) {
        assert_eq!(whole_pairs(json).as_deref(), expected);
        if let Some(expected) = expected {
            assert_eq!(lenient::<serde_json::Value>(json), serde_json::from_str(expected).ok());
        }
    }

    #[test]
    fn unexpected_types_cost_their_field_only() {
        let text = r#"{"result":{"response":{"token":["a",{"b":1}],"isThinking":"yes","isSoftStop":true,"messageTag":{"x":[]},"webSearchResults":7,"unknown":{"a":1}}}}"#;
        let line: Line<'_> = serde_json::from_str(text).unwrap();
        let response = line.result.unwrap().response.unwrap();
        assert_eq!((response.is_thinking.0, response.is_soft_stop.0), (false, true));
        assert!(response.token.is_some_and(|token| token.get().starts_with('[')));
        assert_eq!(&*response.message_tag, "");
    }
}
