use grok2api_proto::chat::{attachment::Source, part, tool_choice::Mode};
use rstest::rstest;
use serde_json::json;

use super::*;

fn read(request: &Value) -> Result<ChatRequest> {
    Ok(asked(request)?.take_request("turn_1".into()))
}

fn asked(request: &Value) -> Result<Asked> {
    let mut full = json!({"model": "grok-4-fast", "input": "hi"});
    full.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    Draft::parse(full.to_string().as_bytes())?.read(Known::default(), true)
}

/// The texts, each with its role.
fn said(request: &ChatRequest) -> Vec<(Role, String)> {
    let text = |message: &Message| {
        let texts = message.parts.iter().filter_map(|part| match &part.kind {
            Some(part::Kind::Text(text)) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<String>()
    };
    request.messages.iter().map(|message| (message.role(), text(message))).collect()
}

#[test]
fn a_text_is_a_message_behind_the_instructions() {
    let request = read(&json!({"instructions": "be brief", "max_output_tokens": 9})).unwrap();
    assert_eq!(said(&request), [(Role::System, "be brief".into()), (Role::User, "hi".into())]);
    assert_eq!((request.max_tokens, request.model.as_str()), (Some(9), "grok-4-fast"));
}

#[test]
fn items_are_messages_calls_and_results() {
    let request = read(&json!({"input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}], "id": "m"},
        {"role": "user", "content": "two and two?"},
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "id": "m2", "status": "completed", "phase": "x",
         "content": [{"type": "output_text", "text": "let me see", "annotations": []}]},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{\"a\":2}", "id": "fc"},
        {"type": "function_call", "call_id": "c2", "name": "spawn", "namespace": "team"},
        {"type": "custom_tool_call", "call_id": "c3", "name": "patch", "input": "+1"},
        {"type": "function_call_output", "call_id": "c1", "output": "4"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "done"}]},
        {"type": "custom_tool_call_output", "call_id": "c3", "output": "ok"},
        {"type": "web_search_call", "id": "ws", "status": "completed", "action": {}},
        {"type": "local_shell_call_output", "id": "l", "output": "?"},
        {"type": "compaction", "anything": 1},
        {"role": "user", "content": [{"type": "input_text", "text": "and?"}]},
    ]}))
    .unwrap();
    let told: Vec<_> = said(&request);
    assert_eq!(
        told.iter().map(|(role, text)| (*role, text.as_str())).collect::<Vec<_>>(),
        [
            (Role::System, "rules"),
            (Role::User, "two and two?"),
            (Role::Assistant, "let me see"),
            (Role::Tool, "4"),
            (Role::Tool, "done"),
            (Role::Tool, "ok"),
            (Role::User, "and?"),
        ]
    );
    let calls: Vec<_> = request.messages[2]
        .tool_calls
        .iter()
        .map(|call| (&*call.id, &*call.name, &*call.arguments))
        .collect();
    assert_eq!(
        calls,
        [("c1", "add", "{\"a\":2}"), ("c2", "team__spawn", ""), ("c3", "patch", "{\"input\":\"+1\"}")]
    );
    assert_eq!(request.messages[4].tool_call_id, "c2");
}

#[test]
fn images_and_files_come_along() {
    let request = read(&json!({"input": [{"role": "user", "content": [
        {"type": "input_image", "image_url": "https://a.example/1.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGk="},
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
    ]}]}))
    .unwrap();
    let parts = request.messages[0].parts.iter().map(|part| match &part.kind {
        Some(part::Kind::Attachment(attachment)) => attachment.clone(),
        _ => panic!("no attachment"),
    });
    let parts: Vec<_> = parts.collect();
    assert_eq!(parts[0].param, "input[0].content[0].image_url");
    assert_eq!(parts[1].source, Some(Source::Data("hi".into())));
    assert_eq!((parts[1].file_name.as_str(), parts[1].media_type.as_str()), ("a.txt", "text/plain"));
    assert_eq!(parts[2].source, Some(Source::Url("https://a.example/b.pdf".into())));
}

