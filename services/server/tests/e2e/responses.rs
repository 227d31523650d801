//! Responses: asked, streamed, kept over a restart, and shared by replicas.

use std::time::Duration;

use futures_util::StreamExt as _;
use grok2api_testkit::{Backing, RedisServer};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{Answer, Product, Shape};

/// Far above what anything here needs.
const LONG: Duration = Duration::from_secs(60);

impl Product {
    async fn respond(&self, more: &Value) -> Answer {
        let mut body = json!({"model": "grok-3-fast"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post("/v1/responses", body.to_string()).await
    }
}

fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn id(response: &Value) -> &str {
    response["id"].as_str().unwrap()
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn a_conversation_goes_on_by_the_id_of_its_last_response(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2"]).await;
    let first = product.respond(&json!({"input": "[[sim:say=hello Ann]]I am Ann"})).await.json();
    assert_eq!(first["output"][0]["content"][0]["text"], "hello Ann");
    let asked =
        json!({"input": "[[sim:say=Ann]]Who am I?", "previous_response_id": first["id"], "stream": true});
    let streamed = product.respond(&asked).await;
    let events = events(&streamed.text);
    let second = &events.last().unwrap()["response"];
    assert_eq!(
        (&second["status"], &second["output"][0]["content"][0]["text"]),
        (&json!("completed"), &json!("Ann"))
    );
    // What was said before reaches the upstream.
    let mut chats =
        product.sim.requests().into_iter().filter(|request| request.path.ends_with("/conversations/new"));
    let told = chats.next_back().unwrap().body.unwrap().get().to_owned();
    assert!(told.contains("I am Ann") && told.contains("hello Ann"), "{told}");

    assert_eq!(&product.get(&format!("/v1/responses/{}", id(second))).await.json(), second);
    let items = product.get(&format!("/v1/responses/{}/input_items", id(second))).await.json();
    assert_eq!(items["data"].as_array().unwrap().len(), 1);
    let product = product.restart().await;
    assert_eq!(product.get(&format!("/v1/responses/{}", id(&first))).await.json(), first);
    let gone =
        product.send_with("", reqwest::Method::DELETE, &format!("/v1/responses/{}", id(&first)), None).await;
    assert_eq!((gone.status, &gone.json()["deleted"]), (200, &json!(true)));
    let lost = product.respond(&json!({"input": "x", "previous_response_id": second["id"]})).await;
    assert_eq!((lost.status, lost.code().as_str()), (404, "previous_response_not_found"));
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn searches_thought_and_images_are_told(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2"]).await;
    let asked = json!({
        "model": "grok-4-fast", "input": "[[sim:search]]news of the moon", "tools": [{"type": "web_search"}],
        "reasoning": {"summary": "auto"},
    });
    let answer = product.respond(&asked).await.json();
    let kinds: Vec<_> =
        answer["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    for kind in ["reasoning", "web_search_call", "message"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    let drawn = product.respond(&json!({"input": "draw a moon"})).await.json();
    let text = drawn["output"][0]["content"][0]["text"].as_str().unwrap();
    let image = text.split(&product.base).nth(1).unwrap().split(')').next().unwrap();
    assert_eq!(product.get(image).await.status, 200);
    let cut =
        product.respond(&json!({"input": "[[sim:say=one two three]]", "max_output_tokens": 1})).await.json();
    assert_eq!(cut["incomplete_details"], json!({"reason": "max_output_tokens"}));
    product.stop().await;
}

#[tokio::test]
async fn replicas_share_responses_and_cancel_what_another_one_gives() {
    let redis = Backing::Redis(RedisServer::start());
    let product = Product::on_store(Shape::Whole, &["sim-basic-1", "sim-basic-2"], redis).await;
    let other = product.replica(&[]).await;
    let other_base = format!("http://{}", other.addresses.http.unwrap());
    let first = product.respond(&json!({"input": "[[sim:say=hello]]I am Ann"})).await.json();
    let get = |path: String| async { Answer::of(product.http.get(path).send().await.unwrap()).await };
    assert_eq!(get(format!("{other_base}/v1/responses/{}", id(&first))).await.json(), first);
    let asked = json!({"model": "grok-3-fast", "input": "x", "previous_response_id": first["id"]});
    let second = product.http.post(format!("{other_base}/v1/responses")).body(asked.to_string());
    assert_eq!(second.send().await.unwrap().status(), 200);

    // The stream runs here, and is cancelled there.
    let endless =
        json!({"model": "grok-3-fast", "input": "[[sim:tokens=100000]][[sim:delay_ms=5]]", "stream": true});
    let request = product.http.post(format!("{}/v1/responses", product.base)).body(endless.to_string());
    let mut body = request.send().await.unwrap().bytes_stream();
    let mut seen = String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap();
    let running = events(&seen)[0]["response"]["id"].as_str().unwrap().to_owned();
    let reading = async {
        while let Some(Ok(chunk)) = body.next().await {
            seen.push_str(&String::from_utf8_lossy(&chunk));
        }
        seen
    };
    let cancelling = async {
        loop {
            // It is told of once a second.
            let request = product.http.post(format!("{other_base}/v1/responses/{running}/cancel"));
            let answer = Answer::of(request.send().await.unwrap()).await;
            if answer.status == 200 {
                return answer.json();
            }
            assert_eq!(answer.code(), "response_not_found");
            sleep(Duration::from_millis(100)).await;
        }
    };
    let (seen, cancelled) = timeout(LONG, async { tokio::join!(reading, cancelling) }).await.unwrap();
    assert_eq!((&cancelled["id"], &cancelled["status"]), (&json!(running), &json!("cancelled")));
    let last = events(&seen).pop().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["status"]),
        (&json!("response.failed"), &json!("cancelled"))
    );
    other.stop().await;
    product.stop().await;
}

#[tokio::test]
async fn nothing_is_kept_when_the_operator_wants_nothing_kept() {
    let product = Product::start().await;
    product.set(&[("response_retention_hours", json!(0))]).await;
    let answer = product.respond(&json!({"input": "[[sim:say=hello]]x"})).await.json();
    assert_eq!(answer["store"], false);
    assert_eq!(product.get(&format!("/v1/responses/{}", id(&answer))).await.status, 404);
    product.stop().await;
}

/// As codex asks: streamed, not kept, functions in a namespace, and all that it was told sent back.
#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn functions_are_called_and_their_results_are_read(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2"]).await;
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tools = json!([
        {"type": "function", "name": "now", "strict": false, "parameters": {"type": "object", "properties": {}}},
        {"type": "namespace", "name": "weather_v1", "description": "the weather", "tools": [
            {"type": "function", "name": "look", "strict": false, "parameters": parameters},
        ]},
        {"type": "web_search"},
    ]);
    let prompt = r#"[[sim:call=weather_v1__look {"city":"Rome"}]][[sim:call=now]]How is it in Rome?"#;
    let question =
        json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]});
    let asked = json!({"input": [question], "tools": tools, "stream": true, "store": false});
    let events = events(&product.respond(&asked).await.text);
    let output = events.last().unwrap()["response"]["output"].as_array().unwrap().clone();
    let calls: Vec<_> = output.iter().filter(|item| item["type"] == "function_call").collect();
    assert_eq!(calls.len(), 2, "{output:?}");
    assert_eq!((&calls[0]["name"], &calls[0]["namespace"]), (&json!("look"), &json!("weather_v1")));
    let arguments: Value = serde_json::from_str(calls[0]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!((arguments, &calls[1]["name"]), (json!({"city": "Rome"}), &json!("now")));
    assert!(events.iter().any(|event| event["type"] == "response.function_call_arguments.done"));

    let mut input = vec![question];
    input.extend(output.clone());
    for (call, result) in calls.iter().zip(["it rains", "noon"]) {
        input.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": result}));
    }
    let answer = product.respond(&json!({"input": input, "tools": tools, "store": false})).await.json();
    let text = answer["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("noon"), "{text}");
    product.stop().await;
}

#[tokio::test]
async fn an_answer_has_the_shape_that_was_asked_for() {
    let product = Product::start().await;
    let schema = json!({
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        "additionalProperties": false,
    });
    let format = json!({"type": "json_schema", "name": "place", "strict": true, "schema": schema});
    let asked = json!({"input": "[[sim:json]]Where?", "text": {"format": format}});
    let answer = product.respond(&asked).await.json();
    let text = answer["output"][0]["content"][0]["text"].as_str().unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    assert!(value["city"].is_string(), "{text}");
    assert_eq!(answer["text"]["format"], format);
    product.stop().await;
}
