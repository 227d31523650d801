//! Client keys, the log of requests, and sums of it.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Admin, keys, start};
use crate::support::Shape;

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn a_key_is_made_used_changed_and_revoked(#[case] shape: Shape) {
    let (product, owner) = start(shape, &["sim-basic-1"]).await;
    let made = owner.post("/api/keys", &json!({"spec": {"name": "Anna"}})).await;
    let (secret, id) = (made["secret"].as_str().unwrap(), made["key"]["id"].as_str().unwrap());
    let fields = ["created_at", "id", "last_used_at", "masked", "revoked_at", "spec", "status", "version"];
    assert_eq!((keys(&made), keys(&made["key"])), (vec!["key", "secret"], fields.to_vec()));
    let fields = [
        "account_tags",
        "addresses",
        "budgets",
        "disabled",
        "expires_at",
        "limits",
        "models",
        "name",
        "note",
    ];
    assert_eq!(keys(&made["key"]["spec"]), fields);
    let listed = owner.get("/api/keys").await;
    assert_eq!(
        (&listed["items"][0]["status"], listed["items"].as_array().unwrap().len()),
        (&json!("active"), 1)
    );
    assert!(!listed.to_string().contains(secret), "the secret is shown once");
    assert_eq!(product.ask_with(secret, "grok-3-fast", "[[sim:say=hi]]").await.status, 200);

    let spec = json!({"name": "Anna", "models": ["grok-4-fast"]});
    let path = format!("/api/keys/{id}");
    let change = json!({"spec": spec, "expected_version": 1});
    let changed = owner.send(Method::PUT, &path, Some(&change)).await.json();
    assert_eq!((&changed["version"], &changed["spec"]["models"]), (&json!(2), &json!(["grok-4-fast"])));
    let late = owner.refused(Method::PUT, &path, &change).await;
    assert_eq!(late, (409, "revision_conflict".into()));
    assert_eq!(owner.post(&format!("{path}/revoke"), &json!({})).await["status"], "revoked");
    assert_eq!(owner.get("/api/keys").await["items"], json!([]));
    assert_eq!(owner.get("/api/keys?revoked=true").await["items"][0]["status"], "revoked");
    let actions = owner.actions().await;
    for what in ["client_key.create", "client_key.update", "client_key.revoke"] {
        assert!(actions.contains(&format!("admin {what}")), "{what}: {actions:?}");
    }
    product.stop().await;
}

