use grok2api_proto::chat::{
    ChatEvent, Citation, End, Finish, FunctionCall, Reasoning, Started, Text, ToolCall, Usage,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    handlers::turn::{Collector as _, Encoder as _},
    openai::present::Thinking,
    responses::{
        answer::Echo,
        request::{Draft, Known},
        whole::Collector,
    },
};

const DIGITS: &str = "0123456789abcdef0123456789abcdef";

/// For a request with tools, which wants to see what was searched.
fn head() -> Head {
    let request = json!({
        "model": "grok-4-fast", "input": "hi",
        "tools": [
            {"type": "function", "name": "plain"}, {"type": "web_search"}, {"type": "custom", "name": "patch"},
            {"type": "namespace", "name": "team", "tools": [{"type": "function", "name": "spawn"}]},
        ],
    });
    let asked = Draft::parse(request.to_string().as_bytes()).unwrap().read(Known::default(), false).unwrap();
    Head {
        digits: DIGITS.into(),
        created: 7,
        model: asked.model,
        echo: asked.echo,
        names: asked.tools.names,
        searches: asked.tools.searches,
    }
}

fn presentation() -> Presentation {
    Presentation { thinking: Thinking::ReasoningContent, ..Presentation::default() }
}

fn batch(kinds: impl IntoIterator<Item = Kind>) -> ChatBatch {
    ChatBatch { events: kinds.into_iter().map(|kind| ChatEvent { kind: Some(kind) }).collect() }
}

fn text(text: &str) -> Kind {
    Kind::Text(Text { text: text.into() })
}

fn thought(text: &str) -> Kind {
    Kind::Reasoning(Reasoning { text: text.into(), ..Reasoning::default() })
}

fn call(name: &str, arguments: &str) -> Kind {
    Kind::FunctionCall(FunctionCall {
        id: format!("call_{name}"),
        name: name.into(),
        arguments: arguments.into(),
    })
}

fn searched(name: &str, argument: &str) -> Kind {
    Kind::ToolCall(ToolCall { id: "t".into(), name: name.into(), argument: argument.into() })
}

fn cited(start: u32, end: u32) -> Kind {
    let (url, title) = ("https://a.example".into(), "A".into());
    Kind::Citation(Citation { url, title, number: 1, start, end })
}

fn end(finish: Finish) -> [Kind; 2] {
    let usage = Usage { prompt_tokens: 5, completion_tokens: 7, reasoning_tokens: 2, estimated: true };
    [Kind::Usage(usage), Kind::End(End { finish: finish.into() })]
}

/// Everything that an answer can hold.
fn everything() -> Vec<Kind> {
    let mut kinds = vec![
        Kind::Started(Started::default()),
        thought("hm"),
        thought("\n"),
        searched("web_search", "cats"),
        searched("browse_page", "https://a.example"),
        searched("code_execution", "1 + 1"),
        text("one "),
        text("\"two\""),
        cited(4, 9),
        call("plain", "{\"a\":1}"),
        call("team__spawn", "{}"),
        call("patch", "{\"input\":\"+ä\"}"),
    ];
    kinds.extend(end(Finish::ToolCalls));
    kinds.push(text("late"));
    kinds
}

/// The data of every event: its type is the event's name, and its number is the next.
fn events(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    let event = |(number, event): (usize, &str)| {
        let (name, data) = event.split_once('\n').unwrap();
        let (name, data) = (name.strip_prefix("event: ").unwrap(), data.strip_prefix("data: ").unwrap());
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&data["type"], &data["sequence_number"]), (&json!(name), &json!(number)));
        data
    };
    text.strip_suffix("\n\n").unwrap().split("\n\n").enumerate().map(event).collect()
}

fn encoded(kinds: Vec<Kind>) -> Vec<Value> {
    let (mut encoder, mut out) = (Encoder::new(head(), presentation(), None), BytesMut::new());
    // Each event a batch of its own, which makes no difference.
    kinds.into_iter().for_each(|kind| encoder.batch(&batch([kind]), &mut out));
    assert!(encoder.is_done());
    events(&out)
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("response.")).collect()
}

