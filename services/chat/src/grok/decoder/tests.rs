//! Golden tests: every sample of section 3 of the protocol reference, in every framing, cut anywhere; and the
//! quirks of sections 9.1 to 9.3.

use std::fmt::Write as _;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const SAMPLES: [(&str, &str, bool); 14] = [
    ("text_e1", include_str!("golden/text_e1.ndjson"), false),
    ("text_e3", include_str!("golden/text_e3.ndjson"), false),
    ("reasoning", include_str!("golden/reasoning.ndjson"), false),
    ("search", include_str!("golden/search.ndjson"), false),
    ("citation", include_str!("golden/citation.ndjson"), false),
    ("images_e1", include_str!("golden/images_e1.ndjson"), false),
    ("image_card_e3", include_str!("golden/image_card_e3.ndjson"), false),
    ("image_limit", include_str!("golden/image_limit.ndjson"), false),
    ("model_response", include_str!("golden/model_response.ndjson"), false),
    ("video", include_str!("golden/video.ndjson"), true),
    ("error_anti_bot", include_str!("golden/error_anti_bot.ndjson"), false),
    ("error_rate_limit", include_str!("golden/error_rate_limit.ndjson"), false),
    ("error_usage_limit", include_str!("golden/error_usage_limit.ndjson"), false),
    ("error_stream_errors", include_str!("golden/error_stream_errors.ndjson"), false),
];
const FILTERED: [&str; 3] = ["xaiartifact", "xai:tool_usage_card", "grok:render"];

fn options(filtered: &[&str], video: bool) -> Options {
    let filtered_tags = filtered.iter().map(|tag| (*tag).to_owned()).collect();
    Options { filtered_tags, video, prompt_chars: 10, ..Options::default() }
}

/// All outputs of a stream given as reads, one a line, text of different reads joined.
fn decode(reads: &[&[u8]], options: &Options) -> String {
    let mut decoder = Decoder::new(options);
    let mut outputs = Vec::new();
    let mut result = Ok(());
    for read in reads {
        result = decoder.feed(read, &mut outputs);
        if result.is_err() {
            break;
        }
    }
    if result.is_ok() {
        result = decoder.finish(&mut outputs);
    }
    let mut told = tell(&outputs);
    if let Err(failure) = result {
        let Failure { error, outcome, retry, charged, .. } = failure;
        let _ = writeln!(told, "failure {error} → {outcome:?} retry={retry} charged={charged}");
    }
    told
}

fn tell(outputs: &[Output]) -> String {
    let mut joined: Vec<Output> = Vec::new();
    for output in outputs.iter().cloned() {
        let kinds = (joined.last_mut().and_then(event_mut), event(&output));
        match kinds {
            (Some(Event::Text(open)), Some(Event::Text(more))) => open.text.push_str(&more.text),
            (Some(Event::Reasoning(open)), Some(Event::Reasoning(more)))
                if !open.header && !more.header && open.late == more.late =>
            {
                open.text.push_str(&more.text);
            }
            _ => joined.push(output),
        }
    }
    joined.iter().fold(String::new(), |mut told, output| {
        let _ = match output {
            Output::Event(event) => writeln!(told, "{:?}", event.kind.as_ref().unwrap()),
            Output::Preview { location, .. } => writeln!(told, "preview {location}"),
            Output::Image(location) => writeln!(told, "image {location}"),
            Output::Video(location) => writeln!(told, "video {location}"),
        };
        told
    })
}

fn event(output: &Output) -> Option<&Event> {
    match output {
        Output::Event(event) => event.kind.as_ref(),
        _ => None,
    }
}

fn event_mut(output: &mut Output) -> Option<&mut Event> {
    match output {
        Output::Event(event) => event.kind.as_mut(),
        _ => None,
    }
}

