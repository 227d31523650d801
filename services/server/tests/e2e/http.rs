//! HTTP through the whole product: headers, versions, and requests that are repeated.

use std::{collections::BTreeSet, time::Duration};

use grok2api_kit::settings::Mode;
use grok2api_testkit::Backing;
use reqwest::{Method, Version};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Product, Shape};

/// Every header an answer may have: what the upstream's network adds is not among them.
const OURS: [&str; 25] = [
    "accept-ranges",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "allow",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "openai-processing-ms",
    "retry-after",
    "retry-after-ms",
    "traceparent",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
    "x-g2a-attempts",
    "x-g2a-overhead-ms",
    "x-g2a-upstream-ms",
    "x-request-id",
    "x-should-retry",
];

fn chat(text: &str, stream: bool) -> Value {
    json!({"model": "grok-3-fast", "stream": stream, "messages": [{"role": "user", "content": text}]})
}

/// A chat with headers of its own.
async fn ask(product: &Product, body: &Value, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = product.http.post(format!("{}/v1/chat/completions", product.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_string()).send().await.unwrap()
}

#[rstest]
#[tokio::test]
async fn no_header_passes_between_client_and_upstream(#[values(Shape::Whole, Shape::Split)] shape: Shape) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let client = [
        ("x-api-key", "sk-client"),
        ("x-request-id", "client-request"),
        ("x-forwarded-for", "198.51.100.7"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("idempotency-key", "client-key"),
        ("cookie", "session=client"),
        ("connection", "x-hop"),
        ("x-hop", "client"),
    ];
    let mut answers = Vec::new();
    for (text, stream) in [("[[sim:say=hi]]", false), ("[[sim:say=ho]]", true), ("draw a cat", false)] {
        answers.push(ask(&product, &chat(text, stream), &client[..4]).await);
    }
    answers.push(ask(&product, &chat("[[sim:say=once]]", false), &client).await);
    for fault in ["403-html", "429", "500", "502-html", "200-error-line-first"] {
        let prompt = format!("[[sim:fault={fault}]]");
        answers.push(ask(&product, &chat(&prompt, false), &[]).await);
    }
    let mut images = Vec::new();
    for answer in answers {
        only_ours(&answer);
        let text = answer.text().await.unwrap();
        images.extend(text.split("/images/").nth(1).map(|rest| rest.split(')').next().unwrap().to_owned()));
    }
    for image in &images {
        let image = product.http.get(format!("{}/images/{image}", product.base)).send().await.unwrap();
        assert_eq!(image.status(), 200);
        only_ours(&image);
    }
    assert!(!images.is_empty());
    for request in product.sim.requests() {
        for (name, value) in &request.headers {
            let clients = ["authorization", "x-api-key", "x-request-id", "x-forwarded-for", "traceparent"];
            assert!(!clients.contains(name) && *name != "idempotency-key", "{name}: {value}");
            assert!(!value.contains("client") && !value.contains("4bf92f35"), "{name}: {value}");
        }
    }
    product.stop().await;
}

fn only_ours(answer: &reqwest::Response) {
    let ours = BTreeSet::from(OURS);
    for (name, value) in answer.headers() {
        assert!(ours.contains(name.as_str()), "{name}: {value:?} of {}", answer.url());
        let value = value.to_str().unwrap();
        assert!(
            !value.contains("upstream-request") && !value.contains("11111111111111111111"),
            "{name}: {value}"
        );
    }
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers().get_all("x-request-id").iter().count(), 1);
}

/// The same trace from the client through the roles; what goes on in between is in the logs.
#[rstest]
#[tokio::test]
async fn an_answer_tells_its_attempts_its_time_and_its_trace(
    #[values(Shape::Whole, Shape::Split)] shape: Shape,
    #[values(false, true)] stream: bool,
) {
    let product = Product::with(shape, &["sim-basic-1", "sim-basic-2", "sim-basic-3"]).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    // Two accounts fail; the third begins late.
    let text = "[[sim:fault=500:2]][[sim:first_delay_ms=400]][[sim:say=hi]]";
    let answer =
        ask(&product, &chat(text, stream), &[("traceparent", parent), ("x-request-id", "mine")]).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let number = |name: &str| header(name).parse::<u64>().unwrap();
    assert_eq!((number("x-g2a-attempts"), header("x-request-id").as_str()), (3, "mine"));
    assert!(header("traceparent").starts_with(&parent[..36]) && header("traceparent") != parent);
    let (upstream, overhead) = (number("x-g2a-upstream-ms"), number("x-g2a-overhead-ms"));
    assert!(upstream >= 400, "{upstream}");
    assert_eq!(upstream + overhead, number("openai-processing-ms"));
    println!("{shape:?}, streamed {stream}: {upstream} ms with the upstream, {overhead} ms without");
    product.stop().await;
}

#[rstest]
#[tokio::test]
async fn http_2_is_spoken_without_being_asked_for(#[values(false, true)] stream: bool) {
    let product = Product::start().await;
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let ask = || {
        let request = client.post(format!("{}/v1/chat/completions", product.base));
        request.body(chat("[[sim:say=hello]]", stream).to_string()).send()
    };
    let (one, two) = tokio::join!(ask(), ask());
    for answer in [one.unwrap(), two.unwrap()] {
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
        assert!(answer.text().await.unwrap().contains("hello"));
    }
    let nothing = client.get(format!("{}/v1/nothing", product.base)).send().await.unwrap();
    assert_eq!(nothing.status(), 404);
    product.stop().await;
}

