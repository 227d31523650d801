//! Functions of the client's and answers in JSON, in both protocols: streamed and whole, well-behaved and not.

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Product, Shape, Streamed};

const CALL: &str = r#"[[sim:call=get_weather {"city":"Rome","days":2}]]"#;

fn weather() -> Value {
    json!({"type": "function", "function": {
        "name": "get_weather", "description": "How the weather is",
        "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"], "additionalProperties": false,
        },
    }})
}

fn request(text: &str, fields: Value) -> Value {
    let mut request = json!({"model": "grok-3-fast", "tools": [weather()], "messages": [{"role": "user", "content": text}]});
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request
}

/// The calls of a whole answer: names and arguments.
fn calls(choice: &Value) -> Vec<(String, Value)> {
    let list = choice["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
    let call = |call: &Value| {
        assert_eq!(call["type"], "function");
        assert!(call["id"].as_str().unwrap().starts_with("call_"), "{call}");
        let arguments = call["function"]["arguments"].as_str().unwrap();
        (call["function"]["name"].as_str().unwrap().to_owned(), serde_json::from_str(arguments).unwrap())
    };
    list.iter().map(call).collect()
}

/// A streamed answer as a whole one has it.
async fn streamed(product: &Product, request: &Value) -> Result<Value, Answer> {
    let mut request = request.clone();
    request["stream"] = json!(true);
    let response = product.open(&request).await;
    if response.status() != 200 {
        return Err(Answer::of(response).await);
    }
    let stream = Streamed::read(response).await;
    assert!(stream.done && stream.error.is_none(), "{stream:?}");
    let mut calls: Vec<Value> = Vec::new();
    for delta in
        stream.chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array())
    {
        let [delta] = delta.as_slice() else { panic!("{delta:?}") };
        let index = usize::try_from(delta["index"].as_u64().unwrap()).unwrap();
        if index == calls.len() {
            assert_eq!(delta["function"]["arguments"], "");
            calls.push(delta.clone());
        } else {
            calls[index]["function"]["arguments"] = delta["function"]["arguments"].clone();
        }
    }
    let content =
        if stream.content.is_empty() && !calls.is_empty() { Value::Null } else { json!(stream.content) };
    let finish = match stream.finish.as_slice() {
        [finish] => finish.clone(),
        finishes => panic!("{finishes:?}"),
    };
    Ok(json!({"message": {"content": content, "tool_calls": calls}, "finish_reason": finish}))
}

/// The choice of the answer, which is the same streamed and whole.
async fn both(product: &Product, request: &Value) -> Value {
    let whole = product.chat(request).await;
    assert_eq!(whole.status, 200, "{}", whole.text);
    let whole = whole.json()["choices"][0].clone();
    let streamed = streamed(product, request).await.unwrap_or_else(|answer| panic!("{}", answer.text));
    assert_eq!(streamed["message"]["content"], whole["message"]["content"]);
    assert_eq!((calls(&streamed), &streamed["finish_reason"]), (calls(&whole), &whole["finish_reason"]));
    whole
}