fn answer(lines: &str, filtered: &[&str]) -> String {
    let mut decoder = Decoder::new(&options(filtered, false));
    let mut outputs = Vec::new();
    decoder.feed(lines.as_bytes(), &mut outputs).unwrap();
    decoder.finish(&mut outputs).unwrap();
    let texts = outputs.iter().filter_map(event).filter_map(|event| match event {
        Event::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn line(response: &serde_json::Value) -> String {
    format!("{}\n", serde_json::json!({"result": {"response": response}}))
}

fn token(text: &str) -> String {
    line(&serde_json::json!({"token": text, "isThinking": false}))
}

#[test]
fn every_sample_of_the_reference() {
    for (name, sample, video) in SAMPLES {
        insta::assert_snapshot!(name, decode(&[sample.as_bytes()], &options(&FILTERED, video)));
    }
}

#[test]
fn citations_are_links_when_the_render_tag_is_not_filtered() {
    let sample = include_str!("golden/citation.ndjson");
    insta::assert_snapshot!("citation_inline", decode(&[sample.as_bytes()], &options(&[], false)));
}

#[test]
fn framing_does_not_matter() {
    for (name, sample, video) in SAMPLES {
        let options = options(&FILTERED, video);
        let lines: Vec<&str> = sample.lines().filter(|line| !line.is_empty()).collect();
        let plain = decode(&[sample.as_bytes()], &options);
        let sse = format!(
            "event: message\n{}data: [DONE]\n\n",
            lines.iter().map(|line| format!("data: {line}\n\n")).collect::<String>()
        );
        assert_eq!(decode(&[sse.as_bytes()], &options), plain, "{name} as SSE");
        assert_eq!(decode(&[lines.concat().as_bytes()], &options), plain, "{name} concatenated");
        let spread = lines.join("\r\n  \n\t\r\n");
        assert_eq!(decode(&[spread.as_bytes()], &options), plain, "{name} with blank lines");
    }
}

proptest! {
    #[test]
    fn cuts_do_not_matter(index in 0..SAMPLES.len(), cuts in proptest::collection::vec(any::<usize>(), 0..30)) {
        let (_, sample, video) = SAMPLES[index];
        let options = options(&FILTERED, video);
        let mut at: Vec<usize> = cuts.into_iter().map(|cut| cut % sample.len()).chain([0, sample.len()]).collect();
        at.sort_unstable();
        let reads: Vec<&[u8]> = at.windows(2).map(|pair| &sample.as_bytes()[pair[0]..pair[1]]).collect();
        prop_assert_eq!(decode(&reads, &options), decode(&[sample.as_bytes()], &options));
    }

    #[test]
    fn arbitrary_lines_never_panic(lines in proptest::collection::vec(".{0,80}", 0..8)) {
        let text = lines.join("\n");
        decode(&[text.as_bytes()], &options(&FILTERED, false));
    }

    #[test]
    fn unexpected_shapes_never_panic_and_never_cost_the_answer(junk in "[\\[\\]{}\":,a-z0-9]{0,30}", field in 0usize..8) {
        let names = ["webSearchResults", "cardAttachment", "toolUsageCard", "modelResponse", "streamingImageGenerationResponse", "streamingVideoGenerationResponse", "llmInfo", "messageStepId"];
        let value = serde_json::from_str::<serde_json::Value>(&junk).unwrap_or(serde_json::Value::String(junk));
        let odd = line(&serde_json::json!({names[field]: value}));
        let told = decode(&[token("Hi").as_bytes(), odd.as_bytes()], &options(&FILTERED, false));
        prop_assert!(told.contains("Hi"));
    }
}

#[rstest]
#[case::split_over_tokens(&["a<gro", "k:render x=\"1\"><arg", ">0</argument></grok:ren", "der>b"], "ab")]
#[case::text_beside_a_tag_stays(&["before <grok:render x=\"1\"/> after"], "before  after")]
#[case::artifact_content_stays(&["<xaiArtifact id=\"1\">", "fn main() {}", "</xaiArtifact>"], "fn main() {}")]
#[case::line_feeds_once(&["a\nb\\n"], "a\nb\\n")]
#[case::leading_blank_tokens(&[" ", "\n", "a", " ", "b"], "a b")]
fn markup_is_filtered_and_text_is_kept(#[case] tokens: &[&str], #[case] expected: &str) {
    let lines: String = tokens.iter().map(|text| token(text)).collect();
    assert_eq!(answer(&lines, &FILTERED), expected);
}

#[test]
fn an_empty_filter_filters_nothing() {
    assert_eq!(answer(&token("a <xaiartifact>b</xaiartifact>"), &[]), "a <xaiartifact>b</xaiartifact>");
}

#[rstest]
#[case::same("Hi there", "Hi there")]
#[case::longer("Hi there, friend", "Hi there, friend")]
#[case::shorter("Hi", "Hi there")]
#[case::different("Bye", "Hi there")]
fn the_finished_message_adds_only_what_is_missing(#[case] message: &str, #[case] expected: &str) {
    let lines = format!(
        "{}{}{}",
        token("Hi"),
        token(" there"),
        line(&serde_json::json!({"modelResponse": {"message": message}}))
    );
    assert_eq!(answer(&lines, &FILTERED), expected);
}

#[test]
fn the_finished_message_alone_is_the_answer() {
    let lines =
        line(&serde_json::json!({"modelResponse": {"message": "whole <grok:render x=\"1\"/>answer"}}));
    assert_eq!(answer(&lines, &FILTERED), "whole answer");
}

#[test]
fn late_thoughts_are_marked_and_blank_tokens_change_nothing() {
    let thought = |text: &str| line(&serde_json::json!({"token": text, "isThinking": true}));
    let lines =
        [thought("one"), token("\n"), thought("two"), token("answer"), thought("three"), token(" goes on")];
    let told = decode(&[lines.concat().as_bytes()], &options(&FILTERED, false));
    insta::assert_snapshot!("late_thoughts", told);
}

#[test]
fn steps_of_a_plan_are_thoughts_and_token_lists_are_skipped() {
    let lines = [
        line(&serde_json::json!({"token": "plan", "isThinking": false, "messageStepId": 1})),
        line(&serde_json::json!({"token": ["a", "b"]})),
        line(&serde_json::json!({"token": "answer", "messageTag": "final", "messageStepId": 2})),
        line(&serde_json::json!({"token": "raw", "isThinking": true, "messageTag": "raw_function_result"})),
    ];
    insta::assert_snapshot!("steps", decode(&[lines.concat().as_bytes()], &options(&FILTERED, false)));
}

#[test]
fn a_bad_line_in_the_middle_costs_itself_only() {
    let lines = format!(
        "{}{{\"result\": oops}}\nnot json\n{{\"result\":{{\"response\":{{\"token\":\"cut\n{}",
        token("a"),
        token("b")
    );
    assert_eq!(answer(&lines, &FILTERED), "ab");
}

#[rstest]
#[case::empty("", "upstream_stream_empty")]
#[case::blank("  \n\n", "upstream_stream_empty")]
#[case::conversation_only(
    "{\"result\":{\"conversation\":{\"conversationId\":\"c\"}}}\n",
    "upstream_stream_empty"
)]
#[case::thoughts_only(
    "{\"result\":{\"response\":{\"token\":\"hm\",\"isThinking\":true}}}\n",
    "upstream_stream_empty"
)]
#[case::truncated(
    "{\"result\":{\"response\":{\"token\":\"a\"}}}\n{\"result\":{\"resp",
    "upstream_stream_truncated"
)]
#[case::preview_only(
    "{\"result\":{\"response\":{\"streamingImageGenerationResponse\":{\"imageUrl\":\"users/u/i-part-0/image.jpg\",\"progress\":50}}}}\n",
    "upstream_image_incomplete"
)]
#[case::moderated(
    "{\"result\":{\"response\":{\"streamingImageGenerationResponse\":{\"imageUrl\":\"users/u/i/image.jpg\",\"progress\":100,\"moderated\":true}}}}\n",
    "content_moderated"
)]
#[case::message_error(
    "{\"result\":{\"response\":{\"modelResponse\":{\"error\":\"boom\"}}}}\n",
    "upstream_error"
)]
fn what_is_no_answer_is_a_failure(#[case] lines: &str, #[case] code: &str) {
    let told = decode(&[lines.as_bytes()], &options(&FILTERED, false));
    assert!(told.contains(&format!("failure {code}")), "{told}");
    assert!(!told.contains("End("), "{told}");
}