/// As codex sends it.
#[test]
fn tools_are_functions_and_others_are_tolerated() {
    let request = json!({
        "tools": [
            {"type": "function", "name": "exec_command", "description": "runs", "strict": false,
             "parameters": {"type": "object"}},
            {"type": "namespace", "name": "multi_agent_v1", "description": "d", "tools": [
                {"type": "function", "name": "spawn", "parameters": {}},
            ]},
            {"type": "custom", "name": "apply_patch", "format": {"type": "grammar"}},
            {"type": "web_search", "external_web_access": true},
            {"type": "something_new", "x": [1]},
        ],
        "tool_choice": "auto", "parallel_tool_calls": false, "reasoning": {"summary": "auto", "effort": "high"}, "store": false,
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "key", "client_metadata": {"a": "b"},
        "never_heard_of": [],
    });
    let mut asked = asked(&request).unwrap();
    assert!(asked.thinks && asked.tools.searches && !asked.echo.store && asked.input.is_empty());
    assert_eq!(asked.conversation.as_deref(), Some("key"));
    let name = asked.tools.names.of("multi_agent_v1__spawn");
    assert_eq!((name.name.as_str(), name.namespace.as_deref()), ("spawn", Some("multi_agent_v1")));
    assert!(asked.tools.names.of("apply_patch").custom && !asked.tools.names.of("exec_command").custom);
    let request = asked.take_request("turn_1".into());
    let names: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["exec_command", "multi_agent_v1__spawn", "apply_patch"]);
    assert_eq!(request.tools[0].parameters, r#"{"type":"object"}"#);
    assert_eq!(request.effort, "high");
    assert!(request.single_call && request.tool_choice.unwrap().mode() == Mode::Auto);
}

#[rstest]
#[case(json!("required"), Mode::Required, "", 3)]
#[case(json!("none"), Mode::None, "", 3)]
#[case(json!({"type": "function", "name": "b"}), Mode::Required, "b", 3)]
#[case(json!({"type": "function", "name": "c", "namespace": "n"}), Mode::Required, "n__c", 3)]
#[case(json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "a"}]}), Mode::Required, "", 1)]
#[case(json!({"type": "web_search"}), Mode::Auto, "", 3)]
fn a_tool_is_chosen(#[case] choice: Value, #[case] mode: Mode, #[case] name: &str, #[case] tools: usize) {
    let request = read(&json!({"tool_choice": choice, "tools": [
        {"type": "function", "name": "a"}, {"type": "function", "name": "b"},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "c"}]},
    ]}))
    .unwrap();
    let chosen = request.tool_choice.unwrap_or_default();
    assert_eq!((chosen.mode(), chosen.name.as_str(), request.tools.len()), (mode, name, tools));
}

#[rstest]
#[case(json!({"type": "text"}), None)]
#[case(json!({"type": "json_object"}), Some(("", "", false)))]
#[case(json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true}),
    Some(("n", r#"{"type":"object"}"#, true)))]
fn the_answer_has_a_shape(#[case] format: Value, #[case] expected: Option<(&str, &str, bool)>) {
    let request = read(&json!({"text": {"format": format, "verbosity": "low"}})).unwrap();
    let told = request.format.as_ref().map(|format| (&*format.name, &*format.schema, format.strict));
    assert_eq!(told, expected);
}

#[rstest]
#[case(json!({"input": null}), "input", "missing_required_parameter")]
#[case(json!({"input": []}), "input", "invalid_value")]
#[case(json!({"input": " "}), "input", "invalid_value")]
#[case(json!({"input": 7}), "input", "invalid_type")]
#[case(json!({"input": [7]}), "input[0]", "invalid_type")]
#[case(json!({"input": [{"role": "robot", "content": "x"}]}), "input[0].role", "invalid_value")]
#[case(json!({"input": [{"role": "user"}]}), "input[0].content", "missing_required_parameter")]
#[case(json!({"input": [{"role": "user", "content": [{"type": "x"}]}]}), "input[0].content[0].type", "invalid_value")]
#[case(json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
    "input[0].content[0].file_id", "unsupported_parameter")]
