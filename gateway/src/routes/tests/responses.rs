//! Responses: as they come, and when clients come back to them.

use std::{sync::Arc, time::Duration};

use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Kind,
    chat::{End, Text, chat_event},
    keys::Facts,
    ledger::Outcome,
};
use grok2api_testkit::{FakeKeys, Step};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::ClientKeys;

fn request(method: &str, path: &str, body: &Value) -> Request<Body> {
    let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
    Request::builder().method(method).uri(path).header("host", "g.example").body(body).unwrap()
}

fn asked(more: &Value) -> Value {
    let mut asked = json!({"model": "grok-4-fast", "input": "hi"});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    asked
}

impl Gateway {
    async fn respond(&self, more: &Value) -> Answer {
        self.ask(request("POST", "/v1/responses", &asked(more))).await
    }

    async fn stored(&self, method: &str, path: &str) -> Answer {
        self.ask(request(method, &format!("/v1/responses/{path}"), &Value::Null)).await
    }
}

fn events(answer: &Answer) -> Vec<Value> {
    let data = answer.text().lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn an_answer_is_given_and_kept() {
    let gateway = Gateway::new();
    let answer = gateway.respond(&json!({"metadata": {"a": "b"}})).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/json")));
    assert!(answer.header("x-g2a-attempts").is_some());
    let response = answer.json();
    assert_eq!((&response["status"], &response["store"]), (&json!("completed"), &json!(true)));
    assert_eq!(response["output"][0]["content"][0]["text"], "Hello");
    assert_eq!(response["metadata"], json!({"a": "b"}));
    let id = response["id"].as_str().unwrap();
    let turn = &gateway.chat.requests()[0];
    assert_eq!(turn.request_id.trim_start_matches("turn_"), id.trim_start_matches("resp_"));
    assert_eq!(turn.conversation, id.trim_start_matches("resp_"));

    assert_eq!(gateway.stored("GET", id).await.json(), response);
    let items = gateway.stored("GET", &format!("{id}/input_items")).await.json();
    assert_eq!((&items["data"][0]["content"][0]["text"], &items["has_more"]), (&json!("hi"), &json!(false)));
    // One that has ended stays as it is.
    assert_eq!(gateway.stored("POST", &format!("{id}/cancel")).await.json(), response);
    let gone = gateway.stored("DELETE", id).await.json();
    assert_eq!(gone, json!({"id": id, "object": "response", "deleted": true}));
    gateway.stored("GET", id).await.is_error(404, "invalid_request_error", "response_not_found");
    gateway.stored("GET", &format!("{id}?stream=true")).await.is_error(
        400,
        "invalid_request_error",
        "unsupported_parameter",
    );
    let [entry] = &gateway.ledger.recorded(1).await[..] else { panic!("one entry") };
    assert_eq!((entry.endpoint.as_str(), entry.outcome()), ("/v1/responses", Outcome::Success));
}

#[tokio::test]
async fn a_stream_tells_the_same_and_is_kept_before_it_ends() {
    let gateway = Gateway::new();
    let (status, headers, body) =
        gateway.open(request("POST", "/v1/responses", &asked(&json!({"stream": true})))).await;
    assert_eq!(
        (status.as_u16(), headers["content-type"].as_bytes()),
        (200, &b"text/event-stream; charset=utf-8"[..])
    );
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let events = events(&Answer { status, headers, body });
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    let id = last["response"]["id"].as_str().unwrap();
    assert_eq!(gateway.stored("GET", id).await.json(), last["response"]);
}

#[tokio::test]
async fn a_conversation_goes_on() {
    let gateway = Gateway::new();
    let first = gateway.respond(&json!({"input": "I am Ann", "instructions": "be brief"})).await.json();
    let second = json!({"previous_response_id": first["id"], "input": "who am I?"});
    let second = gateway.respond(&second).await.json();
    assert_eq!(second["previous_response_id"], first["id"]);
    let third = json!({"previous_response_id": second["id"], "input": [
        {"type": "item_reference", "id": first["output"][0]["id"]}, {"role": "user", "content": "sure?"},
    ]});
    assert_eq!(gateway.respond(&third).await.status, 200);
    let [one, two, three] = &gateway.chat.requests()[..] else { panic!("three turns") };
    // Instructions are for one answer only.
    assert_eq!((one.messages.len(), two.messages.len(), three.messages.len()), (2, 3, 6));
    assert!(one.conversation == two.conversation && two.conversation == three.conversation);

    let wrong = gateway.respond(&json!({"previous_response_id": "resp_1"})).await;
    wrong.is_error(404, "invalid_request_error", "previous_response_not_found");
    assert_eq!(wrong.json()["error"]["param"], "previous_response_id");
    let wrong = gateway.respond(&json!({"input": [{"id": "msg_0123456789abcdef0123456789abcdef_0"}]})).await;
    wrong.is_error(400, "invalid_request_error", "item_not_found");
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_not() {
    let gateway = Gateway::new();
    let answer = gateway.respond(&json!({"store": false})).await.json();
    assert_eq!(answer["store"], false);
    gateway.respond(&json!({"store": false, "stream": true, "prompt_cache_key": "key"})).await;
    assert!(gateway.responses.all().is_empty());
    let conversations: Vec<_> = gateway.chat.requests().into_iter().map(|turn| turn.conversation).collect();
    assert_eq!(conversations, ["", "key"]);

    let gateway = Gateway::configured([], |config| config.response_retention_hours = 0);
    assert_eq!(gateway.respond(&json!({})).await.json()["store"], false);
    assert!(gateway.responses.all().is_empty());
}

#[tokio::test]
async fn an_outage_of_the_store_costs_nothing_but_the_response() {
    let gateway = Gateway::new();
    gateway.responses.away(true);
    assert_eq!(gateway.respond(&json!({})).await.status, 200);
    gateway.respond(&json!({"previous_response_id": "resp_1"})).await.is_error(503, "server_error", "away");
}

#[tokio::test]
async fn a_failure_before_the_answer_has_a_status_of_its_own() {
    for stream in [false, true] {
        let error = Error::new(Kind::RateLimited, "saturated", "all accounts are busy");
        let gateway = Gateway::playing([Turn::refused(error)]);
        gateway.respond(&json!({"stream": stream})).await.is_error(429, "rate_limit_error", "saturated");
        assert!(gateway.responses.all().is_empty());
    }
}

#[tokio::test]
async fn a_late_failure_ends_the_stream_and_is_kept() {
    let text = chat_event::Kind::Text(Text { text: "one".into() });
    let error = Error::new(Kind::Upstream, "upstream_failed", "it broke");
    let gateway = Gateway::playing([Turn::of([Step::Batch(vec![text]), Step::Fail(error)])]);
    let events = events(&gateway.respond(&json!({"stream": true})).await);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["error"], json!({"code": "server_error", "message": "it broke"}));
    let id = last["response"]["id"].as_str().unwrap();
    assert_eq!(gateway.stored("GET", id).await.json()["status"], "failed");
}

#[rstest::rstest]
#[case::kept(true)]
#[case::not_kept(false)]
#[tokio::test(start_paused = true)]
async fn a_running_response_is_cancelled(#[case] store: bool) {
    let text = chat_event::Kind::Text(Text { text: "one".into() });
    let gateway = Gateway::playing([Turn::of([Step::Batch(vec![text]), Step::Hang])]);
    let streamed = asked(&json!({"stream": true, "store": store}));
    let (status, headers, mut body) = gateway.open(request("POST", "/v1/responses", &streamed)).await;
    let id = gateway.chat.requests()[0].request_id.replace("turn_", "resp_");
    let reading = async {
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            all.extend(frame.unwrap().into_data().unwrap());
        }
        all
    };
    let cancel = format!("{id}/cancel");
    let (body, cancelled) = tokio::join!(reading, gateway.stored("POST", &cancel));
    let events = events(&Answer { status, headers, body });
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["status"]),
        (&json!("response.failed"), &json!("cancelled"))
    );
    let cancelled = cancelled.json();
    assert_eq!((&cancelled["id"], &cancelled["status"]), (&json!(id), &json!("cancelled")));
    assert_eq!(cancelled["output"].as_array().unwrap().len(), usize::from(store));
    assert_eq!(gateway.stored("GET", &id).await.status.as_u16(), if store { 200 } else { 404 });
}