async fn product(shape: Shape) -> Product {
    let tokens: Vec<String> = (0..6).map(|n| format!("sim-basic-{n}")).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let product = Product::with(shape, &tokens).await;
    product.patience(60).await;
    product
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn a_function_is_called_however_the_model_writes_it(#[case] shape: Shape) {
    let product = product(shape).await;
    let wanted = ("get_weather".to_owned(), json!({"city": "Rome", "days": 2}));
    for (style, content) in [
        ("plain", Value::Null),
        ("split", Value::Null),
        ("fenced", Value::Null),
        ("unclosed", Value::Null),
        ("list", Value::Null),
        ("sloppy", Value::Null),
        ("types", Value::Null),
        ("prose", json!("I will look that up 🌕.\n\n\n\nOne moment.")),
        // Told what was wrong, the model does better.
        ("invalid", Value::Null),
        ("empty", Value::Null),
    ] {
        let choice = both(&product, &request(&format!("{CALL}[[sim:style={style}]] hello"), json!({}))).await;
        assert_eq!(calls(&choice), std::slice::from_ref(&wanted), "{style}: {choice}");
        assert_eq!(
            (&choice["message"]["content"], &choice["finish_reason"]),
            (&content, &json!("tool_calls")),
            "{style}"
        );
    }
    let text = format!("{CALL}[[sim:call=get_weather {{\"city\":\"Oslo\"}}]]");
    let choice = both(&product, &request(&text, json!({}))).await;
    let cities: Vec<Value> = calls(&choice).iter().map(|(_, arguments)| arguments["city"].clone()).collect();
    assert_eq!(cities, ["Rome", "Oslo"]);
    let choice = both(&product, &request(&text, json!({"parallel_tool_calls": false}))).await;
    assert_eq!(calls(&choice).len(), 1);
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn a_conversation_goes_on_with_the_result(#[case] shape: Shape) {
    let product = product(shape).await;
    let mut conversation = request(CALL, json!({"reasoning_effort": "low", "prompt_cache_key": "c-1"}));
    let first = product.chat(&conversation).await.json()["choices"][0]["message"].clone();
    let call = &first["tool_calls"][0];
    let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny, 25 degrees"});
    let messages = conversation["messages"].as_array_mut().unwrap();
    messages.extend([first.clone(), result]);
    let second = both(&product, &conversation).await;
    assert_eq!(second["message"]["content"], "The tool said: sunny, 25 degrees");
    assert_eq!(second["finish_reason"], "stop");
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn what_only_looks_like_a_call_is_text(#[case] shape: Shape) {
    let product = product(shape).await;
    for text in [
        "a < b and `code` and <tool> and <tool_call> and ```\nx\n```",
        r#"<tool_call>{"name": "somebody_else", "arguments": {}}</tool_call>"#,
    ] {
        let choice = both(&product, &request(&format!("[[sim:say={text}]][[sim:split]]"), json!({}))).await;
        assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!(text), &json!("stop")));
    }
    let none = both(&product, &request("hello", json!({"tool_choice": "none"}))).await;
    assert!(none["message"]["content"].as_str().unwrap().contains("hello"));
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn a_call_that_must_be_made_is_asked_for_twice(#[case] shape: Shape) {
    let product = product(shape).await;
    let named = json!({"type": "function", "function": {"name": "get_weather"}});
    for choice in [json!("required"), named] {
        let fields = json!({"tool_choice": choice});
        let answer = both(&product, &request(&format!("{CALL}[[sim:style=words]]"), fields.clone())).await;
        assert_eq!((calls(&answer).len(), &answer["message"]["content"]), (1, &Value::Null));
        let stubborn = request(&format!("{CALL}[[sim:style=words]][[sim:stubborn]]"), fields);
        for answer in [product.chat(&stubborn).await, streamed(&product, &stubborn).await.err().unwrap()] {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (502, "tool_call_missing"),
                "{}",
                answer.text
            );
        }
    }
    let broken = request(&format!("{CALL}[[sim:style=invalid]][[sim:stubborn]]"), json!({}));
    for answer in [product.chat(&broken).await, streamed(&product, &broken).await.err().unwrap()] {
        assert_eq!((answer.status, answer.code().as_str()), (502, "tool_call_invalid"), "{}", answer.text);
    }
    let mut strict = request("hello", json!({}));
    strict["tools"][0]["function"]["strict"] = json!(true);
    strict["tools"][0]["function"]["parameters"] = json!({"type": "whole"});
    let refused = product.chat(&strict).await;
    assert!(refused.status == 400 && refused.text.contains("get_weather"), "{}", refused.text);
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn both_turns_of_a_repair_are_charged_and_nobody_is_blamed(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    product.patience(60).await;
    let left = async |product: &Product| {
        let account = product.settled().await.remove(0);
        assert!(account.failures.is_empty(), "{account:?}");
        account.windows.iter().find(|window| window.class == "normal").unwrap().remaining.unwrap()
    };
    let once = product.chat(&request(CALL, json!({}))).await;
    let before = left(&product).await;
    let twice = product.chat(&request(&format!("{CALL}[[sim:style=empty]]"), json!({}))).await;
    let tokens = |answer: &Answer| answer.json()["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!(tokens(&twice) > 2 * tokens(&once), "{} {}", twice.text, once.text);
    assert_eq!(twice.header("x-g2a-attempts"), "2");
    assert_eq!(before - left(&product).await, 2);
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn an_answer_is_json_when_it_must_be(#[case] shape: Shape) {
    let product = product(shape).await;
    let schema = json!({
        "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"], "additionalProperties": false,
    });
    let ask = |text: &str, format: Value| json!({"model": "grok-4-fast", "messages": [{"role": "user", "content": text}], "response_format": format});
    let strict =
        json!({"type": "json_schema", "json_schema": {"name": "person", "strict": true, "schema": schema}});
    for style in ["plain", "split", "fenced", "prose", "sloppy", "types", "invalid", "empty"] {
        let choice =
            both(&product, &ask(&format!("[[sim:json]][[sim:style={style}]]"), strict.clone())).await;
        let content = choice["message"]["content"].as_str().unwrap();
        let value: Value =
            serde_json::from_str(content).unwrap_or_else(|error| panic!("{style}: {error} in {content}"));
        assert_eq!(value, json!({"name": "moon", "age": 7}), "{style}");
        assert_eq!(choice["finish_reason"], "stop");
    }
    let mut stubborn = ask("[[sim:json]][[sim:style=empty]][[sim:stubborn]]", strict);
    // Reasoning would be shown before it is known.
    stubborn["model"] = json!("grok-3-fast");
    for answer in [product.chat(&stubborn).await, streamed(&product, &stubborn).await.err().unwrap()] {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (502, "structured_output_invalid"),
            "{}",
            answer.text
        );
    }
    let any = both(&product, &ask("[[sim:json]]", json!({"type": "json_object"}))).await;
    assert!(any["message"]["content"].as_str().unwrap().starts_with('{'));
    product.stop().await;
}

#[tokio::test]
async fn several_answers_and_the_functions_of_old() {
    let product = product(Shape::Whole).await;
    let several = product.chat(&request(CALL, json!({"n": 2}))).await.json();
    let made: Vec<usize> =
        several["choices"].as_array().unwrap().iter().map(|choice| calls(choice).len()).collect();
    assert_eq!(made, [1, 1]);
    let mut old = request(CALL, json!({"functions": [weather()["function"]]}));
    old.as_object_mut().unwrap().remove("tools");
    let choice = product.chat(&old).await.json()["choices"][0].clone();
    assert_eq!(choice["message"]["function_call"]["name"], "get_weather");
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("function_call"), &Value::Null)
    );
    product.stop().await;
}

