//! Parameters: typed, changed one at a time, with a history and a way back.

use std::time::Duration;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Admin, PASSWORD, keys, start, try_login};
use crate::support::Shape;

fn parameter<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == name).unwrap()
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn parameters_are_changed_by_revision_and_rolled_back(#[case] shape: Shape) {
    let (product, owner) = start(shape, &[]).await;
    let first = owner.get("/api/settings/parameters").await;
    assert_eq!(first["revision"], 0);
    let fields = [
        "choices",
        "default",
        "description",
        "format",
        "group",
        "is_set",
        "kind",
        "max",
        "min",
        "name",
        "overridden",
        "required",
        "scope",
        "secret",
        "value",
    ];
    let attempts = parameter(&first, "max_attempts");
    assert_eq!(keys(attempts), fields);
    assert_eq!(
        (&attempts["min"], &attempts["max"], &attempts["group"]),
        (&json!(1), &json!(10), &json!("accounts"))
    );
    assert_eq!(parameter(&first, "image_mode")["choices"], json!(["url", "base64"]));

    let patch = async |changes: Value, expected: u64| {
        let body = json!({"changes": changes, "expected_revision": expected});
        owner.send(Method::PATCH, "/api/settings/parameters", Some(&body)).await
    };
    let changed = patch(json!({"max_attempts": 5, "api_key": "sk-a-secret-key"}), 0).await.json();
    assert_eq!((&changed["revision"], &changed["author"]), (&json!(1), &json!("admin")));
    assert_eq!(
        (&parameter(&changed, "max_attempts")["value"], &parameter(&changed, "max_attempts")["overridden"]),
        (&json!(5), &json!(true))
    );
    let secret = parameter(&changed, "api_key");
    assert_eq!((&secret["value"], &secret["is_set"]), (&Value::Null, &json!(true)));
    assert_eq!(patch(json!({"max_attempts": 6}), 0).await.code(), "revision_conflict");
    let wrong = patch(json!({"max_attempts": 6, "image_mode": "jpeg"}), 1).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["param"]), (400, &json!("image_mode")));
    assert_eq!(patch(json!({"max_attempts": null}), 1).await.json()["revision"], 2);

    let history = owner.get("/api/settings/revisions?limit=1").await;
    assert_eq!(history["items"][0]["changes"], json!([{"name": "max_attempts", "before": 5, "after": 3}]));
    let older = owner
        .get(&format!("/api/settings/revisions?cursor={}", history["next_cursor"].as_str().unwrap()))
        .await;
    assert_eq!(
        older["items"][0]["changes"][0],
        json!({"name": "api_key", "before": "", "after": "********"})
    );
    assert_eq!((older["items"].as_array().unwrap().len(), &older["next_cursor"]), (1, &Value::Null));
    let back = owner.post("/api/settings/rollback", &json!({"revision": 1, "expected_revision": 2})).await;
    assert_eq!((&back["revision"], &parameter(&back, "max_attempts")["value"]), (&json!(3), &json!(5)));
    let late = json!({"revision": 0, "expected_revision": 2});
    assert_eq!(
        owner.refused(Method::POST, "/api/settings/rollback", &late).await,
        (409, "revision_conflict".into())
    );

    let actions = owner.get("/api/actions").await.to_string();
    assert!(actions.contains("settings.update") && actions.contains("settings.rollback"));
    assert!(!actions.contains("sk-a-secret-key"));
    let system = owner.get("/api/system").await;
    assert_eq!(
        keys(&system),
        [
            "base_url",
            "open_api",
            "operations",
            "replicas",
            "revision",
            "shared_live",
            "storage_mode",
            "upstream",
            "version"
        ]
    );
    assert_eq!((&system["open_api"], &system["upstream"]["simulated"]), (&json!(false), &json!(true)));
    let operations = product.gateway().addresses.ops.to_string();
    assert_eq!(system["operations"], operations);
    // Every process tells the revision it runs, within a second or two.
    loop {
        let replicas = owner.get("/api/system").await["replicas"].as_array().unwrap().clone();
        if replicas.iter().all(|replica| replica["revision"] == 3 && replica["ready"] == true) {
            assert_eq!(replicas.len(), if shape == Shape::Whole { 1 } else { 5 });
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn an_open_api_is_told_of_until_there_is_a_key(#[case] shape: Shape) {
    let (product, owner) = start(shape, &[]).await;
    let told = async || {
        let ((status, ready), system) = (product.readyz().await, owner.get("/api/system").await);
        assert_eq!((status, &ready["status"]), (200, &json!("ready")));
        assert_eq!(ready["open_api"], system["open_api"]);
        (ready["open_api"].as_bool().unwrap(), ready["warning"].is_string())
    };
    assert_eq!(told().await, (true, true));
    product.set(&[("api_key", json!("sk-closed"))]).await;
    assert_eq!(told().await, (false, false));
    product.set(&[("api_key", json!(""))]).await;
    assert_eq!(told().await, (true, true));
    owner.post("/api/keys", &json!({"spec": {"name": "a client"}})).await;
    while product.get("/v1/models").await.status != 401 {
        tokio::task::yield_now().await;
    }
    assert_eq!(told().await, (false, false));
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn only_an_owner_says_the_owners_name_and_password(#[case] shape: Shape) {
    let (product, owner) = start(shape, &[]).await;
    let operator = owner.colleague("otto", "operator").await;
    let change = json!({"global_config": {"admin_username": "root", "admin_password": "another password"}});
    assert_eq!(operator.refused(Method::POST, "/api/settings", &change).await, (403, "FORBIDDEN".into()));
    owner.post("/api/settings", &change).await;
    let taken = tokio::time::timeout(Duration::from_secs(20), async {
        while try_login(&product.base, "root", "another password").await.json()["success"] == false {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    taken.await.unwrap();
    assert_eq!(try_login(&product.base, "admin", PASSWORD).await.json()["success"], false);
    assert_eq!(owner.refused(Method::GET, "/api/session", &json!({})).await, (401, "SESSION_INVALID".into()));
    let root = Admin::login(&product.base, "root", "another password").await;
    assert_eq!(root.get("/api/settings").await["data"]["global"]["admin_username"], "root");
    let revision = operator.get("/api/settings/parameters").await["revision"].clone();
    let back = json!({"revision": 0, "expected_revision": revision});
    assert_eq!(
        operator.refused(Method::POST, "/api/settings/rollback", &back).await,
        (403, "FORBIDDEN".into())
    );
    product.stop().await;
}