#[tokio::test(start_paused = true)]
async fn a_response_belongs_to_the_key_it_was_asked_with() {
    let key = |secret: &str| Facts {
        id: format!("id-{secret}"),
        digest: Sha256::digest(secret.as_bytes()).to_vec().into(),
        ..Facts::default()
    };
    let (service, tasks): (Arc<FakeKeys>, _) = (FakeKeys::of(vec![key("sk-a"), key("sk-b")]), Tasks::new());
    let known = ClientKeys::follow(service, Clock::manual(1_760_000_000_000), &tasks).await.unwrap();
    let text = || Step::Batch(vec![chat_event::Kind::Text(Text { text: "one".into() })]);
    let end = Step::Batch(vec![chat_event::Kind::End(End::default())]);
    let turns = [Turn::answer("Hello"), Turn::of([text(), Step::Wait(Duration::from_secs(60)), end])];
    let gateway = Gateway::keyed(turns, |_| {}, known, tasks);
    let ask = |secret: &str, method: &str, path: &str, body: &Value| {
        let mut request = request(method, path, body);
        request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
        gateway.ask(request)
    };
    let response = ask("sk-a", "POST", "/v1/responses", &asked(&json!({}))).await.json();
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    assert_eq!(ask("sk-a", "GET", &path, &Value::Null).await.status, 200);
    for (method, path) in [
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("GET", format!("{path}/input_items")),
        ("POST", format!("{path}/cancel")),
    ] {
        ask("sk-b", method, &path, &Value::Null).await.is_error(
            404,
            "invalid_request_error",
            "response_not_found",
        );
    }
    let goes_on = asked(&json!({"previous_response_id": response["id"]}));
    ask("sk-b", "POST", "/v1/responses", &goes_on).await.is_error(
        404,
        "invalid_request_error",
        "previous_response_not_found",
    );
    // Nor is one that is running stopped by another.
    let running = asked(&json!({"stream": true}));
    let stopping = async {
        while gateway.chat.requests().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let id = gateway.chat.requests()[1].request_id.replace("turn_", "resp_");
        ask("sk-b", "POST", &format!("/v1/responses/{id}/cancel"), &Value::Null).await
    };
    let (ran, stopped) = tokio::join!(ask("sk-a", "POST", "/v1/responses", &running), stopping);
    stopped.is_error(404, "invalid_request_error", "response_not_found");
    assert_eq!(events(&ran).last().unwrap()["type"], "response.completed");
}