#[test]
fn a_moderated_image_beside_text_ends_as_filtered() {
    let image = serde_json::json!({"streamingImageGenerationResponse": {"imageUrl": "users/u/i/image.jpg", "progress": 100, "moderated": true}});
    let lines = format!("{}{}", token("I drew"), line(&image));
    assert!(decode(&[lines.as_bytes()], &options(&FILTERED, false)).contains("ContentFilter"));
}

#[test]
fn a_video_that_never_comes_is_a_failure() {
    let told = decode(&[token("I generated a video").as_bytes()], &options(&FILTERED, true));
    assert!(told.contains("upstream_video_missing"), "{told}");
}

#[test]
fn citation_offsets_count_characters() {
    let card =
        serde_json::json!({"cardAttachment": {"jsonData": "{\"id\":\"c\",\"url\":\"https://example.com\"}"}});
    let lines =
        format!("{}{}{}", line(&card), token("日本語"), token("<grok:render card_id=\"c\"></grok:render>!"));
    let told = decode(&[lines.as_bytes()], &options(&[], false));
    assert!(told.contains("start: 3, end: 29"), "{told}");
}

fn limited(stop: &[&str], max_tokens: Option<u64>) -> Options {
    let stop = stop.iter().map(|&stop| stop.to_owned()).collect();
    Options { stop, max_tokens, ..options(&[], false) }
}

