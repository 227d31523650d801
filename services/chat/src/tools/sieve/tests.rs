use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// Writes what comes out: calls as `{…}` with their body, what lay around them as `~`.
#[derive(Default)]
struct Written {
    shown: String,
    /// Everything, to the letter.
    all: String,
    calls: usize,
}

impl Sink for Written {
    fn text(&mut self, text: &str) {
        self.shown.push_str(text);
        self.all.push_str(text);
    }

    fn dropped(&mut self, text: &str) {
        self.shown.push('~');
        self.all.push_str(text);
    }

    /// A call is what names `f`.
    fn frame(&mut self, frame: Frame<'_>) -> bool {
        let is_call = frame.body.contains("\"f\"");
        if is_call {
            self.shown.push_str(&format!("«{}»", frame.body));
            self.all.push_str(frame.whole);
            self.calls += 1;
        }
        is_call
    }
}

fn sift(pieces: &[&str], cut: bool) -> Written {
    let (mut sieve, mut written) = (Sieve::default(), Written::default());
    for piece in pieces {
        sieve.push(piece, &mut written);
    }
    sieve.finish(cut, &mut written);
    written
}

#[rstest]
#[case::none("a < b, `code` and ```\nmore\n```", "a < b, `code` and ```\nmore\n```")]
#[case::one(r#"Hi <tool_call>{"name":"f"}</tool_call>"#, r#"Hi «{"name":"f"}»"#)]
#[case::prose_around("A\n<tool_call>{\"name\":\"f\"}</tool_call>\n\nB", "A\n«{\"name\":\"f\"}»\n\nB")]
#[case::two(
    "<tool_call>{\"name\":\"f\"}</tool_call>\n<tool_call>{\"name\":\"f\",\"n\":2}</tool_call>\n",
    "«{\"name\":\"f\"}»~«{\"name\":\"f\",\"n\":2}»~"
)]
#[case::two_in_one(
    "<tool_call>{\"name\":\"f\"}\n{\"name\":\"f\"}</tool_call>",
    "«{\"name\":\"f\"}\n{\"name\":\"f\"}»"
)]
#[case::list(
    "<tool_call>[{\"name\":\"f\"}, {\"name\":\"g\"}]</tool_call>",
    "«[{\"name\":\"f\"}, {\"name\":\"g\"}]»"
)]
#[case::tag_inside(
    r#"<tool_call>{"name":"f","a":"</tool_call><tool_call>}"}</tool_call>."#,
    r#"«{"name":"f","a":"</tool_call><tool_call>}"}»."#
)]
#[case::escapes(
    r#"<tool_call>{"name":"f","a":"\"}</tool_call>\\"}</tool_call>"#,
    r#"«{"name":"f","a":"\"}</tool_call>\\"}»"#
)]
#[case::fenced(
    "```json\n<tool_call>\n{\"name\":\"f\"}\n</tool_call>\n```\nDone",
    "«{\"name\":\"f\"}»~\nDone"
)]
#[case::fence_inside("<tool_call>\n```json\n{\"name\":\"f\"}\n```\n</tool_call>", "«{\"name\":\"f\"}»")]
#[case::no_closing_tag("<tool_call>{\"name\":\"f\"}", "«{\"name\":\"f\"}»")]
#[case::no_closing_tag_and_text("<tool_call>{\"name\":\"f\"}\nSo it is.", "«{\"name\":\"f\"}»\nSo it is.")]
#[case::no_closing_tag_and_another(
    "<tool_call>{\"name\":\"f\"}<tool_call>{\"name\":\"f\"}</tool_call>",
    "«{\"name\":\"f\"}»«{\"name\":\"f\"}»"
)]
#[case::braces_missing(
    "<tool_call>{\"name\":\"f\",\"a\":{\"b\":1</tool_call>x",
    "«{\"name\":\"f\",\"a\":{\"b\":1»x"
)]
#[case::braces_too_many("<tool_call>{\"name\":\"f\"}}</tool_call>x", "«{\"name\":\"f\"}»x")]
#[case::half_a_closing_tag("<tool_call>{\"name\":\"f\"}</tool_", "«{\"name\":\"f\"}»")]
#[case::quote_never_closed(
    "<tool_call>{\"name\":\"f\",\"a\":\"x}</tool_call> and",
    "«{\"name\":\"f\",\"a\":\"x}» and"
)]
#[case::a_stranger("<tool_call>{\"name\":\"g\"}</tool_call>", "<tool_call>{\"name\":\"g\"}</tool_call>")]
#[case::about_it(
    "Write <tool_call> and </tool_call>. <tool_cal",
    "Write <tool_call> and </tool_call>. <tool_cal"
)]
#[case::not_json("<tool_call>f(x)</tool_call>", "<tool_call>f(x)</tool_call>")]
#[case::a_call_behind_a_mention(
    "Use <tool_call>: <tool_call>{\"name\":\"f\"}</tool_call>",
    "Use <tool_call>: «{\"name\":\"f\"}»"
)]
#[case::html("<b>x</b> <tool> <table>", "<b>x</b> <tool> <table>")]
#[case::code_that_is_none("```rust\nfn f() -> Vec<T> {}\n```", "```rust\nfn f() -> Vec<T> {}\n```")]
#[case::more_backticks_than_a_fence_has(
    "````````````````````\n<tool_call>{\"name\":\"f\"}</tool_call>",
    "````«{\"name\":\"f\"}»"
)]
#[case::wide(
    "月<tool_call>{\"name\":\"f\",\"a\":\"🌕\"}</tool_call>光",
    "月«{\"name\":\"f\",\"a\":\"🌕\"}»光"
)]
fn calls_go_and_text_stays(#[case] text: &str, #[case] expected: &str) {
    let written = sift(&[text], false);
    assert_eq!(written.shown, expected);
    assert_eq!(written.all, text, "nothing is lost");
    let letters: Vec<String> = text.chars().map(String::from).collect();
    let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
    let slowly = sift(&letters, false);
    assert_eq!((slowly.all.as_str(), slowly.calls), (text, written.calls), "letter by letter");
    assert_eq!(slowly.shown.replace('~', ""), expected.replace('~', ""), "letter by letter");
}

