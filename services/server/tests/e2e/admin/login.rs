//! Coming in: sessions, passwords, cross-site requests, guessing.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Admin, PASSWORD, client, start, try_login};
use crate::{
    cli::{grok2api, output},
    support::{Answer, Product, Shape},
};

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn the_default_password_opens_nothing_but_setting_another(#[case] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let first = Admin::login(&product.base, "admin", "admin").await;
    let session = first.get("/api/session").await;
    assert_eq!((&session["must_change_password"], &session["setup"]), (&json!(true), &Value::Null));
    for path in
        ["/api/tokens", "/api/settings", "/api/live/snapshot", "/api/admins", "/api/playground/models"]
    {
        let answer = first.send(Method::GET, path, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "PASSWORD_CHANGE_REQUIRED"), "{path}");
    }
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    for (body, refusal) in [
        (change("wrong", PASSWORD), (403, "wrong_password")),
        (change("admin", "short"), (400, "weak_password")),
        (change("admin", "admin"), (400, "weak_password")),
    ] {
        let (status, code) = first.refused(Method::POST, "/api/password", &body).await;
        assert_eq!((status, code.as_str()), refusal);
    }
    let changed = first.post("/api/password", &change("admin", PASSWORD)).await;
    assert_eq!(first.refused(Method::GET, "/api/session", &json!({})).await, (401, "SESSION_INVALID".into()));
    let renewed = Admin { token: changed["token"].as_str().unwrap().to_owned(), ..first };
    let session = renewed.get("/api/session").await;
    assert_eq!(session["must_change_password"], false);
    let setup = json!({"password": true, "base_url": false, "client_key": false, "accounts": true});
    assert_eq!(session["setup"], setup);
    assert_eq!(renewed.get("/api/tokens").await["total"], 1);
    let answer = try_login(&product.base, "admin", "admin").await;
    assert_eq!(
        (answer.status, &answer.json()["success"], &answer.json()["token"]),
        (200, &json!(false), &Value::Null)
    );
    product.stop().await;
}