#[rstest]
#[case::stop(limited(&["cd"], None), r#"text: "ab""#, "finish: Stop")]
#[case::length(limited(&[], Some(1)), r#"text: "abcd""#, "finish: Length")]
#[case::stop_before_length(limited(&["cd"], Some(1)), r#"text: "ab""#, "finish: Stop")]
#[case::length_before_stop(limited(&["f"], Some(1)), r#"text: "abcd""#, "finish: Length")]
#[case::neither(limited(&["zz"], Some(2)), r#"text: "abcdef""#, "finish: Stop")]
fn the_requests_own_limits_end_the_answer(
    #[case] options: Options,
    #[case] text: &str,
    #[case] finish: &str,
) {
    let lines = ["a", "b", "c", "d", "ef"].map(token);
    let told = decode(&lines.each_ref().map(String::as_bytes), &options);
    assert!(told.contains(text) && told.contains(finish) && !told.contains("failure"), "{told}");
}

#[test]
fn reasoning_counts_against_the_limit_and_is_not_searched_for_stops() {
    let thought = |text: &str| line(&serde_json::json!({"token": text, "isThinking": true}));
    let lines = [thought("think END more thought"), token("answer")].concat();
    let told = decode(&[lines.as_bytes()], &limited(&["END"], Some(3)));
    assert!(told.contains(r#"text: "think END mo""#) && told.contains("finish: Length"), "{told}");
    assert!(told.contains("completion_tokens: 3, reasoning_tokens: 3"), "{told}");
    assert!(!told.contains("answer"), "{told}");
}

#[test]
fn a_citation_behind_the_end_is_not_told() {
    let card =
        serde_json::json!({"cardAttachment": {"jsonData": "{\"id\":\"c\",\"url\":\"https://example.com\"}"}});
    let cited = "one <grok:render card_id=\"c\"></grok:render>EN";
    let lines = [line(&card), token(cited), token("D"), token(" two")];
    let whole = decode(&lines.each_ref().map(String::as_bytes), &limited(&["zz"], None));
    assert!(whole.contains("start: 4, end: 30"), "{whole}");
    // The link itself holds the stop sequence.
    let told = decode(&lines.each_ref().map(String::as_bytes), &limited(&[".com)E"], None));
    assert!(!told.contains("Citation"), "{told}");
    let lines = [line(&card), token("one E"), token(cited)];
    let filtered = Options { filtered_tags: vec!["grok:render".into()], ..limited(&["Eone "], None) };
    let told = decode(&lines.each_ref().map(String::as_bytes), &filtered);
    assert!(told.contains(r#"text: "one ""#) && !told.contains("Citation"), "{told}");
}

#[test]
fn what_the_upstream_says_behind_the_end_is_no_failure() {
    let mut decoder = Decoder::new(&limited(&["b"], None));
    let mut outputs = Vec::new();
    decoder.feed(token("abc").as_bytes(), &mut outputs).unwrap();
    assert!(decoder.is_cut() && decoder.is_done());
    decoder.feed(b"{\"error\":{\"message\":\"gone\"}}\n{\"result", &mut outputs).unwrap();
    decoder.finish(&mut outputs).unwrap();
    assert!(tell(&outputs).contains("finish: Stop"));
}

#[test]
fn adjacent_text_of_one_read_is_one_event() {
    let lines: String = (0..100).map(|n| token(&format!("{n} "))).collect();
    let mut outputs = Vec::new();
    Decoder::new(&options(&FILTERED, false)).feed(lines.as_bytes(), &mut outputs).unwrap();
    assert_eq!(outputs.len(), 1);
}

#[test]
fn half_an_emoji_in_a_preview_costs_nothing_else() {
    let hit = r#"{"url":"https://example.com","title":"T","preview":"cut \ud83c"}"#;
    let lines = format!(
        "{{\"result\":{{\"response\":{{\"isThinking\":true,\"webSearchResults\":{{\"results\":[{hit}]}}}}}}}}\n\
         {{\"result\":{{\"response\":{{\"modelResponse\":{{\"message\":\"the answer\",\"webSearchResults\":[{hit}]}}}}}}}}\n\
         {{\"result\":{{\"response\":{{\"messageTag\":\"\\ud83c\",\"token\":\"x\"}}}}}}\n"
    );
    let told = decode(&[lines.as_bytes()], &options(&FILTERED, false));
    assert!(
        told.contains("https://example.com") && told.contains("the answer") && told.contains("End("),
        "{told}"
    );
}

#[test]
fn an_image_limit_on_a_card_alone_is_a_limit() {
    let card = serde_json::json!({"cardAttachment": {"jsonData": "{\"id\":\"x\",\"image_chunk\":{\"progress\":100,\"systemErrCode\":\"rate_limit\"}}"}});
    let told = decode(&[line(&card).as_bytes()], &options(&FILTERED, false));
    assert!(told.contains("upstream_rate_limited") && told.contains("RateLimited"), "{told}");
}

#[test]
fn sources_found_after_the_answer_began_are_no_part_of_the_reasoning() {
    let found = serde_json::json!({"isThinking": true, "webSearchResults": {"results": [{"url": "https://example.com"}]}});
    let told = decode(&[token("a").as_bytes(), line(&found).as_bytes()], &options(&FILTERED, false));
    assert!(told.contains("in_reasoning: false"), "{told}");
}

#[test]
fn an_empty_error_is_none_and_searches_without_ids_are_told_apart() {
    let search =
        |query: &str| line(&serde_json::json!({"toolUsageCard": {"webSearch": {"args": {"query": query}}}}));
    let lines = [search("one"), search("one"), search("two"), "{\"error\":{}}\n".to_owned(), token("a")];
    let told = decode(&[lines.concat().as_bytes()], &options(&FILTERED, false));
    assert_eq!(told.matches("ToolCall").count(), 4, "two calls, each told with its type twice: {told}");
    assert!(told.contains("End("), "{told}");
}

#[test]
fn the_stream_says_when_it_is_over() {
    let mut decoder = Decoder::new(&options(&FILTERED, false));
    let mut outputs = Vec::new();
    decoder.feed(token("a").as_bytes(), &mut outputs).unwrap();
    assert!(!decoder.is_over() && !decoder.is_done());
    decoder
        .feed(line(&serde_json::json!({"modelResponse": {"message": "a"}})).as_bytes(), &mut outputs)
        .unwrap();
    assert!(decoder.is_over() && !decoder.is_done());
    decoder.feed(b"data: [DO", &mut outputs).unwrap();
    decoder.feed(b"NE]\n\n", &mut outputs).unwrap();
    assert!(decoder.is_done());
    decoder.feed(b"{\"result\":{\"ti", &mut outputs).unwrap();
    decoder.finish(&mut outputs).unwrap();
}
