//! Chats: streamed and whole, in every layout; what clients rely on in each chunk; cancellation; failover.

use futures_util::StreamExt as _;
use rstest::rstest;
use serde_json::json;

use crate::support::{Product, Shape, Streamed};

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn a_chat_is_answered_streamed_and_whole(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let whole = product.ask("grok-3-fast", "[[sim:say=你好, 🌕 world]]").await;
    assert_eq!((whole.status, whole.content().as_str()), (200, "你好, 🌕 world"), "{}", whole.text);
    let streamed =
        product.stream("grok-3-fast", "[[sim:say=你好, 🌕 world]][[sim:split]]").await.ok().unwrap();
    assert_eq!(streamed.content, "你好, 🌕 world");
    assert_eq!((streamed.finish.as_slice(), streamed.done), (["stop".to_owned()].as_slice(), true));
    let usage = streamed.usage.unwrap();
    assert_eq!(
        usage["total_tokens"],
        json!(usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap())
    );
    assert_eq!(usage["estimated"], true);
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn limits_end_an_answer_and_several_answers_come_together(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2"]).await;
    let ask = |fields: serde_json::Value| {
        let mut request = json!({"model": "grok-3-fast", "messages": [
            {"role": "user", "content": "[[sim:say=one two three four]][[sim:delay_ms=50]]"}]});
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        request
    };
    let stopped = product.chat(&ask(json!({"stop": ["zz", "three"]}))).await.json();
    let choice = &stopped["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("one two "), &json!("stop"))
    );
    product.sim.wait(|counters| counters.cancelled == 1).await;
    let cut = product.chat(&ask(json!({"max_completion_tokens": 2, "n": 2}))).await.json();
    assert_eq!(cut["choices"].as_array().unwrap().len(), 2);
    for (index, choice) in cut["choices"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&choice["index"], &choice["message"]["content"]), (&json!(index), &json!("one two ")));
        assert_eq!(choice["finish_reason"], "length");
    }
    assert_eq!(cut["usage"]["completion_tokens"], 4);
    product.sim.wait(|counters| counters.cancelled == 3).await;
    product.stop().await;
}

#[tokio::test]
async fn every_chunk_has_the_shape_that_strict_clients_need() {
    let product = Product::start().await;
    let streamed = product.stream("grok-4-fast", "[[sim:search]]hello").await.ok().unwrap();
    let first = &streamed.chunks[0];
    for chunk in &streamed.chunks {
        for field in ["id", "object", "created", "model"] {
            assert_eq!(chunk[field], first[field], "{field} in {chunk}");
        }
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk["created"].is_i64() && chunk.get("usage").is_some());
    }
    let roles =
        streamed.chunks.iter().filter(|chunk| chunk["choices"][0]["delta"]["role"].is_string()).count();
    assert_eq!((roles, first["choices"][0]["delta"]["role"].as_str()), (1, Some("assistant")));
    let last = streamed.chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!(!streamed.reasoning.is_empty() && !streamed.content.contains("grok:render"));
    let annotations =
        streamed.chunks.iter().filter(|chunk| chunk["choices"][0]["delta"]["annotations"].is_array());
    assert!(annotations.count() > 0, "{:#?}", streamed.chunks);
    product.stop().await;
}

#[rstest]
#[case("a")]
#[case("b")]
#[case("c")]
#[case("d")]
#[tokio::test]
async fn the_upstreams_framing_does_not_matter(#[case] framing: &str) {
    let product = Product::start().await;
    let prompt = format!("[[sim:framing={framing}]][[sim:split]][[sim:say=one 二 three 🦀]]");
    assert_eq!(product.stream("grok-3-fast", &prompt).await.ok().unwrap().content, "one 二 three 🦀");
    product.stop().await;
}

