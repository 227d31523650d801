use bytes::Bytes;
use grok2api_proto::chat::{
    Attachment, FunctionCall, Part, Role, Tool, ToolChoice, attachment::Source, part, tool_choice::Mode,
};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn parse(value: &Value) -> Result<Completion> {
    Completion::parse(value.to_string().as_bytes())
}

/// A request whose only message has this content.
fn content(content: Value) -> Value {
    json!({"model": "grok-4-fast", "messages": [{"role": "user", "content": content}]})
}

/// A good request with one more field.
fn with(name: &str, value: Value) -> Value {
    let mut request = content(json!("hi"));
    request[name] = value;
    request
}

fn messages(messages: Value) -> Value {
    json!({"model": "grok-4-fast", "messages": messages})
}

fn texts(message: &Message) -> Vec<&str> {
    let text = |part: &'_ Part| matches!(part.kind, Some(part::Kind::Text(_)));
    assert!(message.parts.iter().all(text));
    message
        .parts
        .iter()
        .filter_map(|part| match &part.kind {
            Some(part::Kind::Text(text)) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn only_attachment(request: &Value) -> Attachment {
    let parts = parse(request).unwrap().messages.remove(0).parts;
    match parts.into_iter().next().unwrap().kind {
        Some(part::Kind::Attachment(attachment)) => attachment,
        other => panic!("{other:?} is no attachment"),
    }
}

#[rstest]
#[case::empty("", "empty")]
#[case::cut("{", "line 1 column 1")]
#[case::trailing("{} x", "line 1 column 4")]
#[case::deep(&"[".repeat(500), "recursion limit")]
fn text_that_is_not_json_is_refused_with_the_position(#[case] body: &str, #[case] place: &str) {
    let error = Completion::parse(body.as_bytes()).unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_ref(), &error.param),
        (Kind::InvalidRequest, "invalid_json", &None)
    );
    assert!(error.message.contains(place), "{}", error.message);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_with_the_position() {
    let error = Completion::parse(b"{\"model\": \"\xff\"}").unwrap_err();
    assert_eq!(error.message, "the request body is not UTF-8 at byte 11");
}

#[rstest]
// The body.
#[case(json!([]), None, "invalid_type")]
#[case(json!("text"), None, "invalid_type")]
#[case(json!(null), None, "invalid_type")]
#[case(json!({}), Some("model"), "missing_required_parameter")]
#[case(json!({"model": "m"}), Some("messages"), "missing_required_parameter")]
#[case(json!({"model": null, "messages": []}), Some("model"), "missing_required_parameter")]
#[case(json!({"model": 4, "messages": []}), Some("model"), "invalid_type")]
#[case(json!({"model": "", "messages": []}), Some("model"), "invalid_value")]
// Messages.
#[case(messages(json!([])), Some("messages"), "invalid_value")]
#[case(messages(json!({})), Some("messages"), "invalid_type")]
#[case(messages(json!("hi")), Some("messages"), "invalid_type")]
#[case(messages(json!(["hi"])), Some("messages[0]"), "invalid_type")]
#[case(messages(json!([null])), Some("messages[0]"), "invalid_type")]
#[case(messages(json!([{}])), Some("messages[0].role"), "missing_required_parameter")]
#[case(messages(json!([{"role": 1}])), Some("messages[0].role"), "invalid_type")]
#[case(messages(json!([{"role": "robot", "content": "x"}])), Some("messages[0].role"), "invalid_value")]
#[case(messages(json!([{"role": "user"}])), Some("messages[0].content"), "missing_required_parameter")]
#[case(messages(json!([{"role": "user", "content": "x", "name": 1}])), Some("messages[0].name"), "invalid_type")]
#[case(messages(json!([{"role": "user", "content": null}])), Some("messages"), "invalid_value")]
#[case(messages(json!([{"role": "user", "content": " \n"}])), Some("messages"), "invalid_value")]
#[case(messages(json!([{"role": "user", "content": "a"}, {"role": "user", "content": 5}])), Some("messages[1].content"), "invalid_type")]
// Tools in the conversation.
#[case(messages(json!([{"role": "tool", "content": "x"}])), Some("messages[0].tool_call_id"), "missing_required_parameter")]
#[case(messages(json!([{"role": "tool", "content": "x", "tool_call_id": {}}])), Some("messages[0].tool_call_id"), "invalid_type")]
#[case(messages(json!([{"role": "assistant", "tool_calls": {}}])), Some("messages[0].tool_calls"), "invalid_type")]
#[case(messages(json!([{"role": "assistant", "tool_calls": [1]}])), Some("messages[0].tool_calls[0]"), "invalid_type")]
#[case(messages(json!([{"role": "assistant", "tool_calls": [{}]}])), Some("messages[0].tool_calls[0].id"), "missing_required_parameter")]
#[case(messages(json!([{"role": "assistant", "tool_calls": [{"id": "a", "type": "x"}]}])), Some("messages[0].tool_calls[0].type"), "invalid_value")]
#[case(messages(json!([{"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}]}])), Some("messages[0].tool_calls[0].type"), "unsupported_parameter")]
#[case(messages(json!([{"role": "assistant", "audio": {"id": "a"}}])), Some("messages[0].audio"), "unsupported_parameter")]
#[case(messages(json!([{"role": "assistant", "audio": 1}])), Some("messages[0].audio"), "invalid_type")]
#[case(messages(json!([{"role": "assistant", "refusal": 1}])), Some("messages[0].refusal"), "invalid_type")]
#[case(messages(json!([{"role": "assistant", "tool_calls": [{"id": "a"}]}])), Some("messages[0].tool_calls[0].function"), "missing_required_parameter")]
#[case(messages(json!([{"role": "assistant", "tool_calls": [{"id": "a", "function": {}}]}])), Some("messages[0].tool_calls[0].function.name"), "missing_required_parameter")]
#[case(messages(json!([{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {}}}]}])), Some("messages[0].tool_calls[0].function.arguments"), "invalid_type")]
#[case(messages(json!([{"role": "assistant", "function_call": "f"}])), Some("messages[0].function_call"), "invalid_type")]
// Content parts.
#[case(content(json!([5])), Some("messages[0].content[0]"), "invalid_type")]
#[case(content(json!([{}])), Some("messages[0].content[0].type"), "missing_required_parameter")]
#[case(content(json!([{"type": 1}])), Some("messages[0].content[0].type"), "invalid_type")]
#[case(content(json!([{"type": "hologram"}])), Some("messages[0].content[0].type"), "invalid_value")]
#[case(content(json!([{"type": "text"}])), Some("messages[0].content[0].text"), "missing_required_parameter")]
#[case(content(json!([{"type": "text", "text": 1}])), Some("messages[0].content[0].text"), "invalid_type")]
#[case(content(json!([{"type": "text", "text": "a"}, {"type": "input_text", "text": []}])), Some("messages[0].content[1].text"), "invalid_type")]
#[case(content(json!({"txt": "a"})), Some("messages[0].content.text"), "missing_required_parameter")]
#[case(content(json!({"text": 1})), Some("messages[0].content.text"), "invalid_type")]
#[case(content(json!([{"type": "input_audio", "input_audio": {}}])), Some("messages[0].content[0].type"), "unsupported_value")]
// Images and files.
#[case(content(json!([{"type": "image_url"}])), Some("messages[0].content[0].image_url"), "missing_required_parameter")]
#[case(content(json!([{"type": "image_url", "image_url": 1}])), Some("messages[0].content[0].image_url"), "invalid_type")]
#[case(content(json!([{"type": "image_url", "image_url": {}}])), Some("messages[0].content[0].image_url.url"), "missing_required_parameter")]
#[case(content(json!([{"type": "image_url", "image_url": {"url": 1}}])), Some("messages[0].content[0].image_url.url"), "invalid_type")]
#[case(content(json!([{"type": "image_url", "image_url": {"url": ""}}])), Some("messages[0].content[0].image_url.url"), "invalid_value")]
#[case(content(json!([{"type": "image_url", "image_url": {"url": "ftp://a/b.png"}}])), Some("messages[0].content[0].image_url.url"), "invalid_value")]
#[case(content(json!([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}])), Some("messages[0].content[0].image_url.url"), "invalid_value")]
#[case(content(json!([{"type": "image_url", "image_url": "aGVsbG8="}])), Some("messages[0].content[0].image_url"), "invalid_value")]
#[case(content(json!([{"type": "image_url", "image_url": "data:image/png;base64,%%%"}])), Some("messages[0].content[0].image_url"), "invalid_value")]
#[case(content(json!([{"type": "image_url", "image_url": "data:text/html;base64,aGk="}])), Some("messages[0].content[0].image_url"), "invalid_value")]
#[case(content(json!([{"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": 1}}])), Some("messages[0].content[0].image_url.detail"), "invalid_type")]
#[case(content(json!([{"type": "file"}])), Some("messages[0].content[0].file"), "missing_required_parameter")]
#[case(content(json!([{"type": "file", "file": {}}])), Some("messages[0].content[0].file.file_data"), "missing_required_parameter")]
#[case(content(json!([{"type": "file", "file": {"file_id": "f"}}])), Some("messages[0].content[0].file.file_id"), "unsupported_parameter")]
#[case(content(json!([{"type": "file", "file": {"file_data": "hello"}}])), Some("messages[0].content[0].file.file_data"), "invalid_value")]
// Options.
#[case(with("stream", json!("yes")), Some("stream"), "invalid_type")]
#[case(with("stream", json!(1)), Some("stream"), "invalid_type")]
#[case(with("stream_options", json!(true)), Some("stream_options"), "invalid_type")]
#[case(with("stream_options", json!({"include_usage": "yes"})), Some("stream_options.include_usage"), "invalid_type")]
#[case(with("thinking_mode", json!(true)), Some("thinking_mode"), "invalid_type")]
#[case(with("thinking_mode", json!("loud")), Some("thinking_mode"), "invalid_value")]
#[case(with("temporary", json!("no")), Some("temporary"), "invalid_type")]
#[case(with("temperature", json!("hot")), Some("temperature"), "invalid_type")]
#[case(with("temperature", json!(9)), Some("temperature"), "invalid_value")]
#[case(with("temperature", json!(-0.1)), Some("temperature"), "invalid_value")]
#[case(with("top_p", json!(1.5)), Some("top_p"), "invalid_value")]
#[case(with("frequency_penalty", json!([])), Some("frequency_penalty"), "invalid_type")]
#[case(with("presence_penalty", json!(3)), Some("presence_penalty"), "invalid_value")]
#[case(with("max_tokens", json!(-1)), Some("max_tokens"), "invalid_value")]
#[case(with("max_tokens", json!(1.5)), Some("max_tokens"), "invalid_type")]
#[case(with("max_completion_tokens", json!("8")), Some("max_completion_tokens"), "invalid_type")]
#[case(with("n", json!(5)), Some("n"), "unsupported_value")]
#[case(with("n", json!(129)), Some("n"), "invalid_value")]
#[case(with("stop", json!("x".repeat(1025))), Some("stop"), "invalid_value")]
#[case(with("n", json!(0)), Some("n"), "invalid_value")]
#[case(with("n", json!("1")), Some("n"), "invalid_type")]
#[case(with("stop", json!(1)), Some("stop"), "invalid_type")]
#[case(with("stop", json!(["a", 1])), Some("stop"), "invalid_type")]
#[case(with("stop", json!(["a", "b", "c", "d", "e"])), Some("stop"), "invalid_value")]
#[case(with("seed", json!("x")), Some("seed"), "invalid_type")]
#[case(with("user", json!(1)), Some("user"), "invalid_type")]
#[case(with("metadata", json!("x")), Some("metadata"), "invalid_type")]
#[case(with("metadata", json!({"a": 1})), Some("metadata"), "invalid_type")]
#[case(with("logit_bias", json!([])), Some("logit_bias"), "invalid_type")]
#[case(with("logit_bias", json!({"50256": "x"})), Some("logit_bias"), "invalid_type")]
#[case(with("logit_bias", json!({"50256": -101})), Some("logit_bias"), "invalid_type")]
#[case(with("reasoning_effort", json!(1)), Some("reasoning_effort"), "invalid_type")]
#[case(with("reasoning_effort", json!("a lot")), Some("reasoning_effort"), "invalid_value")]
#[case(with("verbosity", json!(["low"])), Some("verbosity"), "invalid_type")]
#[case(with("verbosity", json!("loud")), Some("verbosity"), "invalid_value")]
#[case(with("service_tier", json!(false)), Some("service_tier"), "invalid_type")]
#[case(with("service_tier", json!("first class")), Some("service_tier"), "invalid_value")]
#[case(with("prediction", json!("x")), Some("prediction"), "invalid_type")]
#[case(with("prediction", json!({"type": "content"})), Some("prediction.content"), "missing_required_parameter")]
#[case(with("prediction", json!({"type": "content", "content": 1})), Some("prediction.content"), "invalid_type")]
#[case(with("prediction", json!({"type": "oracle", "content": "x"})), Some("prediction.type"), "invalid_value")]
#[case(with("web_search_options", json!([])), Some("web_search_options"), "invalid_type")]
#[case(with("web_search_options", json!({"search_context_size": "x"})), Some("web_search_options.search_context_size"), "invalid_value")]
#[case(with("web_search_options", json!({"user_location": {"type": "approximate", "approximate": {"city": 1}}})), Some("web_search_options.user_location.approximate.city"), "invalid_type")]
#[case(with("logprobs", json!(true)), Some("logprobs"), "unsupported_parameter")]
#[case(with("top_logprobs", json!(21)), Some("top_logprobs"), "invalid_value")]
#[case(with("top_logprobs", json!(1)), Some("top_logprobs"), "unsupported_parameter")]
#[case(with("store", json!("x")), Some("store"), "invalid_type")]
#[case(with("parallel_tool_calls", json!("x")), Some("parallel_tool_calls"), "invalid_type")]
#[case(with("response_format", json!("json")), Some("response_format"), "invalid_type")]
#[case(with("response_format", json!({"type": "xml"})), Some("response_format.type"), "invalid_value")]
#[case(with("response_format", json!({"type": "json_schema", "json_schema": {}})), Some("response_format.json_schema.name"), "missing_required_parameter")]
#[case(with("tool_choice", json!(1)), Some("tool_choice"), "invalid_type")]
#[case(with("tool_choice", json!("sometimes")), Some("tool_choice"), "invalid_value")]
#[case(with("tool_choice", json!("required")), Some("tool_choice"), "invalid_value")]
#[case(with("tool_choice", json!({"type": "function", "function": {"name": "f"}})), Some("tool_choice"), "invalid_value")]
#[case(with("tool_choice", json!({"type": "function"})), Some("tool_choice.function"), "missing_required_parameter")]
#[case(with("tool_choice", json!({"type": "mcp"})), Some("tool_choice.type"), "invalid_value")]
#[case(with("function_call", json!({"name": "f"})), Some("function_call"), "invalid_value")]
#[case(with("tools", json!([{"type": "function", "function": {"name": "f", "parameters": []}}])), Some("tools[0].function.parameters"), "invalid_type")]
#[case(with("tools", json!({})), Some("tools"), "invalid_type")]
#[case(with("tools", json!([1])), Some("tools[0]"), "invalid_type")]
#[case(with("tools", json!([{"type": "function"}])), Some("tools[0].function"), "missing_required_parameter")]
#[case(with("tools", json!([{"type": "function", "function": {"name": 1}}])), Some("tools[0].function.name"), "invalid_type")]
#[case(with("functions", json!([{}])), Some("functions[0].name"), "missing_required_parameter")]
#[case(with("modalities", json!(["text", "audio"])), Some("modalities"), "unsupported_parameter")]
#[case(with("audio", json!({"voice": "x"})), Some("audio"), "unsupported_parameter")]
fn a_wrong_request_is_refused_by_name(
    #[case] request: Value,
    #[case] param: Option<&str>,
    #[case] code: &str,
) {
    let error = parse(&request).unwrap_err();
    assert_eq!(
        (error.kind, error.param.as_deref(), error.code.as_ref()),
        (Kind::InvalidRequest, param, code)
    );
    assert!(param.is_none_or(|param| error.message.contains(param)), "{}", error.message);
}

#[rstest]
#[case(json!({"model": "m".repeat(100_000), "messages": []}))]
#[case(messages(json!([{"role": "ö".repeat(100_000)}])))]
#[case(content(json!([{"type": "t".repeat(100_000)}])))]
#[case(content(json!([{"type": "image_url", "image_url": format!("data:{}/x;base64,aGk=", "y".repeat(100_000))}])))]
#[case(with("thinking_mode", json!("z".repeat(100_000))))]
fn an_error_does_not_repeat_a_long_value(#[case] request: Value) {
    let message = parse(&request).unwrap_err().message;
    assert!(message.len() < 400, "{message}");
}

#[test]
fn a_plain_request_is_not_streamed() {
    let plain = parse(&content(json!("hi"))).unwrap();
    let message = Message {
        role: Role::User.into(),
        parts: vec![Part { kind: Some(part::Kind::Text("hi".into())) }],
        ..Message::default()
    };
    let expected = Completion {
        model: "grok-4-fast".into(),
        messages: vec![message],
        stream: false,
        include_usage: false,
        thinking: None,
        temporary: None,
        choices: 1,
        stop: Vec::new(),
        max_tokens: None,
        format: None,
        effort: String::new(),
        conversation: String::new(),
        tools: tools::Tools::default(),
    };
    assert_eq!(plain, expected);
}

#[test]
fn our_own_fields_are_read() {
    let mut request = with("thinking_mode", json!("think"));
    request["temporary"] = json!(false);
    request["n"] = json!(4);
    request["stream"] = json!(true);
    request["stream_options"] = json!({"include_usage": true, "include_obfuscation": false});
    let read = parse(&request).unwrap();
    assert_eq!((read.thinking, read.temporary), (Some(Thinking::Think), Some(false)));
    assert!(read.stream && read.include_usage);
    assert_eq!(read.choices, 4);
}

#[test]
fn functions_and_formats_are_read() {
    let mut request = content(json!("hi"));
    request["tools"] = json!([
        {"type": "web_search"},
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}},
    ]);
    request["tool_choice"] = json!({"type": "function", "function": {"name": "f"}});
    request["parallel_tool_calls"] = json!(false);
    request["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": true}});
    request["reasoning_effort"] = json!("high");
    request["prompt_cache_key"] = json!("c-1");
    let read = parse(&request).unwrap().into_request("r".into());
    let tool = Tool {
        name: "f".into(),
        description: "d".into(),
        parameters: "{\"type\":\"object\"}".into(),
        strict: true,
    };
    assert_eq!(read.tools, [tool]);
    let choice = ToolChoice { mode: Mode::Required.into(), name: "f".into() };
    assert_eq!((read.tool_choice, read.single_call), (Some(choice), true));
    let format = Format { name: "n".into(), schema: "{\"a\":1}".into(), strict: true };
    assert_eq!(read.format, Some(format));
    assert_eq!((read.effort.as_str(), read.conversation.as_str()), ("high", "c-1"));
}

