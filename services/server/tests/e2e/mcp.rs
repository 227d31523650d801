//! The Model Context Protocol, as its clients speak it: JSON-RPC over HTTP.

use grok2api_proto::ledger::{QueryRequest, QueryResponse};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Product, Shape};

const KEY: &str = "sk-mcp";

/// The result of a call, or its error.
async fn call(product: &Product, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = product.http.post(format!("{}/mcp", product.base)).bearer_auth(KEY);
    let request = request.header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("mcp-protocol-version", "2025-06-18");
    let response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200, "{method}");
    let text = response.text().await.unwrap();
    // One answer, as JSON or as the data of an event.
    let mut data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    let answer = data.rfind(|data| data.starts_with('{')).unwrap_or(&text).to_owned();
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    answer.get("result").or_else(|| answer.get("error")).cloned().unwrap()
}

async fn tool(product: &Product, name: &str, arguments: Value) -> (bool, String) {
    let result = call(product, "tools/call", json!({"name": name, "arguments": arguments})).await;
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned();
    (result["isError"] == true, text)
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn grok_is_three_tools(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-super-1", "sim-super-2"]).await;
    product.set(&[("api_key", json!(KEY))]).await;
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    let hello = call(&product, "initialize", hello).await;
    assert_eq!(hello["serverInfo"]["name"], "grok2api", "{hello}");
    let tools = call(&product, "tools/list", json!({})).await;
    let names: Vec<_> =
        tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ask_grok", "draw_image", "make_video"]);

    let (failed, text) = tool(&product, "ask_grok", json!({"question": "[[sim:say=because]]why?"})).await;
    assert_eq!((failed, text.as_str()), (false, "because"));
    let (_, found) = tool(&product, "ask_grok", json!({"question": "[[sim:search]]news of the moon"})).await;
    assert!(found.contains("\n\nSources:\nhttps://"), "{found}");
    let (failed, links) = tool(&product, "draw_image", json!({"prompt": "draw a moon", "n": 2})).await;
    let links: Vec<_> = links.lines().collect();
    assert!(!failed && links.len() == 2, "{links:?}");
    for link in links {
        assert_eq!(product.get(link.strip_prefix(&product.base).unwrap()).await.status, 200);
    }
    let (failed, link) = tool(&product, "make_video", json!({"prompt": "the sun rises"})).await;
    assert!(!failed, "{link}");
    assert_eq!(product.get(link.strip_prefix(&product.base).unwrap()).await.status, 200);
    product.stop().await;
}

#[tokio::test]
async fn failures_are_results_and_every_call_is_written_down() {
    let product = Product::start().await;
    product.set(&[("api_key", json!(KEY))]).await;
    for (name, arguments, code) in [
        ("ask_grok", json!({}), "missing_required_parameter"),
        ("ask_grok", json!({"question": "x", "model": "grok-9"}), "model_not_found"),
        ("draw_image", json!({"prompt": "[[sim:fault=403-moderation]]x"}), ""),
    ] {
        let (failed, text) = tool(&product, name, arguments).await;
        assert!(failed && text.contains(code), "{text}");
    }
    let unknown = call(&product, "tools/call", json!({"name": "rm", "arguments": {}})).await;
    assert!(unknown["message"].as_str().unwrap().contains("rm"), "{unknown}");
    let ledger = &product.gateway().services.ledger;
    loop {
        let QueryResponse { entries, .. } =
            ledger.query(QueryRequest { limit: 10, ..QueryRequest::default() }).await.unwrap();
        if entries.len() == 3 {
            assert!(entries.iter().all(|entry| entry.endpoint == "/mcp"));
            break;
        }
        tokio::task::yield_now().await;
    }
    // Without the key there is nothing.
    let request = product.http.post(format!("{}/mcp", product.base)).body("{}");
    assert_eq!(request.send().await.unwrap().status(), 401);
    product.stop().await;
}