/// What a reader puts together of a stream, as the SDKs do.
fn put_together(events: &[Value]) -> Vec<Value> {
    let mut output: Vec<Value> = Vec::new();
    for event in events {
        let index = usize::try_from(event["output_index"].as_u64().unwrap_or_default()).unwrap();
        let delta = event["delta"].as_str().unwrap_or_default();
        let push =
            |value: &mut Value, more: &str| *value = format!("{}{more}", value.as_str().unwrap()).into();
        match event["type"].as_str().unwrap().trim_start_matches("response.") {
            "output_item.added" => {
                assert_eq!(index, output.len());
                output.push(event["item"].clone());
            }
            "content_part.added" => {
                output[index]["content"].as_array_mut().unwrap().push(event["part"].clone());
            }
            "reasoning_summary_part.added" => {
                output[index]["summary"].as_array_mut().unwrap().push(event["part"].clone());
            }
            "output_text.delta" => push(&mut output[index]["content"][0]["text"], delta),
            "output_text.annotation.added" => {
                let annotations = output[index]["content"][0]["annotations"].as_array_mut().unwrap();
                assert_eq!(event["annotation_index"], annotations.len());
                annotations.push(event["annotation"].clone());
            }
            "reasoning_summary_text.delta" => push(&mut output[index]["summary"][0]["text"], delta),
            "function_call_arguments.delta" => push(&mut output[index]["arguments"], delta),
            "custom_tool_call_input.delta" => push(&mut output[index]["input"], delta),
            "output_item.done" => {
                let item = &event["item"];
                if output[index].get("status").is_some() {
                    output[index]["status"] = item["status"].clone();
                }
                assert_eq!(&output[index], item);
            }
            _ => {}
        }
        if let Some(id) = event.get("item_id") {
            assert_eq!(id, &output[index]["id"]);
        }
    }
    output
}

#[test]
fn a_stream_has_its_events_in_order() {
    let events =
        encoded(vec![thought("hm"), text("one "), text("two"), cited(0, 3), Kind::End(End::default())]);
    assert_eq!(
        names(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    assert_eq!(events[13]["text"], "one two");
    let created = &events[0]["response"];
    assert_eq!((&created["status"], &created["created_at"]), (&json!("in_progress"), &json!(7)));
    assert_eq!(created["tools"].as_array().unwrap().len(), 4);
}

#[test]
fn a_reader_of_the_events_has_the_same_output_as_the_last_one_tells() {
    let events = encoded(everything());
    let output = put_together(&events);
    let told = &events.last().unwrap()["response"];
    assert_eq!(&Value::from(output), &told["output"]);
    let mut collector = Collector::new(head(), presentation());
    collector.batch(&batch(everything()));
    let mut whole = serde_json::to_value(collector.answer().unwrap()).unwrap();
    whole["completed_at"] = told["completed_at"].clone();
    assert_eq!(&whole, told);
}

#[test]
fn an_answer_holds_thought_searches_text_and_calls() {
    let events = encoded(everything());
    let response = &events.last().unwrap()["response"];
    let id = |prefix: &str, number: u32| format!("{prefix}_{DIGITS}_{number}");
    let citation = json!({
        "type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 4, "end_index": 9,
    });
    assert_eq!(
        response["output"],
        json!([
            {"type": "reasoning", "id": id("rs", 0), "summary": [{"type": "summary_text", "text": "hm\n"}]},
            {"type": "web_search_call", "id": id("ws", 1), "status": "completed",
             "action": {"type": "search", "query": "cats"}},
            {"type": "web_search_call", "id": id("ws", 2), "status": "completed",
             "action": {"type": "open_page", "url": "https://a.example"}},
            {"type": "message", "id": id("msg", 3), "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "one \"two\"", "annotations": [citation], "logprobs": []},
            ]},
            {"type": "function_call", "id": id("fc", 4), "status": "completed", "call_id": "call_plain",
             "name": "plain", "arguments": "{\"a\":1}"},
            {"type": "function_call", "id": id("fc", 5), "status": "completed", "call_id": "call_team__spawn",
             "name": "spawn", "namespace": "team", "arguments": "{}"},
            {"type": "custom_tool_call", "id": id("ctc", 6), "status": "completed", "call_id": "call_patch",
             "name": "patch", "input": "+ä"},
        ])
    );
    assert_eq!(
        response["usage"],
        json!({
            "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 12,
        })
    );
}

