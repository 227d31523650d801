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
    #[serde(default)]
    pub message_step_id: Option<IgnoredAny>,
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
    serde_json::from_str(raw?.get()).ok()
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
