//! What is kept of a body: all of it, or, when it is too long, its beginning with the base64 in it shortened.

use grok2api_proto::capture::Body;

/// Characters of base64 in a row that are no text any more, and how many of them are shown.
const RUN: usize = 256;

/// A body as it passes. Holds at most twice what is kept.
#[derive(Default)]
pub(super) struct Excerpt {
    media_type: String,
    most: usize,
    size: u64,
    /// The beginning as it is.
    whole: Vec<u8>,
    /// The beginning with the base64 shortened.
    short: Vec<u8>,
    /// How many characters of base64 came in a row.
    run: u64,
}

impl Excerpt {
    pub(super) fn new(media_type: String, most: usize) -> Self {
        Self { media_type, most, ..Self::default() }
    }

    pub(super) fn of_type(&mut self, media_type: String) {
        self.media_type = media_type;
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.size += data.len() as u64;
        let room = self.most.saturating_sub(self.whole.len()).min(data.len());
        self.whole.extend_from_slice(&data[..room]);
        for &byte in data {
            if self.short.len() >= self.most {
                return;
            }
            self.shorten(byte);
        }
    }

    fn shorten(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte) {
            self.run += 1;
            if self.run <= RUN as u64 {
                self.short.push(byte);
            }
            return;
        }
        self.end_run();
        self.short.push(byte);
    }

    fn end_run(&mut self) {
        let left_out = std::mem::take(&mut self.run).saturating_sub(RUN as u64);
        if left_out > 0 {
            self.short.extend_from_slice(format!("…({left_out} more)").as_bytes());
        }
    }
}

impl From<Excerpt> for Body {
    fn from(mut excerpt: Excerpt) -> Self {
        let data = if excerpt.size as usize == excerpt.whole.len() {
            excerpt.whole
        } else {
            excerpt.end_run();
            excerpt.short.truncate(excerpt.most);
            excerpt.short
        };
        Self { media_type: excerpt.media_type, data: data.into(), size: excerpt.size }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn kept(pieces: &[&[u8]], most: usize) -> (String, u64) {
        let mut excerpt = Excerpt::new("text/plain".into(), most);
        pieces.iter().for_each(|piece| excerpt.push(piece));
        let Body { media_type, data, size } = excerpt.into();
        assert_eq!(media_type, "text/plain");
        (String::from_utf8_lossy(&data).into_owned(), size)
    }

    #[rstest]
    #[case::nothing(&[], "", 0)]
    #[case::pieces(&["ab", "", "cd"], "abcd", 4)]
    #[case::all_that_fits(&[&*"a".repeat(600)], &"a".repeat(600), 600)]
    fn a_short_body_is_kept_as_it_is(#[case] pieces: &[&str], #[case] expected: &str, #[case] size: u64) {
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        assert_eq!(kept(&pieces, 600), (expected.to_owned(), size));
    }

    #[test]
    fn base64_is_shortened_before_anything_is_cut() {
        let image = [b'A'; 5000];
        let pieces: [&[u8]; 4] =
            [b"{\"image\":\"data:image/png;base64,", &image, &image, b"==\",\"text\":\"hello there\"}"];
        let (text, size) = kept(&pieces, 600);
        let shown = "A".repeat(RUN);
        assert_eq!(
            text,
            format!("{{\"image\":\"data:image/png;base64,{shown}…(9746 more)\",\"text\":\"hello there\"}}")
        );
        assert_eq!(size, 10_057);
    }

    #[test]
    fn what_is_too_long_all_the_same_is_cut() {
        let words = "word ".repeat(1000);
        assert_eq!(kept(&[words.as_bytes()], 600), (words[..600].to_owned(), 5000));
        let (text, size) = kept(&[&[b'A'; 4000]], 600);
        assert_eq!((text, size), (format!("{}…(3744 more)", "A".repeat(RUN)), 4000));
    }
}
