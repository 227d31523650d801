//! Every route: who may ask it, and what it says to nonsense.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Admin, start};
use crate::support::Shape;

/// Method, path, a body that is right, and one that is not.
type Route = (Method, &'static str, Option<Value>, Option<Value>);

fn viewers() -> Vec<Route> {
    let get = |path| (Method::GET, path, None, None);
    let mut routes: Vec<Route> = [
        "/api/sessions",
        "/api/actions",
        "/api/tokens",
        "/api/stats",
        "/api/accounts",
        "/api/accounts/explain?model=grok-3-fast",
        "/api/accounts/deleted",
        "/api/accounts/ID",
        "/api/keys",
        "/api/keys/KEY",
        "/api/keys/KEY/usage",
        "/api/requests",
        "/api/requests.csv",
        "/api/dashboard",
        "/api/media?kind=image",
        "/api/media/usage",
        "/api/cache/size",
        "/api/settings",
        "/api/settings/parameters",
        "/api/settings/revisions",
        "/api/storage/mode",
        "/api/system",
        "/api/models",
        "/api/live/snapshot",
    ]
    .map(get)
    .into();
    routes.push((Method::POST, "/api/sessions/revoke", Some(json!({"others": true})), Some(json!({}))));
    routes
}

fn operators() -> Vec<Route> {
    let post = |path, right: Value, wrong: Value| (Method::POST, path, Some(right), Some(wrong));
    let bare = |path| (Method::POST, path, Some(json!({})), None);
    vec![
        post(
            "/api/tokens/add",
            json!({"tokens": [], "token_type": "sso"}),
            json!({"tokens": [], "token_type": "x"}),
        ),
        post(
            "/api/tokens/delete",
            json!({"tokens": [], "token_type": "sso"}),
            json!({"tokens": 1, "token_type": "sso"}),
        ),
        (Method::PATCH, "/api/accounts/ID", Some(json!({"note": "n"})), Some(json!({"tier": "huge"}))),
        post("/api/accounts/bulk", json!({"action": "clear", "ids": []}), json!({"action": "clear"})),
        post("/api/accounts/restore", json!({"ids": []}), json!({"id": []})),
        post("/api/accounts/import", json!({"text": ""}), json!({"text": "", "format": "xml"})),
        post("/api/keys", json!({"spec": {"name": "k"}}), json!({"spec": {"name": "k", "colour": "red"}})),
        (
            Method::PUT,
            "/api/keys/KEY",
            Some(json!({"spec": {"name": "k"}, "expected_version": 1})),
            Some(json!({"spec": {"name": "k"}})),
        ),
        bare("/api/keys/KEY/revoke"),
        (Method::DELETE, "/api/media/image/none.jpg", None, None),
        post("/api/media/clear", json!({"kind": "video"}), json!({"kind": "sound"})),
        bare("/api/cache/clear"),
        bare("/api/cache/clear/images"),
        bare("/api/cache/clear/videos"),
        post("/api/settings", json!({"grok_config": {}}), json!({"grok_config": {"nonsense": 1}})),
        (
            Method::PATCH,
            "/api/settings/parameters",
            Some(json!({"changes": {}, "expected_revision": 0})),
            Some(json!({"changes": {"max_attempts": 99}, "expected_revision": 0})),
        ),
        post(
            "/api/settings/rollback",
            json!({"revision": 0, "expected_revision": 0}),
            json!({"revision": -1}),
        ),
        bare("/api/live/turn_x/cancel"),
        (Method::GET, "/api/requests/turn_x/bodies", None, None),
        post("/api/requests/turn_x/replay", json!({"target": "pool"}), json!({"target": "moon"})),
        (Method::GET, "/api/playground/models", None, None),
        post(
            "/api/playground/chat/completions",
            json!({"model": "none", "messages": []}),
            json!({"model": 1}),
        ),
    ]
}

fn owners() -> Vec<Route> {
    let new = json!({"name": "n", "role": "viewer", "password": "a password"});
    vec![
        (Method::GET, "/api/admins", None, None),
        (
            Method::POST,
            "/api/admins",
            Some(new),
            Some(json!({"name": "m", "role": "king", "password": "a password"})),
        ),
        (
            Method::PATCH,
            "/api/admins/ADMIN",
            Some(json!({"expected_version": 1, "disabled": true})),
            Some(json!({"disabled": true})),
        ),
        (Method::POST, "/api/admins/ADMIN/sessions/revoke", Some(json!({})), None),
        (
            Method::POST,
            "/api/accounts/export",
            Some(json!({"filter": {}})),
            Some(json!({"filter": {"colour": "red"}})),
        ),
    ]
}

#[tokio::test]
async fn every_route_is_open_to_its_role_and_to_nobody_below() {
    let (product, owner) = start(Shape::Whole, &["sim-basic-1"]).await;
    let (viewer, operator) =
        (owner.colleague("vera", "viewer").await, owner.colleague("otto", "operator").await);
    let id = owner.get("/api/accounts").await["items"][0]["id"].as_str().unwrap().to_owned();
    let key = owner.post("/api/keys", &json!({"spec": {"name": "test"}})).await;
    let key = key["key"]["id"].as_str().unwrap().to_owned();
    let spare = json!({"name": "spare", "role": "viewer", "password": "a password"});
    let spare = owner.post("/api/admins", &spare).await["id"].as_str().unwrap().to_owned();
    let filled = |path: &str| path.replace("ID", &id).replace("KEY", &key).replace("ADMIN", &spare);
    let nobody = Admin { token: "no such session".into(), ..owner.at(&product.base) };
    let everyone = [(&viewer, viewers()), (&operator, operators()), (&owner, owners())];
    for (level, (_, routes)) in everyone.iter().enumerate() {
        for (method, path, right, _) in routes {
            let path = filled(path);
            let ask = async |who: &Admin| {
                let answer = who.send(method.clone(), &path, right.as_ref()).await;
                (
                    answer.status,
                    serde_json::from_str(&answer.text).unwrap_or(Value::Null)["error"]["code"].clone(),
                )
            };
            assert_eq!(ask(&nobody).await, (401, json!("SESSION_INVALID")), "{method} {path}");
            for (below, _) in &everyone[..level] {
                assert_eq!(ask(below).await, (403, json!("FORBIDDEN")), "{method} {path}");
            }
        }
    }
    for (who, routes) in &everyone {
        for (method, path, right, wrong) in routes {
            let path = filled(path);
            if let Some(wrong) = wrong {
                let answer = who.send(method.clone(), &path, Some(wrong)).await;
                assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text);
                assert_eq!(super::keys(&answer.json()["error"]), ["code", "message", "param", "type"]);
            }
            let answer = who.send(method.clone(), &path, right.as_ref()).await;
            let absent =
                path.contains("none.jpg") || path.contains("turn_x") || path.contains("chat/completions");
            assert_eq!(answer.status == 200, !absent, "{method} {path}: {} {}", answer.status, answer.text);
            assert_eq!(answer.header("cache-control"), "no-store", "{method} {path}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{method} {path}");
        }
    }
    product.stop().await;
}