#[rstest]
#[case("text <tool_c", "text ~")]
#[case("text <tool_call>{\"name\":\"f\",\"a\":\"lo", "text ~")]
#[case("text <", "text <")]
#[case("<tool_call>{\"name\":\"f\"}", "«{\"name\":\"f\"}»")]
#[case("```\nfn", "```\nfn")]
fn markup_that_was_cut_is_not_shown(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(sift(&[text], true).shown, expected);
}

#[test]
fn long_arguments_are_read_once() {
    let text = format!("<tool_call>{{\"name\":\"f\",\"a\":\"{}\"}}</tool_call>", "x\\n".repeat(200_000));
    let pieces: Vec<&str> =
        text.as_bytes().chunks(4).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    assert_eq!(sift(&pieces, false).calls, 1);
}

const PIECES: [&str; 24] = [
    "<tool_call>",
    "</tool_call>",
    "{\"name\":\"f\"}",
    "{\"name\": \"f\", \"arguments\": {\"x\": [1, 2]}}",
    "{\"name\":\"g\"}",
    "```",
    "```json\n",
    "\n",
    " ",
    "text",
    "月光",
    "<",
    "`",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    "<tool_",
    "{\"a\": \"</tool_call>\"",
    "'",
    "🌕",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// A thousand outputs, each cut in random places: what is shown and what is called is the same, and no byte is lost.
    #[test]
    fn cuts_change_nothing(
        script in prop::collection::vec(0..PIECES.len(), 0..14), cuts in prop::collection::vec(0usize..400, 0..12),
        cut in any::<bool>(),
    ) {
        let text: String = script.into_iter().map(|at| PIECES[at]).collect();
        let mut at: Vec<usize> =
            cuts.into_iter().map(|cut| cut % (text.len() + 1)).filter(|&cut| text.is_char_boundary(cut)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let pieces: Vec<&str> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        let (whole, split) = (sift(&[&text], cut), sift(&pieces, cut));
        prop_assert_eq!(&whole.all, &text);
        prop_assert_eq!(&split.all, &text);
        prop_assert_eq!(split.calls, whole.calls);
        prop_assert_eq!(split.shown.replace('~', ""), whole.shown.replace('~', ""));
    }

    #[test]
    fn text_without_tags_passes_whole(text in "[a-z<>`/ \"={}\n]{0,60}") {
        prop_assert_eq!(sift(&[&text], false).shown, text);
    }
}
