//! What is kept over a restart, what changes without one, and what bad input gets.

use grok2api_proto::pool::Account;
use grok2api_upstream_sim::Pool;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Product, Shape};

#[tokio::test]
async fn a_second_start_keeps_accounts_parameters_quotas_and_media() {
    let product = Product::start().await;
    product
        .set(&[
            ("image_mode", json!("base64")),
            ("image_mode", json!("url")),
            ("base_url", json!("https://media.example")),
        ])
        .await;
    let answer = product.ask("grok-3-fast", "draw a moon").await.content();
    let image = answer.split("https://media.example").nth(1).unwrap().split(')').next().unwrap().to_owned();
    let before = product.settled().await;
    let product = product.restart().await;
    let after = product.accounts().await;
    let ids = |accounts: &[Account]| accounts.iter().map(|account| account.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
    let used = |accounts: &[Account]| accounts.iter().filter(|account| account.last_used_at > 0).count();
    assert_eq!((used(&before), used(&after)), (1, 1));
    assert_eq!(product.get(&image).await.status, 200);
    assert!(
        product.ask("grok-3-fast", "draw a sun").await.content().contains("https://media.example/images/")
    );
    product.stop().await;
}

#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn the_pool_counts_what_the_upstream_counts(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-super-1"]).await;
    known(&product).await;
    let turns = [
        ("grok-3-fast", "x", 1),
        ("grok-4-expert", "x", 4),
        ("grok-3-fast", "draw a moon", 4),
        ("grok-4-expert", "draw a moon", 4),
        ("grok-imagine-0.9", "sunrise", 1),
        ("grok-3-fast", "[[sim:fault=403-moderation]]x", 0),
    ];
    let mut left = 140;
    for (model, text, cost) in turns {
        product.ask(model, text).await;
        left -= cost;
        let upstream = product.sim.account("sim-super-1").unwrap().windows[&Pool::Credits].remaining;
        assert_eq!((upstream, normal(&product.settled().await)), (left, Some(left)), "{model} {text}");
    }
    product.stop().await;
}

/// Waits until the quota has been read.
async fn known(product: &Product) {
    while normal(&product.accounts().await).is_none() {
        tokio::task::yield_now().await;
    }
}

/// What is left of the only account's normal window.
fn normal(accounts: &[Account]) -> Option<u32> {
    accounts[0].windows.iter().find(|window| window.class == "normal")?.remaining
}

#[tokio::test]
async fn an_empty_pool_says_how_to_fill_it() {
    let product = Product::with(Shape::Whole, &[]).await;
    let answer = product.ask("grok-3-fast", "x").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_accounts"));
    assert!(answer.text.contains("grok2api accounts add"), "{}", answer.text);
    product.add(&["sim-basic-1"]).await;
    assert_eq!(product.ask("grok-3-fast", "x").await.status, 200);
    product.stop().await;
}

#[rstest]
#[case(json!({"messages": [{"role": "user", "content": "x"}]}), 400, "model")]
#[case(json!({"model": 3, "messages": []}), 400, "model")]
#[case(json!({"model": "grok-3-fast"}), 400, "messages")]
#[case(json!({"model": "grok-3-fast", "messages": "x"}), 400, "messages")]
#[case(json!({"model": "grok-3-fast", "messages": []}), 400, "messages")]
#[case(json!({"model": "grok-3-fast", "messages": [{"role": "wizard", "content": "x"}]}), 400, "messages[0].role")]
#[case(json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": 7}]}), 400, "messages[0].content")]
#[case(json!({"model": "grok-3-fast", "messages": [{"role": "user", "content": "   "}]}), 400, "messages")]
#[case(json!({"model": "grok-3-fast", "stream": "yes", "messages": [{"role": "user", "content": "x"}]}), 400, "stream")]
#[case(json!({"model": "grok-3-fast", "n": 5, "messages": [{"role": "user", "content": "x"}]}), 400, "n")]
#[case(json!({"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}), 404, "model")]
#[tokio::test]
async fn bad_input_is_told_with_its_parameter(#[case] body: Value, #[case] status: u16, #[case] param: &str) {
    let product = Product::start().await;
    let answer = product.chat(&body).await;
    let error = answer.json()["error"].clone();
    assert_eq!((answer.status, error["param"].as_str()), (status, Some(param)), "{}", answer.text);
    assert!(["message", "type", "param", "code"].iter().all(|key| error.get(key).is_some()));
    assert!(
        product.sim.requests().iter().all(|request| is_reading(&request.path)),
        "nothing reached the upstream"
    );
    product.stop().await;
}

/// Whether the pool makes the request by itself, to learn quotas and users.
fn is_reading(path: &str) -> bool {
    path.ends_with("/rate-limits") || path.ends_with("/auth/session")
}

#[rstest]
#[case(b"{\"model\": ".to_vec(), 400)]
#[case(b"\xff\xfe{}".to_vec(), 400)]
#[case(b"[]".to_vec(), 400)]
#[case(Vec::new(), 400)]
#[case(vec![b' '; 34 << 20], 413)]
#[tokio::test]
async fn what_is_no_request_is_refused_in_the_openai_shape(#[case] body: Vec<u8>, #[case] status: u16) {
    let product = Product::start().await;
    let answer = product.post("/v1/chat/completions", body).await;
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    assert!(!answer.header("x-request-id").is_empty());
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=next]]").await.content(), "next");
    product.stop().await;
}

#[tokio::test]
async fn parameters_apply_without_a_restart_and_bad_ones_change_nothing() {
    use grok2api_proto::config::UpdateRequest;
    let product = Product::start().await;
    let config = &product.gateway().services.config;
    let changes = [
        ("image_mode".to_owned(), "\"url\"".to_owned()),
        ("stream_total_timeout".to_owned(), "\"long\"".to_owned()),
    ]
    .into();
    let error = config
        .update(UpdateRequest { changes, expected_revision: None, author: "t".into() })
        .await
        .unwrap_err();
    assert_eq!(error.param.as_deref(), Some("stream_total_timeout"));
    product.set(&[("filtered_tags", json!(""))]).await;
    let answer = product.ask("grok-3-fast", "[[sim:say=a <xaiartifact>b]]").await;
    assert_eq!(answer.content(), "a <xaiartifact>b");
    product.set(&[("temporary", json!(false))]).await;
    product.ask("grok-3-fast", "x").await;
    let sent = product
        .sim
        .requests()
        .into_iter()
        .rfind(|request| request.path.ends_with("/conversations/new"))
        .unwrap();
    assert!(sent.body.unwrap().get().contains("\"temporary\":false"));
    product.stop().await;
}
