//! JSON string escapes resolved into a buffer that is used again for every token: the stream's most frequent escapes
//! (line feeds, quotes) would otherwise cost two allocations a token.

use memchr::memchr;
use serde_json::value::RawValue;

/// The string a raw value holds, borrowed where it has no escapes, else resolved into `scratch`; empty for a value
/// of another type. Lone surrogates become U+FFFD.
pub(crate) fn text<'a>(raw: &'a RawValue, scratch: &'a mut String) -> &'a str {
    let quoted = raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = quoted else { return "" };
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return inner;
    }
    scratch.clear();
    resolve(inner, scratch);
    scratch
}

fn resolve(mut rest: &str, out: &mut String) {
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or_default();
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'n' => out.push('\n'),
            b't' => out.push('\t'),
            b'r' => out.push('\r'),
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'u' => rest = unicode(rest, out),
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
}

/// Resolves what follows `\u`, two surrogates together; gives what is left.
fn unicode<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(first) = unit(rest) else { return rest };
    let after = &rest[4..];
    let second = after.strip_prefix("\\u").and_then(unit);
    if (0xd800..0xdc00).contains(&first)
        && let Some(low) = second.filter(|low| (0xdc00..0xe000).contains(low))
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        return &after[6..];
    }
    out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    after
}

fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn resolved(json: &str) -> String {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        text(raw, &mut String::from("left over")).to_owned()
    }

    #[rstest]
    #[case(r#""plain 月""#, "plain 月")]
    #[case(r#""a\n\t\r\b\f\"\\\/b""#, "a\n\t\r\u{8}\u{c}\"\\/b")]
    #[case(r#""\u00e9\u6708\ud83c\udf15!""#, "é月🌕!")]
    #[case(r#""\ud83c x""#, "\u{fffd} x")]
    #[case(r#""\udf15\ud83c""#, "\u{fffd}\u{fffd}")]
    #[case(r#""\ud83c\u0041""#, "\u{fffd}A")]
    #[case("[\"a\"]", "")]
    #[case("null", "")]
    #[case("7", "")]
    fn escapes_are_resolved(#[case] json: &str, #[case] expected: &str) {
        assert_eq!(resolved(json), expected);
    }

    proptest! {
        #[test]
        fn whatever_serde_writes_is_read_back(value in any::<String>()) {
            prop_assert_eq!(resolved(&serde_json::to_string(&value).unwrap()), value);
        }
    }
}