#[case(json!({"input": [{"type": "function_call", "name": "x"}]}), "input[0].call_id", "missing_required_parameter")]
#[case(json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "input[0]", "item_not_found")]
#[case(json!({"input": [{"id": "msg_1"}]}), "input[0]", "item_not_found")]
#[case(json!({"tools": "x"}), "tools", "invalid_type")]
#[case(json!({"tools": [{"type": "function"}]}), "tools[0].name", "missing_required_parameter")]
#[case(json!({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]}),
    "tools[0].tools[0].name", "missing_required_parameter")]
#[case(json!({"tool_choice": "some"}), "tool_choice", "invalid_value")]
#[case(json!({"tool_choice": {"type": "function", "name": "x"}}), "tool_choice.name", "invalid_value")]
#[case(json!({"tool_choice": {"type": "allowed_tools", "mode": "any", "tools": []}}), "tool_choice.mode", "invalid_value")]
#[case(json!({"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "x"}]}}),
    "tool_choice.tools", "invalid_value")]
#[case(json!({"text": {"format": {"type": "xml"}}}), "text.format.type", "invalid_value")]
#[case(json!({"text": {"format": {"type": "json_schema", "name": "x"}}}), "text.format.schema", "missing_required_parameter")]
#[case(json!({"reasoning": {"summary": "long"}}), "reasoning.summary", "invalid_value")]
#[case(json!({"max_output_tokens": 0}), "max_output_tokens", "invalid_value")]
#[case(json!({"background": true}), "background", "unsupported_parameter")]
#[case(json!({"conversation": "c"}), "conversation", "unsupported_parameter")]
#[case(json!({"temperature": 9}), "temperature", "invalid_value")]
fn a_wrong_request_is_refused_by_name(#[case] request: Value, #[case] param: &str, #[case] code: &str) {
    let error = asked(&request).unwrap_err();
    assert_eq!((error.param.as_deref(), error.code.as_ref()), (Some(param), code));
}

#[test]
fn what_was_said_before_comes_first_and_references_are_filled_in() {
    let before = vec![json!({"role": "user", "content": "I am Ann"})];
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let known = Known { before, items: HashMap::from([("fc_1".to_owned(), call)]) };
    let draft = json!({"model": "m", "previous_response_id": "resp_1", "input": [
        {"type": "item_reference", "id": "fc_1"}, {"type": "function_call_output", "call_id": "c", "output": "1"},
    ]});
    let draft = Draft::parse(draft.to_string().as_bytes()).unwrap();
    assert_eq!(draft.previous(), Some("resp_1"));
    assert_eq!(draft.references().collect::<Vec<_>>(), ["fc_1"]);
    let mut asked = draft.read(known, true).unwrap();
    // The item itself is kept.
    assert_eq!(asked.input[0]["type"], "function_call");
    let request = asked.take_request("turn_1".into());
    assert_eq!(said(&request)[0], (Role::User, "I am Ann".into()));
    assert_eq!((request.messages[1].tool_calls[0].name.as_str(), request.messages.len()), ("f", 3));
}

#[test]
fn the_input_is_kept_as_items_with_ids() {
    let digits = "0123456789abcdef0123456789abcdef";
    let kept = |input: &Value| {
        let mut items = kept::items(Some(input));
        kept::name(&mut items, digits);
        items
    };
    let text = json!([{"type": "input_text", "text": "hi"}]);
    assert_eq!(
        kept(&json!("hi")),
        [
            json!({"id": format!("msg_{digits}_i0"), "type": "message", "role": "user", "status": "completed", "content": text})
        ]
    );
    let items = kept(&json!([
        {"id": "mine", "role": "assistant", "content": "yes"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://a.example"}]},
    ]));
    assert_eq!(items[0]["id"], "mine");
    assert_eq!(
        items[0]["content"],
        json!([{"type": "output_text", "text": "yes", "annotations": [], "logprobs": []}])
    );
    assert_eq!(
        (&items[1]["id"], &items[1]["status"]),
        (&json!(format!("fco_{digits}_i1")), &json!("completed"))
    );
    assert_eq!(items[2]["content"][0]["detail"], "auto");
}