#[tokio::test]
async fn input_is_listed_in_pages() {
    let gateway = Gateway::new();
    let input: Vec<_> =
        (0..5).map(|n| json!({"id": format!("m{n}"), "role": "user", "content": format!("{n}")})).collect();
    let id = gateway.respond(&json!({"input": input})).await.json()["id"].as_str().unwrap().to_owned();
    for (query, expected, more) in [
        ("order=asc&limit=2", vec!["m0", "m1"], true),
        ("order=asc&limit=9&after=m2", vec!["m3", "m4"], false),
        ("limit=2", vec!["m4", "m3"], true),
    ] {
        let page = gateway.stored("GET", &format!("{id}/input_items?{query}")).await.json();
        let ids: Vec<_> =
            page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!((ids, page["has_more"].as_bool().unwrap()), (expected, more), "{query}");
        assert_eq!(
            (&page["first_id"], &page["last_id"]),
            (&page["data"][0]["id"], &page["data"].as_array().unwrap().last().unwrap()["id"])
        );
    }
}

#[tokio::test]
async fn input_is_counted_without_asking_the_upstream() {
    let gateway = Gateway::new();
    let counted = asked(&json!({"input": "twelve chars"}));
    let answer = gateway.ask(request("POST", "/v1/responses/input_tokens", &counted)).await;
    assert_eq!(answer.json(), json!({"object": "response.input_tokens", "input_tokens": 3}));
    assert!(gateway.chat.requests().is_empty());
}
