//! Client keys: who may ask what, from where, and how long.

mod media;

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use grok2api_kit::clock::Clock;
use grok2api_proto::keys::Facts;
use grok2api_testkit::FakeKeys;
use rstest::rstest;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::ClientKeys;

const NOW: i64 = 1_760_000_000_000;

struct Keyed {
    gateway: Gateway,
    service: Arc<FakeKeys>,
    clock: Clock,
}

fn key(secret: &str) -> Facts {
    Facts {
        id: format!("id-{secret}"),
        digest: Sha256::digest(secret.as_bytes()).to_vec().into(),
        ..Facts::default()
    }
}

async fn with(keys: Vec<Facts>, api_key: &str) -> Keyed {
    let (service, clock, tasks) = (FakeKeys::of(keys), Clock::manual(NOW), Tasks::new());
    let known = ClientKeys::follow(service.clone(), clock.clone(), &tasks).await.unwrap();
    let gateway = Gateway::keyed([], |config| config.api_key = api_key.into(), known, tasks);
    Keyed { gateway, service, clock }
}

fn from(mut request: Request<Body>, secret: &str, peer: &str) -> Request<Body> {
    request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    let peer: SocketAddr = format!("{peer}:4711").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

impl Keyed {
    async fn models(&self, secret: &str) -> Answer {
        self.gateway.ask(from(get("/v1/models"), secret, "192.0.2.1")).await
    }
}

#[rstest]
#[case::key("sk-a", true)]
#[case::shared("sk-shared", true)]
#[case::wrong("sk-b", false)]
#[case::empty("", false)]
#[tokio::test]
async fn a_client_key_opens_the_api_beside_the_parameter(#[case] secret: &str, #[case] opens: bool) {
    let keyed = with(vec![key("sk-a")], "sk-shared").await;
    let answer = keyed.models(secret).await;
    if opens {
        assert_eq!(answer.status, 200, "{}", answer.text());
    } else {
        answer.is_error(401, "authentication_error", "invalid_api_key");
    }
}

#[tokio::test]
async fn the_api_is_open_until_there_is_a_key_and_then_needs_one() {
    let keyed = with(vec![], "").await;
    assert_eq!(keyed.gateway.get("/v1/models").await.status, 200);
    assert_eq!(keyed.models("whatever").await.status, 200);
    // A key that is revoked does not open the API to everybody again.
    keyed.service.put(Facts { refused: true, ..key("sk-a") }, true);
    while keyed.gateway.get("/v1/models").await.status == 200 {
        tokio::task::yield_now().await;
    }
    keyed.gateway.get("/v1/models").await.is_error(401, "authentication_error", "invalid_api_key");
}

#[tokio::test]
async fn a_key_is_refused_once_it_is_revoked_or_has_expired() {
    let expiring = Facts { expires_at: Some(NOW + 1_000), ..key("sk-b") };
    let keyed = with(vec![key("sk-a"), expiring], "").await;
    assert_eq!(
        (keyed.models("sk-a").await.status, keyed.models("sk-b").await.status),
        (StatusCode::OK, StatusCode::OK)
    );
    keyed.service.put(Facts { refused: true, ..key("sk-a") }, true);
    while keyed.models("sk-a").await.status == 200 {
        tokio::task::yield_now().await;
    }
    let answer = keyed.models("sk-a").await;
    answer.is_error(401, "authentication_error", "invalid_api_key");
    assert!(answer.text().contains("revoked"));
    keyed.clock.advance(std::time::Duration::from_secs(1));
    assert!(keyed.models("sk-b").await.text().contains("expired"));
    assert_eq!(keyed.service.asked(), 0, "what is watched is known");
}

#[tokio::test]
async fn a_key_that_is_not_known_here_yet_is_asked_for() {
    let keyed = with(vec![key("sk-a")], "").await;
    keyed.service.put(key("sk-new"), false);
    assert_eq!(keyed.models("sk-new").await.status, 200);
    assert_eq!(keyed.models("sk-wrong").await.status, 401);
    assert_eq!(keyed.service.asked(), 2);
}

#[tokio::test]
async fn a_key_may_ask_its_models_only_and_sees_no_others() {
    let allowed = Facts { models: vec!["grok-4-fast".into()], ..key("sk-a") };
    let other = Facts { models: vec!["grok-4-heavy".into()], ..key("sk-b") };
    let keyed = with(vec![allowed, other], "").await;
    let ask = async |secret| keyed.gateway.ask(from(post(&hello()), secret, "192.0.2.1")).await;
    assert_eq!(ask("sk-a").await.status, 200);
    let refused = ask("sk-b").await;
    refused.is_error(403, "permission_error", "model_not_allowed");
    assert_eq!(refused.json()["error"]["param"], "model");
    assert_eq!(keyed.models("sk-a").await.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(keyed.models("sk-b").await.json()["data"].as_array().unwrap().len(), 0);
    let one = keyed.gateway.ask(from(get("/v1/models/grok-4-fast"), "sk-b", "192.0.2.1")).await;
    one.is_error(404, "invalid_request_error", "model_not_found");
    assert_eq!(keyed.gateway.chat.requests().len(), 1);
}

#[rstest]
#[case::inside("192.0.2.7", "", true)]
#[case::mapped("[::ffff:192.0.2.7]", "", true)]
#[case::outside("198.51.100.1", "", false)]
#[case::claimed("198.51.100.1", "192.0.2.7", false)]
#[case::proxied("10.0.0.1", "192.0.2.7", true)]
#[case::proxied_from_outside("10.0.0.1", "198.51.100.1", false)]
#[tokio::test]
async fn a_key_may_be_used_from_its_addresses_only(
    #[case] peer: &str,
    #[case] forwarded: &str,
    #[case] passes: bool,
) {
    let addresses = vec!["192.0.2.0/24".into(), "2001:db8::/32".into()];
    let keyed = with(vec![Facts { addresses, ..key("sk-a") }], "").await;
    let mut request = from(get("/v1/models"), "sk-a", peer);
    if !forwarded.is_empty() {
        request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
    }
    let answer = keyed.gateway.ask(request).await;
    if passes {
        assert_eq!(answer.status, 200, "{}", answer.text());
    } else {
        answer.is_error(403, "permission_error", "address_not_allowed");
    }
}

#[tokio::test]
async fn what_cannot_be_read_of_a_key_closes_it() {
    let keyed = with(vec![Facts { addresses: vec!["anywhere".into()], ..key("sk-a") }], "").await;
    keyed.models("sk-a").await.is_error(401, "authentication_error", "invalid_api_key");
}

#[tokio::test]
async fn services_below_learn_the_key_and_its_account_tags() {
    let tagged = Facts { account_tags: vec!["team".into()], ..key("sk-a") };
    let keyed = with(vec![tagged], "sk-shared").await;
    for secret in ["sk-a", "sk-shared"] {
        keyed.gateway.ask(from(post(&hello()), secret, "192.0.2.1")).await;
    }
    let requests = keyed.gateway.chat.requests();
    assert_eq!(
        (requests[0].client_key.as_str(), &requests[0].account_tags),
        ("id-sk-a", &vec!["team".to_owned()])
    );
    assert_eq!((requests[1].client_key.as_str(), requests[1].account_tags.len()), ("", 0));
}

#[tokio::test]
async fn uses_are_told_before_the_process_ends() {
    let keyed = with(vec![key("sk-a")], "").await;
    keyed.models("sk-a").await;
    keyed.clock.advance(std::time::Duration::from_secs(1));
    keyed.models("sk-a").await;
    keyed.models("sk-wrong").await;
    keyed.gateway.tasks.finish(std::time::Duration::from_secs(5)).await;
    let uses: Vec<_> = keyed.service.uses().into_iter().map(|used| (used.id, used.at)).collect();
    assert_eq!(uses, [("id-sk-a".to_owned(), NOW + 1_000)]);
}