#[tokio::test]
async fn reasoning_is_shown_as_the_request_or_the_operator_wants() {
    let product = Product::start().await;
    let ask = |mode: &str| json!({"model": "grok-4-fast", "thinking_mode": mode, "messages": [{"role": "user", "content": "[[sim:say=answer]]"}]});
    let answer = product.chat(&ask("reasoning_content")).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "answer");
    assert!(!answer["choices"][0]["message"]["reasoning_content"].as_str().unwrap().is_empty());
    let think = product.chat(&ask("think")).await.content();
    assert!(think.starts_with("<think>\n") && think.ends_with("\n</think>\nanswer"), "{think:?}");
    assert_eq!(product.chat(&ask("off")).await.content(), "answer");
    product.set(&[("thinking_mode", json!("off"))]).await;
    let answer = product.ask("grok-4-fast", "[[sim:say=answer]]").await;
    assert!(!answer.text.contains("Thinking"), "{}", answer.text);
    product.stop().await;
}

#[tokio::test]
async fn what_the_upstream_is_sent_is_what_was_asked_and_configured() {
    let product = Product::start().await;
    product
        .set(&[
            ("cf_clearance", json!("clear")),
            ("x_statsig_id", json!("stat")),
            ("user_agent", json!("UA/1")),
        ])
        .await;
    let messages = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]);
    assert_eq!(product.chat(&json!({"model": "grok-4-expert", "messages": messages})).await.status, 200);
    let requests = product.sim.requests();
    let sent = requests.iter().find(|request| request.path.ends_with("/conversations/new")).unwrap();
    let body: serde_json::Value = serde_json::from_str(sent.body.as_ref().unwrap().get()).unwrap();
    assert_eq!(body["modelName"], "grok-4");
    assert_eq!(body["modelMode"], "MODEL_MODE_EXPERT");
    assert_eq!(body["temporary"], true);
    assert_eq!(body["message"], "[system]\nBe brief.\n\n[user]\nHi");
    let header = |name: &str| {
        sent.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str())
    };
    assert_eq!((header("user-agent"), header("x-statsig-id")), ("UA/1", "stat"));
    assert!(header("cookie").contains("cf_clearance="), "{}", header("cookie"));
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn a_client_that_leaves_stops_the_upstream_at_once(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let body = json!({"model": "grok-3-fast", "stream": true,
        "messages": [{"role": "user", "content": "[[sim:tokens=100000]][[sim:delay_ms=5]]"}]});
    let mut stream = product.open(&body).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    product.sim.wait(|counters| counters.cancelled == 1 && counters.in_flight == 0).await;
    let accounts = product.settled().await;
    assert_eq!(accounts[0].status(), grok2api_proto::pool::Status::Active);
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=next]]").await.content(), "next");
    product.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_output_stops_the_upstream_too() {
    let product = Product::start().await;
    product.patience(60).await;
    let body = json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "[[sim:fault=stall-mid]]hello"}]});
    let waiting = product.open(&body);
    tokio::select! {
        _ = waiting => panic!("nothing can come"),
        () = product.sim.wait(|_| turns(&product) == 1) => {}
    }
    product.sim.wait(|counters| counters.cancelled >= 1 && counters.in_flight == 0).await;
    product.settled().await;
    product.stop().await;
}

#[tokio::test]
async fn another_account_takes_over_before_the_first_output() {
    let product = Product::start().await;
    let streamed =
        product.stream("grok-3-fast", "[[sim:fault=500:1]][[sim:say=rescued]]").await.ok().unwrap();
    assert_eq!((streamed.content.as_str(), streamed.error), ("rescued", None));
    let tried: Vec<_> = product
        .sim
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with("/conversations/new"))
        .collect();
    assert_eq!(tried.len(), 2);
    assert_ne!(tried[0].account, tried[1].account);
    product.stop().await;
}

#[tokio::test]
async fn a_limit_of_the_only_account_is_told_as_a_limit_and_its_failure_as_a_failure() {
    let product = Product::with(Shape::Whole, &["sim-basic-1"]).await;
    let failed = product.ask("grok-3-fast", "[[sim:fault=500]]x").await;
    assert_eq!((failed.status, failed.code().as_str()), (502, "upstream_error"));
    let limited = product.ask("grok-3-fast", "[[sim:fault=429+Retry-After=7]]x").await;
    assert_eq!((limited.status, limited.json()["error"]["type"].as_str()), (429, Some("rate_limit_error")));
    assert!((1..=7).contains(&limited.header("retry-after").parse::<u32>().unwrap()));
    let refused = product.ask("grok-3-fast", "x").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "pool_exhausted"));
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
    product.stop().await;
}