#[tokio::test]
async fn what_is_not_there_and_what_is_mistyped_is_refused() {
    let (product, owner) = start(Shape::Whole, &[]).await;
    for (method, path, status, code) in [
        (Method::GET, "/api/nothing", 404, "unknown_url"),
        (Method::DELETE, "/api/tokens", 405, "method_not_allowed"),
        (Method::GET, "/api/accounts?colour=red", 400, "invalid_value"),
        (Method::GET, "/api/accounts?tier=huge", 400, "invalid_value"),
        (Method::GET, "/api/accounts?sort=colour", 400, "invalid_value"),
        (Method::GET, "/api/accounts?cursor=x", 400, "invalid_value"),
        (Method::GET, "/api/accounts?limit=0", 400, "invalid_value"),
        (Method::GET, "/api/accounts?limit=501", 400, "invalid_value"),
        (Method::GET, "/api/accounts/no-id", 404, "account_not_found"),
        (Method::GET, "/api/accounts/explain?model=none", 404, "model_not_found"),
        (Method::GET, "/api/keys/no-id", 404, "client_key_not_found"),
        (Method::GET, "/api/requests?outcome=good", 400, "invalid_value"),
        (Method::GET, "/api/requests?cursor=x", 400, "invalid_value"),
        (Method::GET, "/api/dashboard?range=2h", 400, "invalid_value"),
        (Method::GET, "/api/dashboard?group_by=colour", 400, "invalid_value"),
        (Method::GET, "/api/media?kind=sound", 400, "invalid_value"),
        (Method::GET, "/api/actions?cursor=x", 400, "invalid_value"),
    ] {
        assert_eq!(owner.refused(method, path, &json!({})).await, (status, code.to_owned()), "{path}");
    }
    let answer = owner.send(Method::POST, "/api/accounts/bulk", None).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_json"));
    product.stop().await;
}
