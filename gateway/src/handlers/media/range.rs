//! `Range` and `If-Range` for a single range of bytes; anything else is answered whole, as RFC 9110 allows.

use axum::http::{HeaderMap, header};
use grok2api_proto::media::Item;

/// What a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Whole,
    /// In bytes; `length` is not 0.
    Part {
        offset: u64,
        length: u64,
    },
    /// Behind the end.
    Unsatisfiable,
}

pub(super) fn asked(headers: &HeaderMap, item: &Item) -> Range {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // We give no dates, so a date never matches.
    if text(header::IF_RANGE).is_some_and(|tag| tag != item.etag) {
        return Range::Whole;
    }
    text(header::RANGE).map_or(Range::Whole, |range| parse(range, item.size))
}

fn parse(range: &str, size: u64) -> Range {
    let ends = range.trim().strip_prefix("bytes=").and_then(|spec| spec.trim().split_once('-'));
    let Some((first, last)) = ends else { return Range::Whole };
    match (number(first), number(last)) {
        (Ok(None), Ok(Some(suffix))) => part(size.saturating_sub(suffix), size, size),
        (Ok(Some(first)), Ok(None)) => part(first, size, size),
        (Ok(Some(first)), Ok(Some(last))) if first <= last => part(first, last.saturating_add(1), size),
        _ => Range::Whole,
    }
}

/// From `start` to before `end`.
fn part(start: u64, end: u64, size: u64) -> Range {
    let end = end.min(size);
    if start < end { Range::Part { offset: start, length: end - start } } else { Range::Unsatisfiable }
}

/// Nothing is `None`; digits are a number, too many of them a very large one.
fn number(text: &str) -> Result<Option<u64>, ()> {
    match text {
        "" => Ok(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("bytes=0-0", Range::Part { offset: 0, length: 1 })]
    #[case("bytes=0-99", Range::Part { offset: 0, length: 10 })]
    #[case("bytes=4-", Range::Part { offset: 4, length: 6 })]
    #[case("bytes=-3", Range::Part { offset: 7, length: 3 })]
    #[case("bytes=-30", Range::Part { offset: 0, length: 10 })]
    #[case("bytes=9-9", Range::Part { offset: 9, length: 1 })]
    #[case("bytes=10-", Range::Unsatisfiable)]
    #[case("bytes=-0", Range::Unsatisfiable)]
    #[case("bytes=99999999999999999999999-", Range::Unsatisfiable)]
    #[case("bytes=5-2", Range::Whole)]
    #[case("bytes=0-1,4-5", Range::Whole)]
    #[case("bytes=-", Range::Whole)]
    #[case("bytes=a-b", Range::Whole)]
    #[case("lines=1-2", Range::Whole)]
    fn one_range_of_ten_bytes(#[case] asked: &str, #[case] expected: Range) {
        assert_eq!(parse(asked, 10), expected);
    }

    #[test]
    fn an_empty_file_has_no_parts() {
        assert_eq!(parse("bytes=0-", 0), Range::Unsatisfiable);
    }
}