#[test]
fn what_was_searched_is_told_to_those_who_asked_for_a_search() {
    let mut head = head();
    head.searches = false;
    let (mut encoder, mut out) = (Encoder::new(head, presentation(), None), BytesMut::new());
    encoder.batch(&batch(everything()), &mut out);
    assert!(!std::str::from_utf8(&out).unwrap().contains("web_search_call"));
}

#[test]
fn a_text_in_two_pieces_has_citations_of_its_own() {
    let events = encoded(vec![
        text("äöü"),
        searched("web_search", "more"),
        text("four"),
        cited(3, 7),
        cited(0, 3),
        Kind::End(End::default()),
    ]);
    let output = put_together(&events);
    assert_eq!(output[0]["content"][0]["annotations"], json!([]));
    let [annotation] = output[2]["content"][0]["annotations"].as_array().unwrap().as_slice() else {
        panic!()
    };
    assert_eq!((&annotation["start_index"], &annotation["end_index"]), (&json!(0), &json!(4)));
}

#[rstest::rstest]
#[case(Finish::Length, "max_output_tokens")]
#[case(Finish::ContentFilter, "content_filter")]
fn an_answer_that_was_cut_is_incomplete(#[case] finish: Finish, #[case] reason: &str) {
    let events = encoded([vec![text("one")], end(finish).into()].concat());
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    let response = &last["response"];
    assert_eq!(
        (&response["status"], &response["output"][0]["status"]),
        (&json!("incomplete"), &json!("incomplete"))
    );
    assert_eq!(response["incomplete_details"], json!({"reason": reason}));
    assert_eq!(response["usage"]["total_tokens"], 12);
}

#[rstest::rstest]
#[case(grok2api_proto::Kind::Upstream, "failed", "server_error")]
#[case(grok2api_proto::Kind::RateLimited, "failed", "rate_limit_exceeded")]
#[case(grok2api_proto::Kind::InvalidRequest, "failed", "invalid_prompt")]
#[case(grok2api_proto::Kind::Cancelled, "cancelled", "server_error")]
fn a_failure_ends_the_stream_with_what_there_is(
    #[case] kind: grok2api_proto::Kind,
    #[case] status: &str,
    #[case] code: &str,
) {
    for said in [vec![], vec![text("one")]] {
        let (mut encoder, mut out) = (Encoder::new(head(), presentation(), None), BytesMut::new());
        encoder.batch(&batch(said.clone()), &mut out);
        encoder.fail(&Error::new(kind, "some_code", "it went wrong"), &mut out);
        assert!(encoder.is_done());
        let events = events(&out);
        assert_eq!(events[0]["type"], "response.created");
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["status"], status);
        assert_eq!(last["response"]["error"], json!({"code": code, "message": "it went wrong"}));
        assert_eq!(last["response"]["output"].as_array().unwrap().len(), said.len());
        put_together(&events);
    }
}

#[test]
fn thought_that_came_late_stands_before_the_answer_where_nobody_reads_along() {
    let late = Kind::Reasoning(Reasoning { text: "late".into(), late: true, ..Reasoning::default() });
    let kinds = vec![text("one"), late, Kind::End(End::default())];
    assert!(!names(&encoded(kinds.clone())).contains(&"reasoning_summary_text.delta"));
    let mut collector = Collector::new(head(), presentation());
    collector.batch(&batch(kinds));
    let whole = serde_json::to_value(collector.answer().unwrap()).unwrap();
    assert_eq!(whole["output"][0]["summary"][0]["text"], "late");
    assert_eq!(whole["output"][1]["content"][0]["text"], "one");
}

#[test]
fn what_a_request_does_not_say_is_told_as_it_is() {
    let echo = serde_json::to_value(Echo::of(&json!({"temperature": 0.5, "store": null}), true)).unwrap();
    assert_eq!(
        (&echo["temperature"], &echo["top_p"], &echo["store"]),
        (&json!(0.5), &json!(1.0), &json!(true))
    );
    assert_eq!((&echo["tool_choice"], &echo["tools"]), (&json!("auto"), &json!([])));
    assert_eq!(echo["text"], json!({"format": {"type": "text"}}));
    assert!(echo.get("user").is_none() && echo.get("prompt_cache_key").is_none());
}
