//! Names, content, ranges, eviction. Pure.

use std::ops::Range;

use grok2api_proto::{Error, Result};
use grok2api_storage::media::{Item, Kind};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::error::not_satisfiable;

/// How many bytes of the beginning decide what a content is.
pub(crate) const HEAD: usize = 4096;
/// Length of a source: half a SHA-256 in hexadecimal.
const SOURCE: usize = 32;

/// What the content is, whatever its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    pub(crate) content_type: &'static str,
    pub(crate) extension: &'static str,
}

const IMAGES: [Media; 5] = [
    Media { content_type: "image/jpeg", extension: "jpg" },
    Media { content_type: "image/png", extension: "png" },
    Media { content_type: "image/webp", extension: "webp" },
    Media { content_type: "image/gif", extension: "gif" },
    Media { content_type: "image/avif", extension: "avif" },
];
const VIDEOS: [Media; 3] = [
    Media { content_type: "video/mp4", extension: "mp4" },
    Media { content_type: "video/webm", extension: "webm" },
    Media { content_type: "video/quicktime", extension: "mov" },
];

impl Media {
    /// Judges a content by its first [`HEAD`] bytes (or all of them). None for an error page and for everything that
    /// a browser would not show as this kind; a drawing in XML is none either, since it may carry scripts.
    pub(crate) fn of(kind: Kind, head: &[u8]) -> Option<Media> {
        if matches!(head.trim_ascii_start().first(), None | Some(b'<' | b'{')) {
            return None;
        }
        let found = infer::get(head)?.mime_type();
        let known: &[Media] = match kind {
            Kind::Image => &IMAGES,
            Kind::Video => &VIDEOS,
        };
        known.iter().find(|media| media.content_type == found).copied()
    }
}

/// The digest that stands for an asset: of its path, so that all spellings of one location mean one item.
///
/// # Errors
/// `invalid_value` at `location` when there is no path.
pub(crate) fn source(location: &str) -> Result<String> {
    let url = Url::parse(location).ok().filter(|_| location.contains("://"));
    let path = url.as_ref().map_or(location, Url::path);
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
    if path.is_empty() {
        return Err(Error::invalid("location", "the asset's location has no path"));
    }
    let mut digest = hex(&Sha256::digest(path));
    digest.truncate(SOURCE);
    Ok(digest)
}

/// The source of a file whose row was lost: our names hold it, any other name stands for itself.
pub(crate) fn source_of_name(name: &str) -> &str {
    name.split_once('.').filter(|(stem, _)| is_source(stem)).map_or(name, |(stem, _)| stem)
}

/// Whether the text looks like what [`source`] makes.
pub(crate) fn is_source(text: &str) -> bool {
    text.len() == SOURCE && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether an item may have that name: one plain path segment.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.bytes().all(plain)
}

/// A strong validator from the digest of the content.
pub(crate) fn etag(content: Sha256) -> String {
    format!("\"{}\"", hex(&content.finalize()))
}

/// The bytes asked for, of those there are.
///
/// # Errors
/// `range_not_satisfiable` when not even the first one is there.
pub(crate) fn clip(size: u64, offset: u64, length: Option<u64>) -> Result<Range<u64>> {
    if offset >= size && offset > 0 {
        return Err(not_satisfiable(offset, size));
    }
    let end = length.map_or(size, |length| offset.saturating_add(length).min(size));
    Ok(offset..end)
}

