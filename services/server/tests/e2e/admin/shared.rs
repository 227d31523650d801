//! Several gateways on one store: one session, one view.

use std::time::{Duration, Instant};

use grok2api_kit::settings::Mode;
use grok2api_testkit::Backing;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::{start_on, try_login};
use crate::support::{Shape, Streamed};

#[rstest]
#[tokio::test]
async fn a_session_holds_at_every_gateway_and_ends_at_all_of_them(
    #[values(Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let (product, owner) = start_on(Shape::Whole, &["sim-basic-1"], Backing::start(mode)).await;
    product.patience(60).await;
    let replica = product.replica(&[]).await;
    let other = owner.at(&format!("http://{}", replica.addresses.http.unwrap()));
    assert_eq!(other.get("/api/session").await["admin"]["name"], "admin");

    // Each sees what the other serves, and cancels it.
    let body = json!({"model": "grok-3-fast", "stream": true,
        "messages": [{"role": "user", "content": "[[sim:fault=stall-mid]] [[sim:say=a long answer of many words]]"}]});
    let hanging = product.open(&body).await;
    let id = loop {
        let snapshot = other.get("/api/live/snapshot").await;
        assert_eq!(snapshot["shared"], true);
        if let Some(id) = snapshot["running"][0]["id"].as_str() {
            break id.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(other.get("/api/system").await["replicas"].as_array().unwrap().len(), 2);
    let began = Instant::now();
    other.post(&format!("/api/live/{id}/cancel"), &json!({})).await;
    assert_eq!(Streamed::read(hanging).await.error_code(), "cancelled_by_operator");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // A change is run by both, and each tells of the other.
    let change = json!({"changes": {"max_attempts": 5}, "expected_revision": 1});
    let changed = owner.send(Method::PATCH, "/api/settings/parameters", Some(&change)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let revision = changed.json()["revision"].clone();
    for gateway in [&owner, &other] {
        loop {
            let system = gateway.get("/api/system").await;
            let replicas = system["replicas"].as_array().unwrap();
            if replicas.iter().all(|replica| replica["revision"] == revision)
                && system["revision"] == revision
            {
                assert_eq!(replicas.len(), 2);
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    // Failed logins count together.
    for n in 0..10 {
        let base = if n % 2 == 0 {
            product.base.clone()
        } else {
            format!("http://{}", replica.addresses.http.unwrap())
        };
        assert_eq!(try_login(&base, "somebody", "wrong").await.status, 200);
    }
    assert_eq!(try_login(&product.base, "somebody", "wrong").await.status, 429);

    let began = Instant::now();
    owner.post("/api/logout", &json!({})).await;
    let (status, code) = other.refused(Method::GET, "/api/session", &json!({})).await;
    assert_eq!((status, code.as_str()), (401, "SESSION_INVALID"));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    replica.stop().await;
    product.stop().await;
}
