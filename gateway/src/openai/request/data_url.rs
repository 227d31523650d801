//! Data URLs (RFC 2397), base64 only, read strictly.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;

/// Clients differ in whether they write the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a data URL holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Data {
    pub(crate) media_type: String,
    pub(crate) bytes: Bytes,
}

/// Reads `data:<type>/<subtype>[;…];base64,<payload>`. The error completes a sentence that begins with the place.
pub(crate) fn parse(url: &str) -> Result<Data, String> {
    let shape = || "must have the shape data:<media type>;base64,<data>".to_owned();
    let (scheme, rest) = url.split_once(':').ok_or_else(shape)?;
    let (head, payload) = rest.split_once(',').ok_or_else(shape)?;
    let mut words = head.split(';');
    let media_type = words.next().unwrap_or_default().to_ascii_lowercase();
    let in_base64 = words.next_back().is_some_and(|last| last.eq_ignore_ascii_case("base64"));
    if !scheme.eq_ignore_ascii_case("data") || !is_media_type(&media_type) || !in_base64 {
        return Err(shape());
    }
    if payload.is_empty() {
        return Err("holds no data".to_owned());
    }
    let bytes = BASE64.decode(payload).map_err(|error| format!("is not base64: {error}"))?;
    Ok(Data { media_type, bytes: bytes.into() })
}

/// The base64 text of an image without the `data:` frame, as the seed took it; known by its first bytes.
pub(crate) fn bare_image(text: &str) -> Option<Data> {
    let bytes = BASE64.decode(text).ok()?;
    let kind = infer::get(&bytes).filter(|kind| kind.matcher_type() == infer::MatcherType::Image)?;
    Some(Data { media_type: kind.mime_type().to_owned(), bytes: bytes.into() })
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("data:image/png;base64,aGk=")]
    #[case::without_padding("data:image/png;base64,aGk")]
    #[case::upper_case("DATA:Image/PNG;BASE64,aGk=")]
    #[case::with_a_parameter("data:image/png;name=a.png;base64,aGk=")]
    fn a_data_url_is_read(#[case] url: &str) {
        assert_eq!(parse(url), Ok(Data { media_type: "image/png".into(), bytes: Bytes::from_static(b"hi") }));
    }

    #[rstest]
    #[case::doubled("data:data:image/png;base64,aGk=", "shape")]
    #[case::no_type("data:;base64,aGk=", "shape")]
    #[case::no_comma("data:image/png;base64", "shape")]
    #[case::not_base64("data:text/plain,hello", "shape")]
    #[case::empty("data:image/png;base64,", "no data")]
    #[case::bad_letters("data:image/png;base64,a*k=", "not base64")]
    #[case::line_breaks("data:image/png;base64,aG\nk=", "not base64")]
    #[case::url_alphabet("data:image/png;base64,-_-_", "not base64")]
    fn anything_else_is_refused_with_its_reason(#[case] url: &str, #[case] why: &str) {
        let error = parse(url).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn bare_base64_is_taken_only_when_it_is_an_image() {
        let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        assert_eq!(bare_image(png).unwrap().media_type, "image/png");
        assert_eq!(bare_image("aGVsbG8="), None);
        assert_eq!(bare_image("no base64"), None);
    }
}