/// Which of the items, the least recently used first, have to go so that `excess` bytes become free; never `spared`.
pub(crate) fn victims<'a>(excess: u64, oldest: &'a [Item], spared: Option<&str>) -> Vec<&'a Item> {
    let mut freed = 0;
    oldest
        .iter()
        .filter(|item| Some(item.name.as_str()) != spared)
        .take_while(|item| {
            let needed = freed < excess;
            freed += item.size;
            needed
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use rstest::rstest;

    use super::*;

    fn item(name: &str, size: u64) -> Item {
        Item {
            kind: Kind::Image,
            name: name.into(),
            source: name.into(),
            content_type: String::new(),
            size,
            etag: String::new(),
            created_at: 0,
            last_used_at: 0,
            owner: String::new(),
        }
    }

    #[rstest]
    #[case(Kind::Image, b"\xff\xd8\xff\xe0\0\x10JFIF", Some("jpg"))]
    #[case(Kind::Image, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("png"))]
    #[case(Kind::Image, b"RIFF\x24\0\0\0WEBPVP8 ", Some("webp"))]
    #[case(Kind::Image, b"GIF89a\x01\0\x01\0", Some("gif"))]
    #[case(Kind::Video, b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", Some("mp4"))]
    #[case(Kind::Video, b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", Some("mov"))]
    #[case::kind(Kind::Image, b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", None)]
    #[case::kind(Kind::Video, b"\xff\xd8\xff\xe0\0\x10JFIF", None)]
    #[case::page(Kind::Image, b"<!DOCTYPE html><title>Just a moment...</title>", None)]
    #[case::page(Kind::Video, b"\n  {\"error\":\"no\"}", None)]
    #[case::drawing(Kind::Image, b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>", None)]
    #[case::text(Kind::Image, b"not found", None)]
    #[case::document(Kind::Image, b"%PDF-1.7", None)]
    #[case::empty(Kind::Image, b"", None)]
    fn content_is_judged_by_its_first_bytes(
        #[case] kind: Kind,
        #[case] head: &[u8],
        #[case] extension: Option<&str>,
    ) {
        assert_eq!(Media::of(kind, head).map(|media| media.extension), extension);
    }

    #[test]
    fn all_spellings_of_a_location_mean_one_item_and_hide_the_user() {
        let first = source("users/u-1/generated/i-1/image.jpg").unwrap();
        for other in [
            "/users/u-1/generated/i-1/image.jpg",
            "https://assets.grok.com/users/u-1/generated/i-1/image.jpg",
            "https://assets.grok.com/users/u-1/generated/i-1/image.jpg?cache=1",
        ] {
            assert_eq!(source(other).unwrap(), first);
        }
        assert!(is_source(&first));
        assert_ne!(source("users/u-1/generated/i-1-part-0/image.jpg").unwrap(), first);
    }

    #[rstest]
    #[case("")]
    #[case("/")]
    #[case("https://assets.grok.com/")]
    #[case("?a=b")]
    fn a_location_without_a_path_is_refused(#[case] location: &str) {
        assert_eq!(source(location).unwrap_err().param.as_deref(), Some("location"));
    }

    #[test]
    fn the_source_of_a_file_is_in_its_name() {
        let source = source("users/u/image.jpg").unwrap();
        assert_eq!(source_of_name(&format!("{source}.jpg")), source);
        assert_eq!(source_of_name("users-u-image.jpg"), "users-u-image.jpg");
    }

    #[rstest]
    #[case("0a.jpg", true)]
    #[case("users-u_1-generated-image.jpg", true)]
    #[case("", false)]
    #[case(".", false)]
    #[case("..", false)]
    #[case(".hidden", false)]
    #[case("a/b.jpg", false)]
    #[case("..%2fetc", false)]
    #[case("a\\b", false)]
    #[case("a b", false)]
    #[case("a.jpg#1", false)]
    #[case("例.jpg", false)]
    fn a_name_is_one_plain_segment(#[case] name: &str, #[case] good: bool) {
        assert_eq!(is_name(name), good);
    }

    #[rstest]
    #[case(10, 0, None, Some(0..10))]
    #[case(10, 3, None, Some(3..10))]
    #[case(10, 3, Some(4), Some(3..7))]
    #[case(10, 3, Some(u64::MAX), Some(3..10))]
    #[case(10, 9, Some(1), Some(9..10))]
    #[case(10, 3, Some(0), Some(3..3))]
    #[case(10, 10, None, None)]
    #[case(10, u64::MAX, Some(1), None)]
    #[case(0, 0, None, Some(0..0))]
    fn a_range_is_clipped_to_what_is_there(
        #[case] size: u64,
        #[case] offset: u64,
        #[case] length: Option<u64>,
        #[case] expected: Option<Range<u64>>,
    ) {
        assert_eq!(clip(size, offset, length).ok(), expected);
    }

    #[rstest]
    #[case(0, None, &[])]
    #[case(1, None, &["a"])]
    #[case(5, None, &["a"])]
    #[case(6, None, &["a", "b"])]
    #[case(6, Some("a"), &["b", "c"])]
    #[case(100, Some("c"), &["a", "b"])]
    fn just_enough_goes_and_the_spared_one_never(
        #[case] excess: u64,
        #[case] spared: Option<&str>,
        #[case] expected: &[&str],
    ) {
        let oldest = [item("a", 5), item("b", 5), item("c", 5)];
        let names: Vec<&str> =
            victims(excess, &oldest, spared).iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, expected);
    }

    proptest! {
        #[test]
        fn eviction_frees_enough_and_no_more(
            sizes in vec(1_u64..100, 0..20),
            excess in 1_u64..500,
            spared in 0..20_usize,
        ) {
            let named = sizes.iter().enumerate().map(|(at, size)| item(&at.to_string(), *size));
            let oldest: Vec<Item> = named.collect();
            let spared = spared.to_string();
            let gone = victims(excess, &oldest, Some(&spared));
            let freed: u64 = gone.iter().map(|item| item.size).sum();
            let candidates = oldest.iter().filter(|item| item.name != spared).count();
            prop_assert!(freed >= excess || gone.len() == candidates);
            prop_assert!(gone.last().is_none_or(|last| freed - last.size < excess));
            prop_assert!(gone.iter().all(|item| item.name != spared));
        }

        #[test]
        fn a_range_lies_within_the_content(size in 0_u64..1000, offset: u64, length: Option<u64>) {
            if let Ok(range) = clip(size, offset, length) {
                prop_assert!(range.start == offset && range.start <= range.end && range.end <= size);
            } else {
                prop_assert!(offset >= size);
            }
        }
    }
}
