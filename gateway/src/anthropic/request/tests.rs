use grok2api_proto::{
    Kind,
    chat::{Attachment, attachment::Source, tool_choice::Mode},
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn parse(body: &Value) -> Result<Asked> {
    Asked::parse(body.to_string().as_bytes())
}

fn said(content: Value) -> Value {
    json!({"model": "grok-3-fast", "max_tokens": 9, "messages": [{"role": "user", "content": content}]})
}

/// Role, text, tool calls, and the call it answers.
type Told = (Role, String, Vec<(String, String)>, String);

fn told(asked: &Asked) -> Vec<Told> {
    let text = |message: &Message| -> String {
        let texts = message.parts.iter().filter_map(|part| match &part.kind {
            Some(part::Kind::Text(text)) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("|")
    };
    let calls = |message: &Message| {
        message.tool_calls.iter().map(|call| (call.name.clone(), call.arguments.clone())).collect()
    };
    let tell =
        |message: &Message| (message.role(), text(message), calls(message), message.tool_call_id.clone());
    asked.messages.iter().map(tell).collect()
}

/// As claude-code sends it.
#[test]
fn an_agents_conversation_is_read() {
    let asked = parse(&json!({
        "model": "grok-4-fast", "max_tokens": 32000, "stream": true, "thinking": {"type": "adaptive"},
        "context_management": {"edits": []}, "output_config": {"effort": "high"}, "temperature": 1,
        "metadata": {"user_id": "u"}, "a field of tomorrow": 1,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "Read", "description": "reads", "input_schema": {"type": "object"}, "defer_loading": true}],
        "messages": [
            {"role": "user", "content": "read a"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I will"},
                {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a"}, "caller": {"type": "direct"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [{"type": "text", "text": "no"}]},
                {"type": "text", "text": "well?"},
            ]},
            {"role": "system", "content": "be kind"},
        ],
    }))
    .unwrap();
    assert_eq!((asked.stream, asked.thinks, asked.max_tokens), (true, true, Some(32000)));
    let none = Vec::new;
    let (empty, text) = (String::new, str::to_owned);
    assert_eq!(
        told(&asked),
        [
            (Role::System, text("be brief"), none(), empty()),
            (Role::User, text("read a"), none(), empty()),
            (Role::Assistant, text("I will"), vec![(text("Read"), text("{\"path\":\"a\"}"))], empty()),
            (Role::Tool, text("The tool failed:|no"), none(), text("t1")),
            (Role::User, text("well?"), none(), empty()),
            (Role::System, text("be kind"), none(), empty()),
        ]
    );
}

#[rstest]
#[case(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAEC"}}), "image/png")]
#[case(json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAEC"}}), "application/pdf")]
fn bytes_are_attached(#[case] block: Value, #[case] media_type: &str) {
    let asked = parse(&said(json!([block]))).unwrap();
    let Some(part::Kind::Attachment(attachment)) = &asked.messages[0].parts[0].kind else { panic!() };
    let Attachment { source, media_type: kind, param, .. } = attachment;
    assert_eq!(*source, Some(Source::Data(vec![0, 1, 2].into())));
    assert_eq!((kind.as_str(), param.as_str()), (media_type, "messages[0].content[0].source.data"));
}

#[rstest]
#[case::model(json!({"messages": [{"role": "user", "content": "x"}]}), "missing_required_parameter", "model")]
#[case::messages(json!({"model": "m"}), "missing_required_parameter", "messages")]
#[case::none(json!({"model": "m", "messages": []}), "invalid_value", "messages")]
#[case::silence(said(json!(" ")), "invalid_value", "messages")]
#[case::role(json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}), "invalid_value", "messages[0].role")]
#[case::content(said(json!(1)), "invalid_type", "messages[0].content")]
#[case::block(said(json!([{"type": "audio"}])), "invalid_value", "messages[0].content[0].type")]
#[case::text(said(json!([{"type": "text"}])), "missing_required_parameter", "messages[0].content[0].text")]
#[case::base64(said(json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "*"}}])), "invalid_value", "messages[0].content[0].source.data")]
#[case::no_image(said(json!([{"type": "image", "source": {"type": "base64", "media_type": "text/plain", "data": "AAEC"}}])), "invalid_value", "messages[0].content[0].source.media_type")]
#[case::address(said(json!([{"type": "image", "source": {"type": "url", "url": "file:///a"}}])), "invalid_value", "messages[0].content[0].source.url")]
#[case::input(said(json!([{"type": "tool_use", "id": "1", "name": "n", "input": "{}"}])), "invalid_type", "messages[0].content[0].input")]
#[case::nested(said(json!([{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "tool_result"}]}])), "invalid_value", "messages[0].content[0].content[0].type")]
fn what_is_wrong_is_named(#[case] body: Value, #[case] code: &str, #[case] param: &str) {
    let error = parse(&body).unwrap_err();
    assert_eq!(error.kind, Kind::InvalidRequest);
    assert_eq!((error.code.as_ref(), error.param.as_deref()), (code, Some(param)), "{error}");
}

#[rstest]
#[case("system", json!(1), "invalid_type")]
#[case("system", json!([{"type": "image"}]), "invalid_value")]
#[case("stream", json!("yes"), "invalid_type")]
#[case("max_tokens", json!(0), "invalid_value")]
#[case("stop_sequences", json!("x"), "invalid_type")]
#[case("stop_sequences", json!(["1", "2", "3", "4", "5"]), "invalid_value")]
#[case("thinking", json!({"type": "loud"}), "invalid_value")]
#[case("temperature", json!(2), "invalid_value")]
#[case("tools", json!([1]), "invalid_type")]
#[case("tools", json!([{"input_schema": {}}]), "missing_required_parameter")]
#[case("tools", json!([{"name": "n", "input_schema": []}]), "invalid_type")]
#[case("tool_choice", json!({"type": "sometimes"}), "invalid_value")]
#[case("tool_choice", json!({"type": "any"}), "invalid_value")]
#[case("tool_choice", json!({"type": "tool", "name": "n"}), "invalid_value")]
#[case("output_config", json!({"format": {"type": "xml"}}), "invalid_value")]
#[case("metadata", json!({"user_id": 1}), "invalid_type")]
#[case("mcp_servers", json!([{}]), "unsupported_parameter")]
#[case("container", json!("c"), "unsupported_parameter")]
fn every_field_is_checked(#[case] name: &str, #[case] value: Value, #[case] code: &str) {
    let mut body = said(json!("hi"));
    body[name] = value;
    let error = parse(&body).unwrap_err();
    assert_eq!(error.code, code, "{error}");
    assert!(error.param.as_deref().is_some_and(|param| param.starts_with(name)), "{error:?}");
    body[name] = Value::Null;
    parse(&body).unwrap();
}

#[test]
fn tools_and_what_is_wanted_of_them_are_read() {
    let mut body = said(json!("hi"));
    body["tools"] = json!([
        {"name": "Read", "description": "reads", "input_schema": {"type": "object"}, "defer_loading": true},
        {"type": "custom", "name": "Write", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
    ]);
    body["tool_choice"] = json!({"type": "tool", "name": "Write", "disable_parallel_tool_use": true});
    body["metadata"] = json!({"user_id": "u-1"});
    body["output_config"] =
        json!({"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}});
    let read = parse(&body).unwrap().into_request("r".into());
    let names: Vec<&str> = read.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["Read", "Write"]);
    assert_eq!(read.tools[0].parameters, "{\"type\":\"object\"}");
    let choice = read.tool_choice.unwrap();
    assert_eq!((choice.mode(), choice.name.as_str(), read.single_call), (Mode::Required, "Write", true));
    assert_eq!(read.conversation, "u-1");
    assert!(read.format.is_some_and(|format| format.strict && format.schema == "{\"type\":\"object\"}"));
}

proptest! {
    #[test]
    fn nothing_breaks_the_reader(body in "[\\[\\]{}\",:a-z0-9 ]{0,200}") {
        drop(Asked::parse(body.as_bytes()));
    }
}
