//! The seed's routes and bodies, field by field (`admin-api.md` of the Python project).

use grok2api_kit::settings::Mode;
use grok2api_testkit::Backing;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::{keys, start, start_on};
use crate::support::Shape;

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn tokens_are_listed_added_and_deleted_as_by_the_seed(#[case] shape: Shape) {
    let (product, owner) = start(shape, &[]).await;
    let add = |tokens: &[&str], token_type: &str| json!({"tokens": tokens, "token_type": token_type});
    let added = owner.post("/api/tokens/add", &add(&["sim-basic-one", "sso=sim-basic-two"], "sso")).await;
    assert_eq!(keys(&added), ["count", "message", "success"]);
    assert_eq!((&added["success"], &added["count"]), (&json!(true), &json!(2)));
    owner.post("/api/tokens/add", &add(&["sim-super-one"], "ssoSuper")).await;
    for path in ["/api/tokens/add", "/api/tokens/delete"] {
        let refusal = owner.refused(Method::POST, path, &add(&["x"], "gold")).await;
        assert_eq!(refusal, (400, "INVALID_TYPE".to_owned()));
    }
    let listed = owner.get("/api/tokens").await;
    assert_eq!((keys(&listed), &listed["total"]), (vec!["data", "success", "total"], &json!(3)));
    let first = &listed["data"][0];
    let fields = [
        "created_time",
        "heavy_remaining_queries",
        "id",
        "remaining_queries",
        "status",
        "token",
        "token_type",
    ];
    assert_eq!(keys(first), fields);
    assert_eq!((&first["token"], &first["token_type"]), (&json!("sim-…-one"), &json!("sso")));
    assert_eq!(listed["data"][2]["token_type"], "ssoSuper");
    assert!(first["created_time"].is_i64() && first["remaining_queries"].is_i64());
    let states = ["未使用", "限流中", "失效", "正常"];
    assert!(states.contains(&first["status"].as_str().unwrap()));

    let stats = owner.get("/api/stats").await;
    assert_eq!(keys(&stats["data"]), ["normal", "super", "total"]);
    assert_eq!(keys(&stats["data"]["super"]), ["active", "expired", "limited", "total", "unused"]);
    let totals =
        (&stats["data"]["normal"]["total"], &stats["data"]["super"]["total"], &stats["data"]["total"]);
    assert_eq!(totals, (&json!(2), &json!(1), &json!(3)));

    // By id and by token.
    let id = first["id"].as_str().unwrap();
    let deleted = owner.post("/api/tokens/delete", &add(&[id, "sim-basic-two", "unknown"], "sso")).await;
    assert_eq!((&deleted["success"], &deleted["count"]), (&json!(true), &json!(2)));
    assert_eq!(owner.get("/api/tokens").await["total"], 1);
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn settings_are_two_tables_and_no_secret_is_shown(#[case] shape: Shape) {
    let (product, owner) = start(shape, &[]).await;
    let body = json!({
        "global_config": {"base_url": "https://g.example", "image_mode": "base64"},
        "grok_config": {"api_key": "sk-secret-value", "stream_chunk_timeout": 90, "temporary": false},
    });
    let saved = owner.post("/api/settings", &body).await;
    assert_eq!((keys(&saved), &saved["success"]), (vec!["message", "success"], &json!(true)));
    let settings = owner.get("/api/settings").await;
    assert_eq!((keys(&settings), keys(&settings["data"])), (vec!["data", "success"], vec!["global", "grok"]));
    let (global, grok) = (&settings["data"]["global"], &settings["data"]["grok"]);
    let seeds = [
        "admin_username",
        "admin_password",
        "log_level",
        "image_mode",
        "image_cache_max_size_mb",
        "video_cache_max_size_mb",
        "base_url",
    ];
    assert!(seeds.iter().all(|name| global.get(name).is_some()), "{global}");
    let seeds = [
        "api_key",
        "proxy_url",
        "stream_chunk_timeout",
        "stream_first_response_timeout",
        "stream_total_timeout",
        "cf_clearance",
        "x_statsig_id",
        "filtered_tags",
        "temporary",
    ];
    assert!(seeds.iter().all(|name| grok.get(name).is_some()), "{grok}");
    assert_eq!((&global["base_url"], &global["image_mode"]), (&json!("https://g.example"), &json!("base64")));
    assert_eq!((&grok["stream_chunk_timeout"], &grok["temporary"]), (&json!(90), &json!(false)));
    assert_eq!(
        (&grok["api_key"], &grok["proxy_url"], &global["admin_password"]),
        (&json!("********"), &json!(""), &json!("********"))
    );

    // A script that sends back what it read changes nothing.
    let back = json!({"global_config": global, "grok_config": grok});
    owner.post("/api/settings", &back).await;
    assert_eq!(owner.get("/api/settings/parameters").await["revision"], 1);
    let answer = product.send_with("sk-secret-value", Method::GET, "/v1/models", None).await;
    assert_eq!(answer.status, 200, "the key is what it was");

    let wrong = json!({"grok_config": {"stream_chunk_timeout": "long"}});
    let refusal = owner.refused(Method::POST, "/api/settings", &wrong).await;
    assert_eq!(refusal, (400, "invalid_parameter".to_owned()));
    let wrong = json!({"global_config": {"api_key": "in the other table"}});
    assert_eq!(owner.refused(Method::POST, "/api/settings", &wrong).await.0, 400);
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn the_cache_is_measured_and_cleared_as_by_the_seed(#[case] shape: Shape) {
    let (product, owner) = start(shape, &["sim-basic-1"]).await;
    product.patience(20).await;
    let answer = product.ask("grok-3-fast", "draw a moon").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let size = owner.get("/api/cache/size").await;
    let fields = [
        "image_size",
        "image_size_bytes",
        "total_size",
        "total_size_bytes",
        "video_size",
        "video_size_bytes",
    ];
    assert_eq!((keys(&size), keys(&size["data"])), (vec!["data", "success"], fields.to_vec()));
    assert!(size["data"]["image_size_bytes"].as_u64().unwrap() > 0);
    assert_eq!(size["data"]["video_size"], "0.0 B");

    let gallery = owner.get("/api/media?kind=image").await;
    let items = gallery["items"].as_array().unwrap();
    assert_eq!(items[0]["owner"], json!(null), "nobody showed a key");
    let url = items[0]["url"].as_str().unwrap();
    assert_eq!(product.get(url).await.status, 200, "{url}");
    let usage = owner.get("/api/media/usage").await;
    assert_eq!(usage["items"][0]["items"], items.len());
    assert_eq!(usage["items"][0]["limit_bytes"], 512 << 20);
    let path = format!("/api/media/image/{}", items[0]["name"].as_str().unwrap());
    assert_eq!(owner.send(Method::DELETE, &path, None).await.json()["deleted"], 1);
    assert_eq!(owner.send(Method::DELETE, &path, None).await.code(), "media_not_found");
    assert_eq!(product.get(url).await.status, 404);

    let videos = owner.post("/api/cache/clear/videos", &json!({})).await;
    assert_eq!(
        (keys(&videos), keys(&videos["data"])),
        (vec!["data", "message", "success"], vec!["deleted_count", "type"])
    );
    assert_eq!(videos["data"], json!({"deleted_count": 0, "type": "videos"}));
    let left = items.len() - 1;
    let all = owner.post("/api/cache/clear", &json!({})).await;
    assert_eq!(all["data"], json!({"deleted_count": left, "image_count": left, "video_count": 0}));
    let images = owner.post("/api/cache/clear/images", &json!({})).await;
    assert_eq!(images["data"], json!({"deleted_count": 0, "type": "images"}));
    assert_eq!(owner.get("/api/media?kind=image").await["items"], json!([]));
    assert_eq!(owner.get("/api/storage/mode").await, json!({"success": true, "data": {"mode": "FILE"}}));
    product.stop().await;
}

#[rstest]
#[case::file(Shape::Whole, Mode::File)]
#[case::mysql(Shape::Split, Mode::Mysql)]
#[case::redis(Shape::Split, Mode::Redis)]
#[tokio::test]
async fn media_are_told_with_whom_they_were_made_for(#[case] shape: Shape, #[case] mode: Mode) {
    let (product, owner) = start_on(shape, &["sim-basic-1"], Backing::start(mode)).await;
    let made = owner.post("/api/keys", &json!({"spec": {"name": "painter"}})).await;
    let (key, secret) = (&made["key"]["id"], made["secret"].as_str().unwrap());
    let answer = product.ask_with(secret, "grok-3-fast", "draw a moon").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let items = owner.get("/api/media?kind=image").await["items"].clone();
    assert_eq!(items[0]["owner"], json!({"kind": "key", "id": key, "name": "painter"}));
    let draw = json!({"prompt": "another moon", "n": 1});
    owner.post("/api/playground/images/generations", &draw).await;
    let items = owner.get("/api/media?kind=image").await["items"].clone();
    assert_eq!(items[0]["owner"], json!({"kind": "admin", "name": "admin"}));
    product.stop().await;
}