#[tokio::test]
async fn at_most_three_accounts_are_tried() {
    let product = Product::with(
        Shape::Whole,
        &["sim-basic-1", "sim-basic-2", "sim-basic-3", "sim-basic-4", "sim-basic-5"],
    )
    .await;
    let answer = product.ask("grok-3-fast", "[[sim:fault=502-html]]x").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_error"));
    assert_eq!(turns(&product), 3);
    product.stop().await;
}

#[tokio::test]
async fn a_long_wait_is_filled_with_pings_and_a_late_failure_is_told_in_band() {
    let product = Product::start().await;
    product.set(&[("stream_first_response_timeout", json!(12)), ("max_attempts", json!(1))]).await;
    let body = json!({"model": "grok-3-fast", "stream": true, "messages": [{"role": "user", "content": "[[sim:fault=stall-before-first-byte]]x"}]});
    let response = product.open(&body).await;
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    assert!(text.starts_with(": ping"), "{text}");
    assert!(
        text.contains("upstream_first_response_timeout") && !text.contains("finish_reason\":\"stop"),
        "{text}"
    );
    product.stop().await;
}

#[tokio::test]
async fn the_models_are_listed_and_found() {
    let product = Product::start().await;
    let list = product.get("/v1/models").await.json();
    let ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "grok-3-fast",
            "grok-4-fast",
            "grok-4-fast-expert",
            "grok-4-expert",
            "grok-4-heavy",
            "grok-imagine-0.9"
        ]
    );
    let model = product.get("/v1/models/grok-4-fast").await.json();
    assert_eq!(
        (model["owned_by"].as_str(), model["raw_model_path"].as_str()),
        (Some("x-ai"), Some("xai/grok-4-mini-thinking-tahoe"))
    );
    let unknown = product.get("/v1/models/gpt-4").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "model_not_found"));
    let unknown = product.ask("gpt-4", "x").await;
    assert_eq!((unknown.status, unknown.json()["error"]["param"].as_str()), (404, Some("model")));
    product.stop().await;
}

#[tokio::test]
async fn the_key_is_checked_when_one_is_set() {
    let product = Product::start().await;
    product.set(&[("api_key", json!("sk-right"))]).await;
    let refused = product.ask("grok-3-fast", "x").await;
    assert_eq!(
        (refused.status, refused.json()["error"]["type"].as_str()),
        (401, Some("authentication_error"))
    );
    let body = json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "x"}]}).to_string();
    for (key, status) in [("sk-right", 200), ("sk-wrong", 401)] {
        let request = product
            .http
            .post(format!("{}/v1/chat/completions", product.base))
            .bearer_auth(key)
            .body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), status, "{key}");
    }
    assert_eq!(product.get("/health").await.status, 200);
    product.stop().await;
}

#[tokio::test]
async fn heavy_is_served_by_super_accounts_only() {
    let product = Product::start().await;
    let refused = product.ask("grok-4-heavy", "x").await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "no_account_for_tier"));
    product.add(&["sim-super-1"]).await;
    assert_eq!(product.ask("grok-4-heavy", "[[sim:say=heavy]]").await.content(), "heavy");
    product.stop().await;
}

#[tokio::test]
async fn streams_of_many_accounts_do_not_mix() {
    let product = Product::with(Shape::Whole, &["sim-basic-1", "sim-basic-2", "sim-super-1"]).await;
    let prompts: Vec<String> =
        (0..20).map(|n| format!("[[sim:say=answer number {n} of twenty]][[sim:delay_ms=1]]")).collect();
    let answers =
        futures_util::future::join_all(prompts.iter().map(|prompt| product.stream("grok-3-fast", prompt)))
            .await;
    for (n, answer) in answers.into_iter().enumerate() {
        let Streamed { content, .. } = answer.ok().unwrap();
        assert_eq!(content, format!("answer number {n} of twenty"));
    }
    product.stop().await;
}

/// How many turns the upstream was asked for.
fn turns(product: &Product) -> usize {
    product.sim.requests().iter().filter(|request| request.path.ends_with("/conversations/new")).count()
}
