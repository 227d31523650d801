//! What holds for every route: ids, keys, CORS, errors, limits, pages.

use grok2api_proto::media::Kind;
use grok2api_testkit::Step;
use rstest::rstest;

use super::*;

fn with_key() -> Gateway {
    Gateway::configured([], |config| config.api_key = "sk-secret".into())
}

#[rstest]
#[case("GET", "/v1/nope", 404, "unknown_url")]
#[case("POST", "/", 405, "method_not_allowed")]
#[case("GET", "/v1/chat/completions", 405, "method_not_allowed")]
#[case("DELETE", "/images/a.jpg", 405, "method_not_allowed")]
#[tokio::test]
async fn what_is_not_there_is_named(
    #[case] method: &str,
    #[case] path: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let answer = Gateway::new().ask(request).await;
    answer.is_error(status, "invalid_request_error", code);
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains(method) && message.contains(path), "{message}");
    assert_eq!(answer.header("allow").is_some(), status == 405);
}

#[rstest]
#[case::bearer("authorization", "Bearer sk-secret", true)]
#[case::lower_case("authorization", "bearer sk-secret", true)]
#[case::x_api_key("x-api-key", "sk-secret", true)]
#[case::wrong("authorization", "Bearer sk-secre", false)]
#[case::longer("authorization", "Bearer sk-secrett", false)]
#[case::other_scheme("authorization", "Basic sk-secret", false)]
#[case::empty("authorization", "", false)]
#[case::nothing("accept", "*/*", false)]
#[tokio::test]
async fn the_key_opens_the_api(#[case] name: &str, #[case] value: &str, #[case] opens: bool) {
    let gateway = with_key();
    for path in ["/v1/models", "/models", "/v1/v1/models"] {
        let answer = gateway.ask(Request::get(path).header(name, value).body(Body::empty()).unwrap()).await;
        if opens {
            assert_eq!(answer.status, 200);
        } else {
            answer.is_error(401, "authentication_error", "invalid_api_key");
            assert_eq!(answer.header("x-should-retry"), Some("false"));
        }
    }
}

#[rstest]
#[tokio::test]
async fn media_health_and_pages_need_no_key(
    #[values("/health", "/", "/login", "/manage", "/images/a.jpg")] path: &str,
) {
    let gateway = with_key();
    gateway.media.put(Kind::Image, "a.jpg", "image/jpeg", "abc");
    assert_eq!(gateway.get(path).await.status, 200);
}

#[rstest]
#[case::fit("abc.DEF_1:2-3", true)]
#[case::empty("", false)]
#[case::blank("a b", false)]
#[case::long(&"x".repeat(65), false)]
#[tokio::test]
async fn a_fit_request_id_is_kept_and_turns_have_ids_of_their_own(#[case] id: &str, #[case] kept: bool) {
    let gateway = Gateway::new();
    let mut request = post(&hello());
    request.headers_mut().insert("x-request-id", id.parse().unwrap());
    let answer = gateway.ask(request).await;
    let given = answer.header("x-request-id").unwrap();
    assert_eq!(given == id, kept);
    assert!(!given.is_empty() && given.len() <= 64);
    // Quotas and blame hang on an id that no client can choose.
    let turn = gateway.chat.requests()[0].request_id.clone();
    assert!(turn.starts_with("turn_") && !turn.contains(given));
    assert!(answer.header("openai-processing-ms").unwrap().parse::<u64>().is_ok());
}

#[tokio::test]
async fn a_browser_may_ask_without_a_key_whether_it_may_ask() {
    let preflight = Request::options("/v1/chat/completions")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = with_key().ask(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(answer.header("x-request-id").is_some());
}

#[rstest]
#[tokio::test]
async fn a_browser_may_read_answers_and_errors(
    #[values("/v1/models", "/v1/nope", "/images/nope", "/health")] path: &str,
) {
    let request = Request::get(path).header("origin", "https://app.example").body(Body::empty()).unwrap();
    let answer = with_key().ask(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("x-request-id"));
}

#[tokio::test]
async fn a_panic_is_one_requests_500() {
    let gateway = Gateway::playing([Turn::of([Step::Panic])]);
    gateway.post(&hello()).await.is_error(500, "server_error", "internal_error");
    assert_eq!(gateway.post(&hello()).await.status, 200);
}

#[rstest]
#[case::said_before(true)]
#[case::found_out(false)]
#[tokio::test]
async fn a_body_over_the_limit_is_refused(#[case] with_length: bool) {
    let text = "x".repeat(5000);
    let body = if with_length {
        Body::from(text)
    } else {
        let pieces: Vec<_> = text.into_bytes().chunks(1000).map(<[u8]>::to_vec).collect();
        Body::from_stream(futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
    };
    let request = Request::post("/v1/chat/completions").body(body).unwrap();
    Gateway::new().ask(request).await.is_error(413, "invalid_request_error", "request_too_large");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_fault() {
    let pieces = [Ok("{\"model\":"), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let request = Request::post("/v1/chat/completions").body(body).unwrap();
    Gateway::new().ask(request).await.is_error(400, "invalid_request_error", "incomplete_body");
}

#[tokio::test]
async fn health_has_the_seeds_shape_and_tells_when_the_process_drains() {
    let gateway = Gateway::new();
    let answer = gateway.get("/health").await;
    let expected = json!({"status": "healthy", "service": "Grok2API", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
    gateway.tasks.shutdown().drain();
    let answer = gateway.get("/health").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["waiting_for"]), (503, &json!(["draining"])));
}

#[tokio::test]
async fn models_have_openais_fields_and_the_seeds() {
    let gateway = Gateway::new();
    let list = gateway.get("/v1/models").await.json();
    insta::assert_json_snapshot!("models", list);
    assert_eq!(gateway.get("/v1/models/grok-4-fast").await.json(), list["data"][0]);
    for id in ["no-such-model", "%ff"] {
        let answer = gateway.get(&format!("/v1/models/{id}")).await;
        answer.is_error(404, "invalid_request_error", "model_not_found");
    }
}

#[rstest]
#[tokio::test]
async fn every_page_is_the_consoles(
    #[values("/", "/login", "/manage", "/manage/accounts", "/manage/no/such/page")] path: &str,
) {
    let answer = Gateway::new().get(path).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    // Clickjacking: no page of any origin may frame it.
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
}

#[tokio::test]
async fn a_file_of_the_console_that_is_not_there_is_no_page() {
    let answer = Gateway::new().get("/manage/assets/gone-AbCd1234.js").await;
    answer.is_error(404, "invalid_request_error", "unknown_url");
}