/// Those that the request allows now, and no others.
#[rstest]
#[case("auto", json!([{"type": "function", "function": {"name": "g"}}, {"type": "custom"}]), Ok((Mode::Auto, vec!["g"])))]
#[case("required", json!([{"type": "function", "function": {"name": "g"}}, {"type": "function", "function": {"name": "f"}}]), Ok((Mode::Required, vec!["f", "g"])))]
#[case("auto", json!([]), Ok((Mode::Auto, vec![])))]
#[case("required", json!([{"type": "function", "function": {"name": "h"}}]), Err("tool_choice.allowed_tools.tools[0].function.name"))]
#[case("auto", json!([{"type": "function", "name": "f"}]), Ok((Mode::Auto, vec!["f"])))]
#[case("required", json!([]), Err("tool_choice"))]
#[case("none", json!([]), Err("tool_choice.allowed_tools.mode"))]
#[case("auto", json!({}), Err("tool_choice.allowed_tools.tools"))]
#[case("auto", json!([{"function": {}}]), Err("tool_choice.allowed_tools.tools[0].function.name"))]
fn some_functions_are_allowed(
    #[case] mode: &str,
    #[case] tools: Value,
    #[case] expected: std::result::Result<(Mode, Vec<&str>), &str>,
) {
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    let mut request = with("tools", json!([function("f"), function("g")]));
    request["tool_choice"] =
        json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}});
    let read = parse(&request).map(|read| read.tools);
    let told = read.as_ref().map(|read| {
        let names = read.tools.iter().map(|tool| tool.name.as_str()).collect();
        (read.choice.as_ref().unwrap().mode(), names)
    });
    assert_eq!(told.map_err(|error| error.param.as_deref().unwrap()), expected);
}

