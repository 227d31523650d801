//! Kept bodies in the admin API, and requests that are asked once more.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Admin, start};
use crate::support::{Product, Shape};

const TOKENS: [&str; 2] = ["sim-basic-1", "sim-basic-2"];

/// A request whose bodies are kept, by its id in the ledger.
async fn kept(product: &Product, owner: &Admin, body: &Value, number: usize) -> String {
    let answer = product.chat(body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = product.entries(number).await[number - 1].id.clone();
    loop {
        let answer = owner.send(Method::GET, &format!("/api/requests/{id}/bodies"), None).await;
        if answer.status == 200 {
            return id;
        }
        assert_eq!(answer.code(), "bodies_not_found");
        tokio::task::yield_now().await;
    }
}

fn say(text: &str, stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": format!("[[sim:say={text}]]")}]);
    json!({"model": "grok-3-fast", "stream": stream, "messages": messages})
}

fn conversations(product: &Product) -> usize {
    product.sim.requests().iter().filter(|request| request.path.ends_with("/conversations/new")).count()
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn kept_bodies_are_read_and_a_request_is_asked_once_more(#[case] shape: Shape) {
    let (product, owner) = start(shape, &TOKENS).await;
    let (viewer, operator) =
        (owner.colleague("vera", "viewer").await, owner.colleague("otto", "operator").await);
    product.set(&[("capture_share_percent", json!(100))]).await;
    let id = kept(&product, &owner, &say("as before", false), 1).await;
    let (bodies, replay) = (format!("/api/requests/{id}/bodies"), format!("/api/requests/{id}/replay"));

    assert_eq!(viewer.refused(Method::GET, &bodies, &json!({})).await, (403, "FORBIDDEN".into()));
    let pool = json!({"target": "pool"});
    assert_eq!(viewer.refused(Method::POST, &replay, &pool).await, (403, "FORBIDDEN".into()));
    let told = operator.get(&bodies).await;
    assert!(told["request"]["body"].as_str().unwrap().contains("[[sim:say=as before]]"), "{told}");
    assert_eq!((&told["answer"]["text"], &told["answer"]["truncated"]), (&json!("as before"), &json!(false)));

    let before = conversations(&product);
    let again = operator.post(&replay, &pool).await;
    assert_eq!((&again["status"], &again["text"]), (&json!(200), &json!("as before")), "{again}");
    assert!(again["body"].as_str().unwrap().contains("chat.completion"));
    assert_eq!(conversations(&product), before + 1);

    // One account and no other.
    let accounts = product.accounts().await;
    for account in &accounts {
        let target = json!({"target": {"account": account.id}});
        let again = operator.post(&replay, &target).await;
        assert_eq!(again["status"], 200, "{again}");
        let entries = product.entries(3).await;
        let request_id = again["request_id"].as_str().unwrap().to_owned();
        let entry = loop {
            let found = product.entries(entries.len()).await;
            if let Some(entry) = found.into_iter().find(|entry| entry.request_id == request_id) {
                break entry;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(entry.account, account.id);
    }
    let disable = json!({"enabled": false});
    let path = format!("/api/accounts/{}", accounts[0].id);
    assert_eq!(owner.send(Method::PATCH, &path, Some(&disable)).await.status, 200);
    let again = operator.post(&replay, &json!({"target": {"account": accounts[0].id}})).await;
    assert_eq!(again["status"], 503, "{again}");
    assert!(again["body"].as_str().unwrap().contains("account_cannot_serve"), "{again}");
    let nobody = json!({"target": {"account": "01a20a21-aa8c-75c6-b893-981b0ee758d5"}});
    assert_eq!(operator.refused(Method::POST, &replay, &nobody).await, (404, "account_not_found".into()));

    let log = owner.get("/api/actions?limit=200").await;
    let found = |what: &str| {
        let items = log["items"].as_array().unwrap();
        items.iter().find(|item| item["what"] == what && item["actor"] == "otto").cloned().unwrap()
    };
    assert_eq!(found("bodies.read")["target"], json!(id));
    let replayed = found("request.replay");
    assert_eq!(
        (&replayed["target"], &replayed["after"]["target"]["account"]),
        (&json!(id), &json!(accounts[0].id))
    );
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn a_replay_against_the_simulator_touches_neither_upstream_nor_ledger(#[case] shape: Shape) {
    let (product, owner) = start(shape, &TOKENS).await;
    product.set(&[("capture_share_percent", json!(100))]).await;
    let id = kept(&product, &owner, &say("streamed words", true), 1).await;
    let told = owner.get(&format!("/api/requests/{id}/bodies")).await;
    assert_eq!(told["answer"]["text"], "streamed words", "{told}");
    let before = conversations(&product);
    let replay = format!("/api/requests/{id}/replay");
    let again = owner.post(&replay, &json!({"target": "simulator"})).await;
    assert_eq!((&again["status"], &again["text"]), (&json!(200), &json!("streamed words")), "{again}");
    assert!(again["media_type"].as_str().unwrap().starts_with("text/event-stream"));
    // An entry would be there before that of a later request.
    product.ask("grok-3-fast", "[[sim:say=later]]").await;
    assert_eq!(product.entries(2).await.len(), 2);
    assert_eq!(conversations(&product), before + 1, "that of the later request");
    product.stop().await;
}

#[tokio::test]
async fn what_was_not_kept_whole_or_gives_no_answer_cannot_be_replayed() {
    let (product, owner) = start(Shape::Whole, &TOKENS).await;
    product.set(&[("capture_share_percent", json!(100)), ("capture_max_body_kb", json!(1))]).await;
    let long = format!("{} end", "word ".repeat(1000));
    let id = kept(&product, &owner, &say(&long, false), 1).await;
    let told = owner.get(&format!("/api/requests/{id}/bodies")).await;
    assert_eq!(told["request"]["truncated"], true);
    let pool = json!({"target": "pool"});
    let path = format!("/api/requests/{id}/replay");
    assert_eq!(owner.refused(Method::POST, &path, &pool).await, (409, "body_truncated".into()));
    assert_eq!(owner.refused(Method::POST, &path, &json!({"target": "moon"})).await.0, 400);
    product.post("/v1/videos", json!({"prompt": "the sun rises"}).to_string()).await;
    let entries = product.entries(2).await;
    let film = &entries.iter().find(|entry| entry.endpoint == "/v1/videos").unwrap().id;
    let path = format!("/api/requests/{film}/replay");
    assert_eq!(owner.refused(Method::POST, &path, &pool).await, (409, "not_replayable".into()));
    product.stop().await;
}
