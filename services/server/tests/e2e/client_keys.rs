//! Client keys through the whole product: what they open, and how fast a revoked one is refused elsewhere.

use std::time::{Duration, Instant};

use grok2api_kit::settings::Mode;
use grok2api_proto::{
    keys::{CreateRequest, GetRequest, Key, RevokeRequest, Spec, UpdateRequest},
    ledger::Outcome,
    pool::ChangeAccountsRequest,
};
use grok2api_testkit::Backing;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    cli::{grok2api, output},
    support::{Product, Shape},
};

async fn create(product: &Product, spec: Spec) -> (Key, String) {
    let spec = Spec { name: "test".into(), ..spec };
    let request = CreateRequest { spec: Some(spec), author: "test".into() };
    let made = product.gateway().services.keys.create(request).await.unwrap();
    (made.key.unwrap(), made.secret)
}

async fn change(product: &Product, key: &Key, change: impl FnOnce(&mut Spec)) {
    let keys = &product.gateway().services.keys;
    let key = keys.get(GetRequest { id: key.id.clone() }).await.unwrap();
    let mut spec = key.spec.unwrap();
    change(&mut spec);
    let (id, expected_version) = (key.id, key.version);
    keys.update(UpdateRequest { id, spec: Some(spec), expected_version, author: "test".into() })
        .await
        .unwrap();
}