#[test]
fn functions_of_old_are_read() {
    let mut request = with("functions", json!([{"name": "f", "parameters": {}}]));
    request["function_call"] = json!({"name": "f"});
    let read = parse(&request).unwrap();
    assert!(read.tools.legacy && read.tools.single);
    let choice = ToolChoice { mode: Mode::Required.into(), name: "f".into() };
    assert_eq!(read.tools.choice, Some(choice));
    let none = parse(&with("tool_choice", json!("none"))).unwrap().tools;
    assert_eq!(none.choice.unwrap().mode(), Mode::None);
}

/// What recorded clients send: see the shared notes on client requests.
#[rstest]
#[case::nulls(json!({"temperature": null, "top_p": null, "max_tokens": null, "stop": null, "stream": null, "n": null,
    "tools": null, "tool_choice": null, "response_format": null, "stream_options": null, "user": null, "seed": null,
    "logprobs": null}))]
#[case::hints(json!({"frequency_penalty": 0.1, "logit_bias": {"50256": -100}, "n": 1, "presence_penalty": 0.1, "seed": 7,
    "temperature": 0.2, "top_p": 0.9, "user": "u1", "metadata": {"a": "b"}, "store": false, "service_tier": "auto",
    "reasoning_effort": "low", "some_unknown_field": {"x": 1}, "parallel_tool_calls": true}))]