/// Waits until the ledger holds so many requests.
async fn recorded(owner: &Admin, count: usize) -> Value {
    loop {
        let listed = owner.get("/api/requests").await;
        if listed["items"].as_array().unwrap().len() >= count {
            return listed;
        }
        tokio::task::yield_now().await;
    }
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn requests_are_listed_summed_and_written_as_a_table(#[case] shape: Shape) {
    let (product, owner) = start(shape, &["sim-basic-0001", "sim-basic-0002"]).await;
    let made = owner.post("/api/keys", &json!({"spec": {"name": "=Anna, laptop"}})).await;
    let (secret, key) = (made["secret"].as_str().unwrap(), made["key"]["id"].as_str().unwrap());
    for _ in 0..3 {
        assert_eq!(product.ask_with(secret, "grok-3-fast", "[[sim:say=hi there]]").await.status, 200);
    }
    let limited = product.ask_with(secret, "grok-4-fast", "[[sim:fault=429:1]] [[sim:say=second]]").await;
    assert_eq!(limited.status, 200, "{}", limited.text);
    assert_eq!(product.ask_with(secret, "no-such-model", "hi").await.status, 404);
    let listed = recorded(&owner, 5).await;
    let fields = [
        "account",
        "account_token",
        "attempts",
        "client_key",
        "completion_tokens",
        "duration_ms",
        "endpoint",
        "error_code",
        "error_message",
        "first_output_ms",
        "http_status",
        "id",
        "images",
        "key_name",
        "model",
        "outcome",
        "prompt_tokens",
        "reasoning_tokens",
        "request_id",
        "started_at",
        "stream",
        "tokens_estimated",
        "units",
        "videos",
    ];
    assert_eq!(keys(&listed["items"][0]), fields);

    let first = owner.get("/api/requests?model=grok-3-fast&limit=2").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next =
        format!("/api/requests?model=grok-3-fast&limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let rest = owner.get(&next).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
    let failed = owner.get(&format!("/api/requests?outcome=invalid_request&key={key}")).await;
    assert_eq!(
        (&failed["items"][0]["error_code"], &failed["items"][0]["account"]),
        (&json!("model_not_found"), &Value::Null)
    );

    let twice = owner.get("/api/requests?model=grok-4-fast").await;
    let one = owner.get(&format!("/api/requests/{}", twice["items"][0]["id"].as_str().unwrap())).await;
    let attempts = one["attempts"].as_array().unwrap();
    assert_eq!(
        (attempts.len(), &attempts[0]["outcome"], &attempts[1]["outcome"]),
        (2, &json!("rate_limited"), &json!("success"))
    );
    assert_eq!((&one["key_name"], &one["account_token"]), (&json!("=Anna, laptop"), &attempts[1]["token"]));
    assert_eq!(
        owner.refused(Method::GET, "/api/requests/turn_01a20ac49ae570b4976d99bfb6921980", &json!({})).await.0,
        404
    );

    let answer = owner.send(Method::GET, "/api/requests.csv?model=grok-3-fast", None).await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let rows: Vec<&str> = answer.text.trim_end().split("\r\n").collect();
    assert_eq!(rows.len(), 4);
    assert!(
        rows[0].starts_with("id,request_id,started_at") && rows[1].contains("\"'=Anna, laptop\""),
        "{}",
        rows[1]
    );

    let dashboard = owner.get("/api/dashboard?range=1h&group_by=model").await;
    assert_eq!(keys(&dashboard), ["from", "group_by", "series", "to", "totals", "width"]);
    assert_eq!((&dashboard["width"], &dashboard["totals"]["requests"]), (&json!(60_000), &json!(5)));
    assert_eq!((&dashboard["totals"]["success"], &dashboard["totals"]["failed"]), (&json!(4), &json!(1)));
    let fields = [
        "client_cancelled",
        "completion_tokens",
        "duration",
        "failed",
        "first_output",
        "images",
        "lost",
        "outcomes",
        "prompt_tokens",
        "reasoning_tokens",
        "requests",
        "start",
        "success",
        "tokens_per_second",
        "units",
        "videos",
    ];
    assert_eq!(keys(&dashboard["totals"]), fields);
    let series = &dashboard["series"][0];
    assert_eq!((&series["id"], &series["total"]["requests"]), (&json!("grok-3-fast"), &json!(3)));
    let buckets: u64 =
        series["buckets"].as_array().unwrap().iter().map(|bucket| bucket["requests"].as_u64().unwrap()).sum();
    assert_eq!(buckets, 3);
    let by_key = owner.get("/api/dashboard?group_by=key&range=24h").await;
    assert_eq!(
        (&by_key["series"][0]["id"], &by_key["series"][0]["label"]),
        (&json!(key), &json!("=Anna, laptop"))
    );
    let by_account = owner.get("/api/dashboard?group_by=account&range=7d").await;
    assert!(by_account["series"].to_string().contains("sim-…"), "{}", by_account["series"]);
    for range in ["6h", "30d", "90d"] {
        assert_eq!(
            owner.get(&format!("/api/dashboard?range={range}")).await["totals"]["requests"],
            5,
            "{range}"
        );
    }
    let usage = owner.get(&format!("/api/keys/{key}/usage?range=1h")).await;
    assert_eq!((&usage["totals"]["requests"], &usage["group_by"]), (&json!(5), &json!("key")));
    product.stop().await;
}