/// Asks until the answer has that status, for a second at most.
async fn within_a_second(product: &Product, secret: &str, status: u16) -> String {
    let began = Instant::now();
    loop {
        let answer = product.ask_with(secret, "grok-3-fast", "[[sim:say=hi]]").await;
        if answer.status == status {
            assert!(began.elapsed() < Duration::from_secs(1), "after {:?}", began.elapsed());
            return answer.code();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{} {}", answer.status, answer.text);
    }
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn a_key_opens_what_it_may_and_nothing_else(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2"]).await;
    assert_eq!(product.ask("grok-3-fast", "[[sim:say=hi]]").await.status, 200, "open without a key");
    let (key, secret) =
        create(&product, Spec { models: vec!["grok-3-fast".into()], ..Spec::default() }).await;
    within_a_second(&product, "sk-g2a-wrong", 401).await;
    assert_eq!(product.ask("grok-3-fast", "x").await.code(), "invalid_api_key");
    let ask = async |model: &str| product.ask_with(&secret, model, "[[sim:say=hi]]").await;
    assert_eq!(ask("grok-3-fast").await.content(), "hi");
    let refused = ask("grok-4-fast").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "model_not_allowed"));
    assert_eq!(ask("no-such-model").await.status, 403, "what is there is not told either");

    change(&product, &key, |spec| spec.addresses = vec!["192.0.2.0/24".into()]).await;
    assert_eq!(within_a_second(&product, &secret, 403).await, "address_not_allowed");
    change(&product, &key, |spec| spec.addresses = vec!["192.0.2.0/24".into(), "127.0.0.1".into()]).await;
    within_a_second(&product, &secret, 200).await;
    change(&product, &key, |spec| spec.expires_at = Some(1)).await;
    assert_eq!(within_a_second(&product, &secret, 401).await, "invalid_api_key");
    change(&product, &key, |spec| spec.expires_at = None).await;
    within_a_second(&product, &secret, 200).await;
    change(&product, &key, |spec| spec.disabled = true).await;
    within_a_second(&product, &secret, 401).await;
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn a_key_with_account_tags_is_served_by_those_accounts(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2", "sim-basic-3"]).await;
    let pool = &product.pool().services.pool;
    let tag = ChangeAccountsRequest {
        accounts: vec!["sim-basic-2".into()],
        add_tags: vec!["team".into()],
        ..ChangeAccountsRequest::default()
    };
    pool.change_accounts(tag).await.unwrap();
    let tags = |tag: &str| Spec { account_tags: vec![tag.into()], ..Spec::default() };
    let (_, secret) = create(&product, tags("team")).await;
    for number in 0..6 {
        let answer = product.ask_with(&secret, "grok-3-fast", &format!("[[sim:say=hi]] {number}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let accounts = product.settled().await;
    let used: Vec<_> = accounts.iter().filter(|account| account.last_used_at > 0).collect();
    assert_eq!(used.len(), 1, "{used:?}");
    assert_eq!(used[0].tags, ["team"]);
    let (_, nobody) = create(&product, tags("nobody")).await;
    let answer = product.ask_with(&nobody, "grok-3-fast", "x").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "no_account_for_tags"));
    product.stop().await;
}

/// A key with an image, a chat of two choices and a video, beside another one.
#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn what_a_key_draws_and_films_is_counted_and_kept_for_it(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2", "sim-basic-3"]).await;
    let (anna, secret) = create(&product, Spec::default()).await;
    let (ben, other) = create(&product, Spec::default()).await;
    while product.send_with("sk-g2a-wrong", Method::GET, "/v1/models", None).await.status == 200 {}
    let drawing = json!({"prompt": "a moon", "model": "grok-3-fast", "n": 2});
    let drawn = product.send_with(&secret, Method::POST, "/v1/images/generations", Some(&drawing)).await;
    assert_eq!((drawn.status, drawn.json()["data"].as_array().unwrap().len()), (200, 2), "{}", drawn.text);
    let choices = json!({"model": "grok-3-fast", "n": 2,
        "messages": [{"role": "user", "content": "[[sim:say=hello]]"}]});
    let answer = product.send_with(&secret, Method::POST, "/v1/chat/completions", Some(&choices)).await;
    let answer = answer.json();
    assert_eq!(answer["choices"].as_array().unwrap().len(), 2, "{answer}");
    let film = json!({"prompt": "a sunrise", "model": "grok-imagine-0.9"});
    let video = product.send_with(&secret, Method::POST, "/v1/videos", Some(&film)).await;
    let path = format!("/v1/videos/{}", video.json()["id"].as_str().unwrap());
    for method in [Method::GET, Method::DELETE] {
        let strange = product.send_with(&other, method, &path, None).await;
        assert_eq!((strange.status, strange.code().as_str()), (404, "video_not_found"));
    }
    let listed = product.send_with(&other, Method::GET, "/v1/videos", None).await.json();
    assert_eq!(listed["data"], json!([]));
    while product.send_with(&secret, Method::GET, &path, None).await.json()["status"] != "completed" {
        tokio::task::yield_now().await;
    }
    let strange = product.send_with(&other, Method::GET, &format!("{path}/content"), None).await;
    assert_eq!((strange.status, strange.code().as_str()), (404, "video_not_found"));
    assert_eq!(product.ask_with(&other, "grok-3-fast", "[[sim:say=hi]]").await.status, 200);

    let entries = product.entries(4).await;
    let of = |key: &Key, endpoint: &str| {
        let mut found = entries.iter().filter(|one| one.client_key == key.id && one.endpoint == endpoint);
        let entry = found.next().unwrap_or_else(|| panic!("{endpoint}: {entries:#?}")).clone();
        assert!(found.next().is_none() && entry.outcome() == Outcome::Success, "{entries:#?}");
        assert_eq!(entry.units, entry.attempts.iter().map(|attempt| attempt.units).sum::<u32>());
        entry
    };
    assert_eq!(entries.len(), 4);
    let image = of(&anna, "/v1/images/generations");
    assert_eq!((image.images, image.units, image.attempts.len()), (2, 4, 1));
    let chat = of(&anna, "/v1/chat/completions");
    assert_eq!((chat.units, chat.attempts.len(), chat.model.as_str()), (2, 2, "grok-3-fast"));
    assert_eq!(
        (json!(chat.prompt_tokens), json!(chat.completion_tokens)),
        (answer["usage"]["prompt_tokens"].clone(), answer["usage"]["completion_tokens"].clone())
    );
    let filmed = of(&anna, "/v1/videos");
    assert_eq!((filmed.videos, filmed.model.as_str()), (1, "grok-imagine-0.9"));
    assert_eq!(filmed.id.trim_start_matches("turn_"), path.trim_start_matches("/v1/videos/video_"));
    assert_eq!(of(&ben, "/v1/chat/completions").units, 1);
    product.stop().await;
}

/// Two processes on one store; what one of them does to a key the other's gateway obeys.
#[rstest]
#[tokio::test]
async fn a_key_revoked_at_one_process_is_refused_by_another_within_a_second(
    #[values(Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let product = Product::on_store(Shape::Whole, &[], Backing::start(mode)).await;
    let other = product.replica(&[]).await;
    let (key, secret) = create(&product, Spec::default()).await;
    let models = format!("http://{}/v1/models", other.addresses.http.unwrap());
    let status = async || {
        let request = product.http.get(&models).bearer_auth(&secret);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status().await, 200);
    // Until the other one asks for a key at all.
    while product.http.get(&models).send().await.unwrap().status() == 200 {}
    assert_eq!(status().await, 200);
    let revoke = RevokeRequest { id: key.id, author: "test".into() };
    product.gateway().services.keys.revoke(revoke).await.unwrap();
    let began = Instant::now();
    while status().await != 401 {
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    println!("refused elsewhere after {:?}", began.elapsed());
    other.stop().await;
    product.stop().await;
}

#[tokio::test]
async fn the_command_line_makes_lists_changes_and_revokes_keys() {
    let data = tempfile::tempdir().unwrap();
    let run =
        async |arguments: &[&str]| output(grok2api(data.path()).arg("client-keys").args(arguments)).await;
    let (_, out, _) = run(&["list"]).await;
    assert!(out.contains("there are no client keys"), "{out}");
    let create =
        ["create", "Büro", "--model", "grok-4-fast", "--address", "10.0.0.0/8", "--expires", "2999-01-31"];
    let (code, out, err) = run(&create).await;
    let secret = out.trim();
    assert!(code == 0 && secret.starts_with("sk-g2a-") && !secret.contains(char::is_whitespace), "{out}");
    let id = err.split_whitespace().nth(2).unwrap().to_owned();

    let (_, out, _) = run(&["list"]).await;
    assert!(!out.contains(secret) && out.contains(&secret[secret.len() - 4..]), "{out}");
    for part in [&*id, "active", "never", "Büro", "until 2999-01-31", "grok-4-fast", "10.0.0.0/8"] {
        assert!(out.contains(part), "{part} is missing in {out}");
    }
    let (code, out, _) = run(&["set", &id, "--model", "all", "--account-tag", "team", "--disable"]).await;
    assert_eq!((code, out), (0, format!("{id} changed\n")));
    let (_, out, _) = run(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (listed[0]["status"].as_str(), listed[0]["models"].as_array().unwrap().len()),
        (Some("disabled"), 0)
    );
    assert_eq!(
        (&listed[0]["account_tags"][0], &listed[0]["addresses"][0]),
        (&"team".into(), &"10.0.0.0/8".into())
    );

    let limits =
        ["set", &id, "--rpm", "60", "--concurrency", "4", "--budget", "1000:requests/day", "--budget"];
    let (code, out, err) = run(&[&limits[..], &["50:units/lifetime"]].concat()).await;
    assert_eq!((code, out), (0, format!("{id} changed\n")), "{err}");
    let (_, out, _) = run(&["list"]).await;
    for part in ["(60 requests/min)", "(4 at once)", "(0 of 1000 requests/day)", "(0 of 50 units/lifetime)"] {
        assert!(out.contains(part), "{part} is missing in {out}");
    }
    run(&["set", &id, "--rpm", "none", "--budget", "none"]).await;
    let (_, out, _) = run(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&out).unwrap();
    let limits = json!({"requests_per_minute": null, "tokens_per_minute": null, "concurrency": 4});
    assert_eq!((&listed[0]["limits"], &listed[0]["budgets"]), (&limits, &json!([])));
    for (option, wrong) in [("--rpm", "0"), ("--tpm", "few"), ("--budget", "9:euro/day"), ("--budget", "9")] {
        let (code, out, err) = run(&["set", &id, option, wrong]).await;
        assert!(code == 1 && out.is_empty() && !err.is_empty(), "{option} {wrong}: {out} {err}");
    }
    for wrong in [&["set", "nobody"][..], &["create", "x", "--expires", "soon"], &["create", " "]] {
        let (code, out, err) = run(wrong).await;
        assert!(code == 1 && out.is_empty() && !err.is_empty(), "{wrong:?}: {out} {err}");
    }
    let (code, out, _) = run(&["revoke", &id]).await;
    assert_eq!((code, out), (0, format!("{id} revoked\n")));
    assert!(run(&["list"]).await.1.contains("there are no client keys"));
    assert!(run(&["list", "--all"]).await.1.contains("revoked"));
    let (code, _, err) = run(&["set", &id, "--enable"]).await;
    assert!(code == 1 && err.contains("for ever"), "{err}");
}