#[case::nested(json!({"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}, "verbosity": "low",
    "web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate",
    "approximate": {"city": "Bern", "country": null}}}, "metadata": {}, "logit_bias": {}, "top_logprobs": 0}))]
#[case::limits(json!({"stop": ["s t", "ZZZ", "ZZZ"], "max_completion_tokens": 4096, "max_tokens": 32000.0}))]
#[case::tools(json!({"tool_choice": "auto", "tools": [
    {"type": "function", "function": {"name": "get_weather", "parameters": {}, "strict": true}},
    {"type": "web_search"}, {"type": "namespace", "tools": []}]}))]
#[case::formats(json!({"response_format": {"type": "text"}, "modalities": ["text"], "logprobs": false, "n": 1.0}))]
fn what_clients_send_is_taken(#[case] fields: Value) {
    let mut request = content(json!("hi"));
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    assert_eq!(parse(&request).map(|read| read.messages.len()), Ok(1));
}

#[test]
fn roles_and_shapes_of_content_are_folded() {
    let read = parse(&messages(json!([
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "d1"}, {"type": "input_text", "text": "d2"}]},
        {"role": "user", "content": {"text": "u"}, "name": "bob"},
        {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "assistant", "function_call": {"name": "g", "arguments": "{}"}},
        {"role": "function", "name": "g", "content": "43"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "reasoning_content": "r"},
        {"role": "assistant", "content": null, "refusal": "never", "audio": null},
    ])))
    .unwrap()
    .messages;
    let roles: Vec<Role> = read.iter().map(Message::role).collect();
    use Role::{Assistant, System, Tool, User};
    assert_eq!(roles, [System, System, User, Assistant, Tool, Assistant, Tool, Assistant, Assistant]);
    let told: Vec<Vec<&str>> = read.iter().map(texts).collect();
    assert_eq!(
        told,
        [
            vec!["s"],
            vec!["d1", "d2"],
            vec!["u"],
            vec![],
            vec!["42"],
            vec![],
            vec!["43"],
            vec!["no"],
            vec!["never"]
        ]
    );
    let call = |id: &str, name: &str, arguments: &str| FunctionCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    assert_eq!(read[3].tool_calls, [call("c1", "f", "{\"a\":1}")]);
    assert_eq!(read[5].tool_calls, [call("", "g", "{}")]);
    assert_eq!((read[4].tool_call_id.as_str(), read[6].tool_call_id.as_str()), ("c1", "g"));
}

