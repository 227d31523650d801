use grok2api_proto::chat::{ChatEvent, End, Reasoning, Started, Text, Usage};
use serde_json::{Value, json};

use super::*;
use crate::{
    anthropic::whole::Collector,
    handlers::turn::{Collector as _, Encoder as _},
    openai::present::Thinking,
};

fn head() -> Head {
    Head { id: "msg_1".into(), model: "grok-4-fast".into(), input_tokens: 3 }
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

fn turn(finish: Finish) -> ChatBatch {
    batch([
        Kind::Started(Started::default()),
        Kind::Reasoning(Reasoning { text: "hm\n".into(), ..Reasoning::default() }),
        text("one "),
        text("\"two\""),
        Kind::Usage(Usage { prompt_tokens: 5, completion_tokens: 7, ..Usage::default() }),
        Kind::End(End { finish: finish.into() }),
        text("late"),
    ])
}

/// Name and data of every event.
fn events(out: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(out).unwrap();
    let event = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let (name, data) = (name.strip_prefix("event: ").unwrap(), data.strip_prefix("data: ").unwrap());
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        (name.to_owned(), data)
    };
    text.strip_suffix("\n\n").unwrap().split("\n\n").map(event).collect()
}

#[test]
fn a_stream_has_blocks_one_after_the_other() {
    let (mut encoder, mut out) = (Encoder::new(head(), presentation()), BytesMut::new());
    encoder.batch(&turn(Finish::Stop), &mut out);
    assert!(encoder.is_done());
    let block = |name: &str, index: u32| (name.to_owned(), index);
    let told: Vec<_> = events(&out);
    let indices: Vec<_> = told
        .iter()
        .filter_map(|(name, data)| Some(block(name, u32::try_from(data["index"].as_u64()?).unwrap())))
        .collect();
    assert_eq!(
        indices,
        [
            block("content_block_start", 0),
            block("content_block_delta", 0),
            block("content_block_stop", 0),
            block("content_block_start", 1),
            block("content_block_delta", 1),
            block("content_block_delta", 1),
            block("content_block_stop", 1),
        ]
    );
    assert_eq!(told[0].1["message"]["usage"], json!({"input_tokens": 3, "output_tokens": 0}));
    assert_eq!(told[1].1["content_block"], json!({"type": "thinking", "thinking": "", "signature": ""}));
    assert_eq!(told[2].1["delta"], json!({"type": "thinking_delta", "thinking": "hm\n"}));
    assert_eq!(told[6].1["delta"], json!({"type": "text_delta", "text": "\"two\""}));
    let [.., delta, stop] = told.as_slice() else { panic!() };
    assert_eq!(delta.1["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
    assert_eq!(delta.1["usage"], json!({"input_tokens": 5, "output_tokens": 7}));
    assert_eq!(stop.0, "message_stop");
}

#[test]
fn a_whole_answer_says_the_same() {
    let mut collector = Collector::new(presentation());
    collector.batch(&turn(Finish::Length));
    assert!(collector.is_done());
    let answer = serde_json::to_value(collector.finish(head()).unwrap()).unwrap();
    assert_eq!(
        answer,
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "grok-4-fast",
            "content": [
                {"type": "thinking", "thinking": "hm\n", "signature": ""},
                {"type": "text", "text": "one \"two\""},
            ],
            "stop_reason": "max_tokens", "stop_sequence": null,
            "usage": {"input_tokens": 5, "output_tokens": 7},
        })
    );
}

#[test]
fn calls_are_blocks_of_their_own() {
    let call = |id: &str, arguments: &str| {
        Kind::FunctionCall(FunctionCall { id: id.into(), name: "f".into(), arguments: arguments.into() })
    };
    let turn = batch([
        text("Look: "),
        call("call_1", "{\"a\":1}"),
        call("call_2", "{}"),
        Kind::End(End { finish: Finish::ToolCalls.into() }),
    ]);
    let (mut encoder, mut out) = (Encoder::new(head(), presentation()), BytesMut::new());
    encoder.batch(&turn, &mut out);
    let told = events(&out);
    let of = |name: &str, key: &str| -> Vec<Value> {
        told.iter().filter(|(known, _)| known == name).map(|(_, data)| data[key].clone()).collect()
    };
    let begun = [
        json!({"type": "text", "text": ""}),
        json!({"type": "tool_use", "id": "call_1", "name": "f", "input": {}}),
        json!({"type": "tool_use", "id": "call_2", "name": "f", "input": {}}),
    ];
    assert_eq!(of("content_block_start", "content_block"), begun);
    assert_eq!(of("content_block_stop", "index"), [0, 1, 2]);
    let input = json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"});
    assert_eq!(of("content_block_delta", "delta")[1], input);
    assert_eq!(of("message_delta", "delta")[0]["stop_reason"], "tool_use");

    let mut collector = Collector::new(presentation());
    collector.batch(&turn);
    let answer = serde_json::to_value(collector.finish(head()).unwrap()).unwrap();
    assert_eq!(
        answer["content"][1],
        json!({"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}})
    );
    assert_eq!(answer["stop_reason"], "tool_use");
}

#[test]
fn thought_that_was_not_asked_for_is_not_told() {
    let (mut encoder, mut out) =
        (Encoder::new(head(), Presentation { thinking: Thinking::Off, ..presentation() }), BytesMut::new());
    encoder.batch(&turn(Finish::ContentFilter), &mut out);
    assert!(!std::str::from_utf8(&out).unwrap().contains("thinking"));
    let told = events(&out);
    assert_eq!(told[told.len() - 2].1["delta"]["stop_reason"], "refusal");
}

#[test]
fn a_failure_is_an_event_of_its_own() {
    let (mut encoder, mut out) = (Encoder::new(head(), presentation()), BytesMut::new());
    encoder.batch(&batch([text("one")]), &mut out);
    out.clear();
    let error = Error::new(grok2api_proto::Kind::Unavailable, "saturated", "all accounts are busy");
    encoder.fail(&error, &mut out);
    let details = json!({"type": "overloaded_error", "message": "all accounts are busy"});
    assert_eq!(events(&out), [("error".to_owned(), json!({"type": "error", "error": details}))]);
}