#[tokio::test]
async fn a_login_begins_a_session_of_its_own_and_logout_ends_it() {
    let (product, owner) = start(Shape::Whole, &[]).await;
    let login = json!({"username": "admin", "password": PASSWORD}).to_string();
    // Whatever a browser brings along, the session has a new secret.
    let request = client().post(format!("{}/api/login", product.base)).body(login);
    let planted = request.header("cookie", "g2a_session=planted").header("x-forwarded-proto", "https");
    let answer = Answer::of(planted.send().await.unwrap()).await;
    let cookie = answer.header("set-cookie").to_owned();
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    assert!(
        cookie.starts_with(&format!("g2a_session={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=86400"))
    );
    assert!(cookie.ends_with("; Secure") && token != "planted" && token != owner.token);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(
        (answer.header("x-frame-options"), answer.header("access-control-allow-origin")),
        ("DENY", "")
    );

    let sessions = owner.get("/api/sessions").await;
    let listed: Vec<bool> =
        sessions["items"].as_array().unwrap().iter().map(|item| item["current"].as_bool().unwrap()).collect();
    assert_eq!(listed.iter().filter(|current| **current).count(), 1);
    assert!(!sessions.to_string().contains(&token) && listed.len() == 2);
    let other = sessions["items"].as_array().unwrap().iter().find(|item| item["current"] == false).unwrap();
    assert_eq!(owner.post("/api/sessions/revoke", &json!({"ids": [other["id"]]})).await["revoked"], 1);
    let ended = Admin { token, ..owner.at(&product.base) };
    assert_eq!(ended.refused(Method::GET, "/api/session", &json!({})).await, (401, "SESSION_INVALID".into()));

    assert_eq!(owner.post("/api/logout", &json!({})).await["success"], true);
    assert_eq!(owner.refused(Method::GET, "/api/tokens", &json!({})).await, (401, "SESSION_INVALID".into()));
    let nobody = client().get(format!("{}/api/tokens", product.base)).send().await.unwrap();
    let nobody = Answer::of(nobody).await;
    assert_eq!((nobody.status, nobody.code().as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(super::keys(&nobody.json()["error"]), ["code", "message", "param", "type"]);
    product.stop().await;
}

#[tokio::test]
async fn another_site_cannot_use_the_cookie() {
    let (product, owner) = start(Shape::Whole, &[]).await;
    let send = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        let request = client().request(method, format!("{}{path}", product.base));
        let mut request = request.header("cookie", format!("g2a_session={}", owner.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.body("{\"kind\":\"all\"}").send().await.unwrap()).await
    };
    let host = product.base.trim_start_matches("http://");
    let clear = "/api/media/clear";
    for headers in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("x-g2a-csrf", "1")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
    ] {
        let answer = send(Method::POST, clear, headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "CSRF_REFUSED"), "{headers:?}");
    }
    let origin = format!("http://{host}");
    for headers in [&[("sec-fetch-site", "same-origin")][..], &[("origin", &origin)], &[("x-g2a-csrf", "1")]]
    {
        assert_eq!(send(Method::POST, clear, headers).await.status, 200, "{headers:?}");
    }
    assert_eq!(send(Method::GET, "/api/media/usage", &[]).await.status, 200, "reading changes nothing");
    // Nor can it log somebody in.
    let body = json!({"username": "admin", "password": PASSWORD}).to_string();
    let request = client().post(format!("{}/api/login", product.base)).header("sec-fetch-site", "cross-site");
    assert_eq!(Answer::of(request.body(body).send().await.unwrap()).await.code(), "CSRF_REFUSED");
    // Or ask whether it might.
    let preflight = client().request(Method::OPTIONS, format!("{}{clear}", product.base));
    let preflight =
        preflight.header("origin", "http://evil.example").header("access-control-request-method", "POST");
    let answer = Answer::of(preflight.send().await.unwrap()).await;
    assert!(answer.status >= 400 && answer.header("access-control-allow-origin").is_empty());
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole)]
#[case::split(Shape::Split)]
#[tokio::test]
async fn guessing_is_slowed_down(#[case] shape: Shape) {
    let (product, owner) = start(shape, &[]).await;
    for _ in 0..10 {
        let answer = try_login(&product.base, "admin", "a wrong guess").await;
        assert_eq!((answer.status, &answer.json()["success"]), (200, &json!(false)));
    }
    for password in ["a wrong guess", PASSWORD] {
        let answer = try_login(&product.base, "admin", password).await;
        assert_eq!((answer.status, answer.code().as_str()), (429, "LOGIN_THROTTLED"));
        assert!(!answer.header("retry-after").is_empty());
    }
    // Other names from the same address, until the address is closed too.
    let mut tries = 0;
    while try_login(&product.base, &format!("name {tries}"), "guess").await.status == 200 {
        tries += 1;
    }
    assert!(tries < 20, "{tries}");
    assert_eq!(owner.get("/api/session").await["admin"]["name"], "admin", "whoever is in stays in");
    product.stop().await;
}

#[tokio::test]
async fn the_command_line_lets_somebody_back_in() {
    let (product, owner) = start(Shape::Whole, &[]).await;
    let run = async |input: &str, arguments: &[&str]| {
        let file = product.data.path().join("input");
        std::fs::write(&file, input).unwrap();
        let mut command = grok2api(product.data.path());
        command.arg("admins").args(arguments).stdin(std::fs::File::open(file).unwrap());
        output(&mut command).await
    };
    let (code, out, err) = run("a password for now\n", &["add", "zoe", "--role", "viewer"]).await;
    assert_eq!((code, out.trim()), (0, "zoe is added as viewer"), "{err}");
    let zoe = Admin::login(&product.base, "zoe", "a password for now").await;
    assert_eq!(zoe.get("/api/session").await["must_change_password"], true);
    assert_eq!(run("another password\n", &["set-password", "admin"]).await.0, 0);
    assert_eq!(owner.refused(Method::GET, "/api/session", &json!({})).await, (401, "SESSION_INVALID".into()));
    let owner = Admin::login(&product.base, "admin", "another password").await;
    assert_eq!(run("", &["disable", "zoe"]).await.0, 0);
    assert_eq!(zoe.refused(Method::GET, "/api/session", &json!({})).await.0, 401);
    let (code, _, err) = run("", &["disable", "admin"]).await;
    assert!(code == 1 && err.contains("last owner"), "{err}");
    let (code, out, _) = run("", &["list"]).await;
    assert!(code == 0 && out.contains("zoe") && out.contains("disabled") && !out.contains("argon2"), "{out}");
    assert!(owner.actions().await.contains(&"command line admin.create".to_owned()));
    assert_eq!(run("short\n", &["set-password", "admin"]).await.0, 1);
    product.stop().await;
}