#[rstest]
#[case::object(json!({"url": "https://example.com/a.png", "detail": "high"}), "messages[0].content[0].image_url.url")]
#[case::text(json!("https://example.com/a.png"), "messages[0].content[0].image_url")]
fn an_image_by_address_is_left_to_be_fetched(#[case] image: Value, #[case] param: &str) {
    let attachment = only_attachment(&content(json!([{"type": "image_url", "image_url": image}])));
    assert_eq!(attachment.source, Some(Source::Url("https://example.com/a.png".into())));
    assert_eq!(attachment.param, param);
}

#[rstest]
#[case::data_url(format!("data:image/png;base64,{PNG}"))]
#[case::bare(PNG.to_owned())]
fn an_image_inside_the_request_is_decoded(#[case] url: String) {
    let attachment = only_attachment(&content(json!([{"type": "image_url", "image_url": {"url": url}}])));
    assert_eq!(attachment.media_type, "image/png");
    let Some(Source::Data(data)) = attachment.source else { panic!("no data") };
    assert!(data.starts_with(b"\x89PNG"));
}

#[test]
fn a_file_keeps_its_name_and_type() {
    let part =
        json!({"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}});
    let expected = Attachment {
        source: Some(Source::Data(Bytes::from_static(b"hi"))),
        media_type: "text/plain".into(),
        file_name: "a.txt".into(),
        param: "messages[0].content[0].file.file_data".into(),
    };
    assert_eq!(only_attachment(&content(json!([part]))), expected);
}

#[rstest]
#[case::text(json!("END"), &["END"])]
#[case::list(json!(["a", "", "b"]), &["a", "b"])]
#[case::empty(json!(""), &[])]
#[case::nothing(json!([]), &[])]
fn stop_is_one_string_or_several(#[case] stop: Value, #[case] expected: &[&str]) {
    assert_eq!(parse(&with("stop", stop)).unwrap().stop, expected);
}

#[rstest]
#[case::newer(json!({"max_completion_tokens": 7}), Some(7))]
#[case::older(json!({"max_tokens": 7.0}), Some(7))]
#[case::both(json!({"max_completion_tokens": 9, "max_tokens": 7}), Some(7))]
#[case::huge(json!({"max_tokens": u64::MAX}), Some(i64::MAX as u64))]
#[case::neither(json!({"max_tokens": null}), None)]
fn the_smaller_limit_counts(#[case] fields: Value, #[case] expected: Option<u64>) {
    let mut request = content(json!("hi"));
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    assert_eq!(parse(&request).unwrap().max_tokens, expected);
}

/// Regenerate with `UPDATE_DOCS=1 cargo test -p grok2api-gateway`.
#[test]
fn the_page_of_fields_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/request-fields.md");
    let intro = "<!-- Generated from the tables of fields in gateway/src by the tests of grok2api-gateway (UPDATE_DOCS=1). -->\n\n\
        # Request fields\n\n\
        What becomes of every field of a request. `null` is the same as leaving a field out; fields that are not listed are\n\
        ignored, because clients send fields of their own.\n\n\
        | treatment | |\n|---|---|\n\
        | honoured | it does what it says |\n\
        | emulated | the upstream has no such control; this product does it |\n\
        | hint | its type is checked; the upstream has the last word |\n\
        | refused | 400 `unsupported_parameter`, unless the value asks for nothing special |\n";
    let chat = options::documentation(options::CHAT);
    let message = options::documentation(messages::MESSAGE);
    let [part, image, file] = [content::PART, content::IMAGE_URL, content::FILE].map(options::documentation);
    let messages = options::documentation(crate::anthropic::request::fields::FIELDS);
    let responses = options::documentation(crate::responses::request::fields::FIELDS);
    let images = images::documentation();
    let videos = options::documentation(videos::VIDEOS);
    let page = format!(
        "{intro}\n## Chat completions\n\n{chat}\n### `messages[]`\n\n{message}\n### `messages[].content[]`\n\n{part}\n\
         ### `messages[].content[].image_url`\n\n{image}\n### `messages[].content[].file`\n\n{file}\n\
         ## Responses\n\n{responses}\n## Messages\n\n{messages}\n## Images\n\n{images}\n## Videos\n\n{videos}"
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/request-fields.md is out of date: run the tests with UPDATE_DOCS=1");
}

/// JSON in the neighbourhood of a request: right names, any values.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "tool_calls",
        "function",
        "name",
        "stream",
        "stream_options",
        "include_usage",
        "n",
        "stop",
        "tools",
        "file",
        "file_data",
        "temperature",
    ]);
    let word = prop::sample::select(vec![
        "user",
        "assistant",
        "tool",
        "text",
        "image_url",
        "file",
        "data:",
        "",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_taken_or_refused_as_the_clients_fault(value in any_json()) {
        if let Err(error) = parse(&value) {
            prop_assert_eq!(error.kind, Kind::InvalidRequest);
        }
    }

    #[test]
    fn any_messages_are_taken_or_refused_as_the_clients_fault(value in any_json()) {
        if let Err(error) = parse(&json!({"model": "m", "messages": [{"role": "user", "content": "x"}, value]})) {
            prop_assert_eq!(error.kind, Kind::InvalidRequest);
            prop_assert!(error.param.is_some_and(|param| param.starts_with("messages[1]")));
        }
    }

    #[test]
    fn any_bytes_are_refused_as_the_clients_fault(bytes: Vec<u8>) {
        prop_assert_eq!(Completion::parse(&bytes).map_err(|error| error.kind), Err(Kind::InvalidRequest));
    }
}

#[rstest]
#[case("", 1)]
#[case("[1,2,3]", 3)]
#[case(r#"{"a":"x,\\,y\"","b":[1,2]}"#, 3)]
#[case(r#"{"a":"unclosed, "#, 1)]
fn values_are_counted_outside_strings(#[case] body: &str, #[case] count: usize) {
    assert_eq!(super::values(body.as_bytes()), count);
}

#[test]
fn a_body_of_countless_values_is_refused_before_it_takes_memory() {
    let body = format!(r#"{{"model":"grok-3-fast","messages":[{}0]}}"#, "0,".repeat(300_000));
    let error = Completion::parse(body.as_bytes()).err().unwrap();
    assert_eq!((error.kind, error.code.as_ref()), (Kind::TooLarge, "too_many_values"));
}
