//! Images and videos by client key.

use super::*;

const FILM: &str = "/v1/videos";
const DRAW: &str = "/v1/images/generations";
const EDIT: &str = "/v1/images/edits";

fn asking(path: &str) -> Request<Body> {
    let body = json!({"prompt": "a cat", "image": "https://a.example/1.png"});
    let body = if path == EDIT { body } else { json!({"prompt": "a cat"}) };
    Request::post(path).body(body.to_string().into()).unwrap()
}

fn of(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

impl Keyed {
    async fn send(&self, request: Request<Body>, secret: &str) -> Answer {
        self.gateway.ask(from(request, secret, "192.0.2.1")).await
    }
}

#[rstest]
#[tokio::test]
async fn a_key_may_draw_and_film_with_its_models_only(#[values(DRAW, EDIT, FILM)] path: &str) {
    let other = Facts { models: vec!["grok-4-heavy".into()], ..key("sk-a") };
    let keyed = with(vec![other], "").await;
    keyed.send(asking(path), "sk-a").await.is_error(403, "permission_error", "model_not_allowed");
    assert!(keyed.gateway.chat.requests().is_empty() && keyed.gateway.videos.all().is_empty());
    let entry = keyed.gateway.ledger.recorded(1).await.remove(0);
    assert_eq!((entry.endpoint.as_str(), entry.client_key.as_str()), (path, "id-sk-a"));
    assert_eq!((entry.http_status, entry.error_code.as_str()), (403, "model_not_allowed"));
}

#[rstest]
#[tokio::test]
async fn what_draws_and_films_learns_the_key_too(#[values(DRAW, EDIT, FILM)] path: &str) {
    let tagged = Facts { account_tags: vec!["team".into()], ..key("sk-a") };
    let keyed = with(vec![tagged], "").await;
    keyed.send(asking(path), "sk-a").await;
    let entry = keyed.gateway.ledger.recorded(1).await.remove(0);
    assert_eq!((entry.endpoint.as_str(), entry.client_key.as_str()), (path, "id-sk-a"));
    let asked = keyed.gateway.chat.requests().remove(0);
    assert_eq!((asked.client_key.as_str(), asked.account_tags), ("id-sk-a", vec!["team".to_owned()]));
}

#[tokio::test]
async fn a_video_is_there_for_the_key_that_asked_for_it_only() {
    let keyed = with(vec![key("sk-a"), key("sk-b")], "sk-shared").await;
    let id = keyed.send(asking(FILM), "sk-a").await.json()["id"].as_str().unwrap().to_owned();
    let (path, content) = (format!("/v1/videos/{id}"), format!("/v1/videos/{id}/content"));
    for stranger in ["sk-b", "sk-shared"] {
        for request in [get(&path), get(&content), of("DELETE", &path)] {
            let answer = keyed.send(request, stranger).await;
            answer.is_error(404, "invalid_request_error", "video_not_found");
        }
        for list in ["/v1/videos", "/v1/videos?order=asc"] {
            assert_eq!(keyed.send(get(list), stranger).await.json()["data"], json!([]));
        }
    }
    assert_eq!(keyed.gateway.videos.all()[0].client, "id-sk-a");
    for list in ["/v1/videos", "/v1/videos?order=asc"] {
        assert_eq!(keyed.send(get(list), "sk-a").await.json()["data"][0]["id"], json!(id));
    }
    assert_eq!(keyed.send(get(&path), "sk-a").await.status, 200);
    assert_eq!(keyed.send(of("DELETE", &path), "sk-a").await.status, 200);
    assert_eq!(keyed.send(get(&path), "sk-a").await.status, 404);
}