/// One stream of a connection is not read; its turn is given up, and the others go on.
#[tokio::test]
async fn an_http_2_stream_that_is_not_read_is_given_up_alone() {
    let store = Backing::start(Mode::Redis);
    let product = Product::on_store(Shape::Whole, &["sim-heavy-1"], store).await;
    let patient = product.replica(&[("G2A_HTTP__WRITE_TIMEOUT_SECONDS", "1".to_owned())]).await;
    let base = format!("http://{}", patient.addresses.http.unwrap());
    #[expect(clippy::disallowed_methods, reason = "a client of the product, not a part of it")]
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge();
    // The less it takes unread, the sooner it stops.
    let client = client.http2_initial_stream_window_size(65_535).build().unwrap();
    let ask = async |text: &str| {
        let request = client.post(format!("{base}/v1/chat/completions"));
        request.body(chat(text, true).to_string()).send().await.unwrap()
    };
    // So much that it does not fit into the buffers on its way, even when a busy machine joins many tokens to a chunk.
    let unread = ask("[[sim:tokens=200000]]").await;
    let mut long = ask("[[sim:tokens=30]][[sim:delay_ms=100]]").await;
    product.sim.wait(|counters| counters.in_flight <= 1).await;
    let mut rest = Vec::new();
    while let Some(chunk) = long.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
    product.sim.idle().await;
    assert!(!unread.text().await.is_ok_and(|text| text.contains("[DONE]")));
    assert_eq!(ask("[[sim:say=hi]]").await.status(), 200);
    patient.stop().await;
    product.stop().await;
}

#[rstest]
#[case::whole(Shape::Whole, Mode::File)]
#[case::split(Shape::Split, Mode::File)]
#[case::replicas(Shape::Whole, Mode::Redis)]
#[tokio::test]
async fn a_repeated_request_is_done_and_paid_once(#[case] shape: Shape, #[case] mode: Mode) {
    let product = Product::on_store(shape, &["sim-basic-1"], Backing::start(mode)).await;
    let other = match mode {
        Mode::File => None,
        _ => Some(product.replica(&[]).await),
    };
    let bases: Vec<String> = std::iter::once(product.base.clone())
        .chain(other.iter().map(|other| format!("http://{}", other.addresses.http.unwrap())))
        .collect();
    for stream in [false, true] {
        let body = chat("[[sim:tokens=20]][[sim:first_delay_ms=300]]", stream).to_string();
        let ask = async |number: usize| {
            let url = format!("{}/v1/chat/completions", bases[number % bases.len()]);
            let request = product.http.post(url).header("idempotency-key", format!("key-{stream}"));
            let answer = request.body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let replayed = answer.headers().contains_key("idempotent-replayed");
            (replayed, answer.text().await.unwrap())
        };
        let asked = futures_util::future::join_all((0..8).map(ask)).await;
        assert_eq!(asked.iter().filter(|(replayed, _)| !replayed).count(), 1);
        assert!(asked.iter().all(|(_, text)| *text == asked[0].1));
        assert_eq!(ask(1).await, (true, asked[0].1.clone()));
    }
    let turns = product.sim.requests();
    assert_eq!(turns.iter().filter(|turn| turn.path.ends_with("/conversations/new")).count(), 2);
    if let Some(other) = other {
        other.stop().await;
    }
    product.stop().await;
}

/// The client leaves in the middle of its answer and comes back for it.
#[rstest]
#[tokio::test]
async fn a_client_that_lost_its_connection_gets_its_answer_and_pays_once(
    #[values(Shape::Whole, Shape::Split)] shape: Shape,
) {
    let product = Product::with(shape, &["sim-basic-1"]).await;
    let body = chat("[[sim:tokens=40]][[sim:delay_ms=20]]", true);
    let key = [("idempotency-key", "a-key")];
    let mut first = ask(&product, &body, &key).await;
    assert!(first.chunk().await.unwrap().is_some());
    drop(first);
    let again = ask(&product, &body, &key).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert!(again.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    let turns = product.sim.requests();
    assert_eq!(turns.iter().filter(|turn| turn.path.ends_with("/conversations/new")).count(), 1);
    assert_eq!(product.sim.cancelled(), 0);
    let other = ask(&product, &chat("another", true), &key).await;
    assert_eq!(other.status(), 400);
    product.stop().await;
}

/// While requests without a key wait for nobody, draining waits for those with one.
#[tokio::test]
async fn a_stop_waits_for_a_request_whose_client_will_come_back() {
    let product = Product::start().await;
    let body = chat("[[sim:tokens=30]][[sim:delay_ms=20]]", true);
    let mut first = ask(&product, &body, &[("idempotency-key", "a-key")]).await;
    assert!(first.chunk().await.unwrap().is_some());
    drop(first);
    assert!(tokio::time::timeout(Duration::from_secs(30), product.gateway().drain()).await.unwrap());
    assert_eq!((product.sim.cancelled(), product.sim.counters().completed > 0), (0, true));
    product.stop().await;
}

#[tokio::test]
async fn a_preflight_and_an_error_can_be_read_by_a_browser() {
    let product = Product::start().await;
    let url = format!("{}/v1/chat/completions", product.base);
    let preflight = product.http.request(Method::OPTIONS, &url).header("origin", "https://app.example");
    let preflight = preflight.header("access-control-request-method", "POST");
    let preflight = preflight.header("access-control-request-headers", "authorization,idempotency-key");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers()["access-control-allow-headers"], "authorization,idempotency-key");
    let error =
        product.http.post(&url).header("origin", "https://app.example").body("{").send().await.unwrap();
    assert_eq!(
        (error.status().as_u16(), &error.headers()["access-control-allow-origin"]),
        (400, &"*".parse().unwrap())
    );
    product.stop().await;
}
