use grok2api_proto::{Kind as ErrorKind, chat::End};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::Value;

use super::*;
use crate::openai::{
    present::Thinking,
    samples::{self, end, events, header, image, late, reasoning, started, text, usage},
};

fn encode(events: Vec<ChatEvent>, head: &Head, presentation: Presentation) -> String {
    let (mut encoder, mut out) = (Encoder::new(head, 0, presentation), BytesMut::new());
    encoder.batch(&ChatBatch { events }, &mut out);
    let usage = *encoder.usage();
    encoder.close(&usage, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn shown(thinking: Thinking, search_in_thinking: bool) -> Presentation {
    Presentation { search_in_thinking, ..samples::shown(thinking) }
}

/// The chunks without framing; `[DONE]` checked and left out.
fn chunks(stream: &str) -> Vec<Value> {
    let frames: Vec<&str> = stream.split_terminator("\n\n").collect();
    let (done, chunks) = frames.split_last().unwrap();
    assert_eq!(*done, "data: [DONE]");
    chunks.iter().map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

/// What a client puts together.
fn joined(stream: &str, key: &str) -> String {
    chunks(stream)
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"][key].as_str().map(str::to_owned))
        .collect()
}

#[rstest]
#[case::reasoning_content("research_reasoning_content", Thinking::ReasoningContent)]
#[case::think("research_think", Thinking::Think)]
#[case::off("research_off", Thinking::Off)]
fn a_turn_with_every_kind_of_event(#[case] name: &str, #[case] thinking: Thinking) {
    insta::assert_snapshot!(name, encode(samples::research(), &samples::head(false), shown(thinking, false)));
}

#[rstest]
#[case::reasoning_content("search_reasoning_content", Thinking::ReasoningContent)]
#[case::think("search_think", Thinking::Think)]
#[case::off("search_off", Thinking::Off)]
fn search_results_inside_the_reasoning(#[case] name: &str, #[case] thinking: Thinking) {
    let events = events([started(), reasoning("a"), samples::sources(true, &[1, 2]), text("b"), end()]);
    insta::assert_snapshot!(name, encode(events, &samples::head(false), shown(thinking, true)));
}

#[rstest]
#[case::reasoning_content("film_reasoning_content", Thinking::ReasoningContent)]
#[case::think("film_think", Thinking::Think)]
#[case::off("film_off", Thinking::Off)]
fn a_video_with_its_progress(#[case] name: &str, #[case] thinking: Thinking) {
    insta::assert_snapshot!(name, encode(samples::film(), &samples::head(false), shown(thinking, false)));
}

#[test]
fn usage_has_a_chunk_of_its_own_and_is_null_before() {
    let events = events([started(), text("Hi"), usage(), end()]);
    insta::assert_snapshot!("include_usage", encode(events, &samples::head(true), Presentation::default()));
}

#[test]
fn a_refused_answer_ends_with_content_filter() {
    let filtered = Kind::End(End { finish: Finish::ContentFilter.into() });
    let stream =
        encode(events([started(), text("I"), filtered]), &samples::head(false), Presentation::default());
    insta::assert_snapshot!("content_filter", stream);
}

#[test]
fn a_failure_is_in_band_and_nothing_finishes() {
    let (mut encoder, mut out) =
        (Encoder::new(&samples::head(true), 0, Presentation::default()), BytesMut::new());
    encoder.batch(&ChatBatch { events: events([started(), text("Hal")]) }, &mut out);
    encoder.abandon(&mut out);
    failure(&Error::new(ErrorKind::Upstream, "upstream_stream_interrupted", "the upstream left"), &mut out);
    encoder.batch(&ChatBatch { events: events([text("more"), end()]) }, &mut out);
    insta::assert_snapshot!("failure", String::from_utf8(out.to_vec()).unwrap());
}

#[test]
fn an_image_inside_the_content() {
    let presentation = Presentation { inline_images: true, ..shown(Thinking::Think, false) };
    let (mut encoder, mut out) = (Encoder::new(&samples::head(false), 0, presentation), BytesMut::new());
    let events = events([started(), reasoning("I draw."), image("a.jpg"), text("Done."), end()]);
    let (taken, media) = encoder.until_image(&events, &mut out).unwrap();
    encoder.image_start(media, &mut out);
    encoder.insert("AAAA", &mut out);
    encoder.insert("BBBB", &mut out);
    encoder.image_end(&mut out);
    assert!(encoder.until_image(&events[taken..], &mut out).is_none());
    encoder.close(&Usage::default(), &mut out);
    insta::assert_snapshot!("inline_image", String::from_utf8(out.to_vec()).unwrap());
}

#[rstest]
#[case::closed_by_text(vec![reasoning("a"), text("b")], "<think>\na\n</think>\nb")]
#[case::closed_at_the_end(vec![reasoning("a")], "<think>\na\n</think>\n")]
#[case::closed_before_an_image(vec![reasoning("a"), image("i")], "<think>\na\n</think>\n\n![Generated Image](https://g.example/images/i)\n")]
#[case::header(vec![header("h"), reasoning("a"), text("b")], "<think>\n\n\nh\n\na\n</think>\nb")]
#[case::never_opened(vec![text("b")], "b")]
#[case::late_is_left_out(vec![reasoning("a"), text("b"), late("c"), text("d")], "<think>\na\n</think>\nbd")]
#[case::never_a_second_block(vec![text("b"), reasoning("c"), text("d")], "bd")]
fn the_think_block_opens_once_and_is_always_closed(#[case] kinds: Vec<Kind>, #[case] content: &str) {
    let kinds = kinds.into_iter().chain([end()]);
    let stream = encode(events(kinds), &samples::head(false), shown(Thinking::Think, false));
    assert_eq!(joined(&stream, "content"), content);
}

#[test]
fn a_think_block_is_closed_before_a_failure_too() {
    let mut encoder = Encoder::new(&samples::head(false), 0, shown(Thinking::Think, false));
    let mut out = BytesMut::new();
    encoder.batch(&ChatBatch { events: events([reasoning("hm")]) }, &mut out);
    encoder.abandon(&mut out);
    failure(&Error::internal("gone"), &mut out);
    let stream = String::from_utf8(out.to_vec()).unwrap();
    let shown: String = stream.matches("\\n</think>\\n").collect();
    assert_eq!(shown, "\\n</think>\\n", "{stream}");
    assert!(stream.find("</think>") < stream.find("\"error\""), "{stream}");
}

#[rstest]
#[case(Thinking::ReasoningContent)]
#[case(Thinking::Think)]
#[case(Thinking::Off)]
fn annotations_point_at_their_citation_in_the_content_as_seen(#[case] thinking: Thinking) {
    let stream = encode(samples::research(), &samples::head(false), shown(thinking, true));
    let content: Vec<char> = joined(&stream, "content").chars().collect();
    let citations: Vec<(String, String)> = chunks(&stream)
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["annotations"].as_array().cloned())
        .flatten()
        .map(|annotation| {
            let citation = &annotation["url_citation"];
            let index = |key: &str| usize::try_from(citation[key].as_u64().unwrap()).unwrap();
            let cited = content[index("start_index")..index("end_index")].iter().collect();
            (citation["url"].as_str().unwrap().to_owned(), cited)
        })
        .collect();
    let expected = |n: u32| (format!("https://example.com/{n}"), format!("[[{n}]](https://example.com/{n})"));
    assert_eq!(citations, [expected(1), expected(2)]);
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        ".{0,8}".prop_map(|words| text(&words)),
        ".{0,8}".prop_map(|words| reasoning(&words)),
        ".{0,8}".prop_map(|words| header(&words)),
        ".{0,8}".prop_map(|words| late(&words)),
        Just(image("i.jpg")),
        Just(samples::video("v.mp4")),
        (0u32..120).prop_map(samples::progress),
        Just(samples::sources(true, &[1, 2])),
        (0u32..9, 0u32..9).prop_map(|(start, length)| samples::citation(1, start, start + length)),
        Just(started()),
        Just(usage()),
    ]
}

fn any_thinking() -> impl Strategy<Value = Thinking> {
    prop_oneof![Just(Thinking::ReasoningContent), Just(Thinking::Think), Just(Thinking::Off)]
}

proptest! {
    /// Rules 1, 2, 5 and 20 of the protocol reference's section 9.1, for any order of events.
    #[test]
    fn every_stream_keeps_the_rules(
        kinds in prop::collection::vec(any_kind(), 0..12), thinking in any_thinking(), include_usage: bool, search: bool,
    ) {
        let kinds = kinds.into_iter().chain([end()]);
        let stream = encode(events(kinds), &samples::head(include_usage), shown(thinking, search));
        let chunks = chunks(&stream);
        let with_choice: Vec<&Value> = chunks.iter().filter(|chunk| chunk["choices"] != Value::Array(vec![])).collect();
        prop_assert_eq!(chunks.len() - with_choice.len(), usize::from(include_usage));
        for chunk in &chunks {
            prop_assert_eq!(&chunk["id"], "chatcmpl-00000000000000000000000000000000");
            prop_assert_eq!(&chunk["object"], "chat.completion.chunk");
            prop_assert!(chunk["created"].is_u64());
        }
        let (last, before) = with_choice.split_last().unwrap();
        for (at, chunk) in before.iter().enumerate() {
            prop_assert_eq!(&chunk["choices"][0]["index"], 0);
            prop_assert!(chunk["choices"][0]["finish_reason"].is_null());
            prop_assert_eq!(chunk["choices"][0]["delta"].get("role").is_some(), at == 0);
            prop_assert_eq!(chunk.get("usage").is_some(), include_usage);
        }
        prop_assert_eq!(&last["choices"][0]["finish_reason"], "stop");
        prop_assert_eq!(&last["choices"][0]["delta"], &serde_json::json!({}));
        let content = joined(&stream, "content");
        if thinking == Thinking::Think {
            prop_assert!(content.matches("</think>").count() <= 1);
        } else {
            prop_assert!(!content.contains("<think>\n"));
        }
        if thinking != Thinking::ReasoningContent {
            prop_assert_eq!(joined(&stream, "reasoning_content"), "");
        }
    }
}

fn calling() -> Vec<ChatEvent> {
    let call = |id: &str, arguments: &str| {
        Kind::FunctionCall(FunctionCall { id: id.into(), name: "f".into(), arguments: arguments.into() })
    };
    let end = Kind::End(End { finish: Finish::ToolCalls.into() });
    events([started(), call("call_1", "{\"a\":1}"), call("call_2", "{}"), usage(), end])
}

#[test]
fn calls_come_with_their_name_first() {
    let told = chunks(&encode(calling(), &samples::head(false), Presentation::default()));
    let deltas: Vec<&Value> = told.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    let named = |index: u32, id: &str| {
        let function = serde_json::json!({"name": "f", "arguments": ""});
        serde_json::json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})
    };
    assert_eq!(*deltas[1], named(0, "call_1"));
    let rest = serde_json::json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":1}"}}]});
    assert_eq!(*deltas[2], rest);
    assert_eq!(*deltas[3], named(1, "call_2"));
    assert_eq!(told.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_call_of_old_has_no_index() {
    let presentation = Presentation { legacy_calls: true, ..Presentation::default() };
    let told = chunks(&encode(calling(), &samples::head(false), presentation));
    let begun = serde_json::json!({"function_call": {"name": "f", "arguments": ""}});
    assert_eq!(told[1]["choices"][0]["delta"], begun);
    assert_eq!(told.last().unwrap()["choices"][0]["finish_reason"], "function_call");
}