#[tokio::test]
async fn failures_before_and_behind_the_first_word_are_told_as_ever() {
    let product = product(Shape::Whole).await;
    let again = both(&product, &request(&format!("{CALL}[[sim:fault=500:1]]"), json!({}))).await;
    assert_eq!(calls(&again).len(), 1, "another account makes the call");
    let cut = request(&format!("{CALL}[[sim:fault=reset-mid]]"), json!({}));
    let answer = product.chat(&cut).await;
    assert!(answer.status >= 500 && answer.code().starts_with("upstream_"), "{}", answer.text);
    let long = request(&format!("{CALL} hello"), json!({"max_tokens": 5}));
    let choice = both(&product, &long).await;
    assert_eq!((&choice["finish_reason"], calls(&choice).len()), (&json!("length"), 0));
    assert_eq!(choice["message"]["content"], "", "half a call is not shown");
    product.stop().await;
}

#[tokio::test]
async fn models_have_aliases_and_siblings() {
    let product = product(Shape::Whole).await;
    for (model, effort, upstream) in [
        ("grok-4-fast-high", Value::Null, "MODEL_MODE_EXPERT"),
        ("grok-4-fast", json!("high"), "MODEL_MODE_EXPERT"),
        ("grok-4-fast", json!("medium"), "MODEL_MODE_GROK_4_MINI_THINKING"),
    ] {
        let body = json!({"model": model, "reasoning_effort": effort, "messages": [{"role": "user", "content": "hi"}]});
        let answer = product.chat(&body).await;
        assert_eq!((answer.status, &answer.json()["model"]), (200, &json!(model)), "{}", answer.text);
        let state =
            product.http.get(format!("{}/__sim/state?last=20", product.sim.url())).send().await.unwrap();
        let state: Value = serde_json::from_str(&state.text().await.unwrap()).unwrap();
        let mut asked = state["requests"].as_array().unwrap().iter();
        let is_chat = |request: &&Value| request["path"].as_str().unwrap().ends_with("/conversations/new");
        let chat = asked.rfind(is_chat).unwrap();
        assert_eq!(chat["body"]["modelMode"], upstream, "{model} {effort}");
    }
    product.stop().await;
}

/// The events of a streamed message, each a name and its data.
async fn events(product: &Product, body: &Value) -> Vec<Value> {
    let mut body = body.clone();
    body["stream"] = json!(true);
    let answer = product.post("/v1/messages?beta=true", body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn an_agent_works_in_the_other_protocol(#[case] shape: Shape) {
    let product = product(shape).await;
    let tool = json!({"name": "Read", "description": "Reads a file", "defer_loading": true,
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}});
    let mut body = json!({
        "model": "grok-3-fast", "max_tokens": 32000, "thinking": {"type": "adaptive"},
        "system": [{"type": "text", "text": "Be an agent.", "cache_control": {"type": "ephemeral"}}],
        "tools": [tool, {"type": "web_search_20250305", "name": "web_search"}],
        "context_management": {"edits": []}, "output_config": {"effort": "high"}, "metadata": {"user_id": "u-1"},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "[[sim:call=Read {\"path\":\"a.txt\"}]][[sim:style=prose]]"}]},
            {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        ],
    });
    let answer = product.post("/v1/messages", body.to_string()).await.json();
    assert_eq!(answer["stop_reason"], "tool_use", "{answer}");
    let call =
        answer["content"].as_array().unwrap().iter().find(|block| block["type"] == "tool_use").unwrap();
    assert_eq!((&call["name"], &call["input"]), (&json!("Read"), &json!({"path": "a.txt"})));
    let told = events(&product, &body).await;
    let begun = told.iter().find(|event| event["content_block"]["type"] == "tool_use").unwrap();
    assert_eq!(begun["content_block"]["input"], json!({}));
    let input: String = told.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&input).unwrap(), json!({"path": "a.txt"}));
    let count = |kind: &str| told.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(count("content_block_start"), count("content_block_stop"));
    assert!(told.iter().any(|event| event["delta"]["stop_reason"] == "tool_use"), "{told:#?}");

    let png =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}});
    let result = json!({"type": "tool_result", "tool_use_id": call["id"], "is_error": true,
        "content": [{"type": "text", "text": "no such file"}, image], "cache_control": {"type": "ephemeral"}});
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": answer["content"]}));
    messages.push(json!({"role": "user", "content": [result]}));
    let answer = product.post("/v1/messages", body.to_string()).await.json();
    assert_eq!(answer["stop_reason"], "end_turn", "{answer}");
    let text = answer["content"].as_array().unwrap().iter().find_map(|block| block["text"].as_str()).unwrap();
    assert!(text.starts_with("The tool said: The tool failed:\nno such file"), "{text}");

    body["messages"] =
        json!([{"role": "user", "content": "[[sim:call=Read {\"path\":\"b\"}]][[sim:style=words]]"}]);
    body["tool_choice"] = json!({"type": "any", "disable_parallel_tool_use": true});
    let answer = product.post("/v1/messages", body.to_string()).await.json();
    assert_eq!(answer["content"][0]["input"], json!({"path": "b"}), "{answer}");
    product.stop().await;
}
