//! What operators see of the product, as processes of their own: metrics, one trace, logs without secrets.

mod fleet;
mod named;
mod receiver;

use std::collections::{BTreeSet, HashMap};

use grok2api_kit::metrics::TABLE;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::Shape;
use fleet::{Fleet, ROLES, SECRET};
use receiver::{Receiver, Span};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

/// Every metric that a dashboard or a rule names is there after a little of everything.
#[rstest]
#[case(Shape::Whole)]
#[case(Shape::Split)]
#[tokio::test]
async fn what_dashboards_and_rules_name_is_exported(#[case] shape: Shape) {
    let fleet = Fleet::start(shape, &[]).await;
    let streamed = fleet.chat("[[sim:say=hello]]", true).await;
    assert!(streamed.1.contains("hello"), "{streamed:?}");
    let drawn = fleet.chat("draw a moon", false).await;
    assert_eq!(fleet.image(&drawn.1).await, 200);
    let failed = fleet.chat("[[sim:fault=500]] nothing", false).await;
    assert_eq!(failed.0, 502, "{}", failed.1);
    assert_eq!(fleet.without_key().await, 401);
    let named = named::all();
    assert!(named.len() > 30, "{named:?}");
    // In one process nobody calls anybody.
    let wanted: BTreeSet<&String> =
        named.iter().filter(|name| shape == Shape::Split || !name.starts_with("rpc_")).collect();
    // Some are told a moment later, such as what the media cache holds.
    loop {
        let text = fleet.metrics().await;
        let exported = named::exported(&text);
        let missing: Vec<_> = wanted.iter().filter(|name| !exported.contains(**name)).collect();
        if missing.is_empty() {
            check(&text).await;
            break;
        }
        assert!(fleet.began.elapsed().as_secs() < 60, "not exported: {missing:?}\n{text}");
        tokio::task::yield_now().await;
    }
}

/// The text is as Prometheus wants it: by promtool where there is one, and by the table's own test everywhere.
async fn check(text: &str) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        // Nothing of a client's making, nor of a secret's.
        assert!(!line.contains("sim-heavy") && !line.contains(SECRET) && !line.contains("moon"), "{line}");
    }
    let Some(promtool) = named::promtool() else { return };
    for one in text.split("# of a process\n") {
        let mut child = tokio::process::Command::new(&promtool)
            .args(["check", "metrics"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut input, one.as_bytes()).await.unwrap();
        drop(input);
        let done = child.wait_with_output().await.unwrap();
        let said = [done.stdout, done.stderr].concat();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

/// One streamed chat through five processes is one trace below the client's own span; metrics and logs arrive as well.
#[tokio::test]
async fn a_streamed_chat_is_one_connected_trace() {
    let receiver = Receiver::start().await;
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ("OTEL_BLRP_SCHEDULE_DELAY", "100".to_owned()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=chat".to_owned()),
    ];
    let fleet = Fleet::start(Shape::Split, &environment).await;
    // Spans survive any level of the logs.
    fleet.parameter("log_level", "WARNING").await;
    let (status, text) = fleet.chat("draw a moon", true).await;
    assert_eq!(status, 200, "{text}");
    let ours = |span: &Span| span.trace == TRACE;
    let spans = receiver
        .until("the settling, and what waits for it", |told| {
            let spans: Vec<&Span> = told.spans.iter().filter(|span| ours(span)).collect();
            let has = |name: &str| spans.iter().any(|span| span.name == name);
            // Each process sends when it likes: a span may be there before the one it is below.
            let known = |id: &str| id == CLIENT || spans.iter().any(|span| span.id == id);
            if !spans.iter().all(|span| known(&span.parent)) {
                return false;
            }
            has("settle") && has("media fetch") && has("POST /v1/chat/completions") && has("chat grok-3-fast")
        })
        .await;
    let spans: Vec<Span> = spans.into_iter().filter(ours).collect();
    let by_id: HashMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    for span in &spans {
        let known = by_id.contains_key(span.parent.as_str()) || span.parent == CLIENT;
        assert!(known, "{} hangs in the air: {spans:#?}", span.name);
        assert_eq!(span.resource["service.name"], "grok2api");
        assert_eq!(span.resource["team"], "chat");
        assert!(!span.resource["service.instance.id"].is_empty());
    }
    // From the leaf up to the client: name, kind, role.
    let way = |leaf: &str, kind: &str| {
        let found = spans.iter().find(|span| span.name == leaf && span.kind == kind);
        let mut at = found.unwrap_or_else(|| panic!("no {leaf} ({kind}) in {spans:#?}"));
        let mut way = vec![format!("{} {}", at.role, at.name)];
        while let Some(parent) = by_id.get(at.parent.as_str()) {
            at = parent;
            way.insert(0, format!("{} {}", at.role, at.name));
        }
        assert_eq!(at.parent, CLIENT);
        way
    };
    let complete = "grok2api.chat.v1.ChatService/Complete";
    let turn = [
        "gateway POST /v1/chat/completions".to_owned(),
        format!("gateway {complete}"),
        format!("chat {complete}"),
        "chat chat grok-3-fast".to_owned(),
    ];
    let below = |more: &[&str]| {
        let more = more.iter().map(|step| (*step).to_owned());
        turn.iter().cloned().chain(more).collect::<Vec<String>>()
    };
    let pool = "grok2api.pool.v1.TokenPoolService";
    assert_eq!(
        way("lease", "internal"),
        below(&[&format!("chat {pool}/Lease"), &format!("token-pool {pool}/Lease"), "token-pool lease"])
    );
    assert_eq!(
        way("settle", "internal"),
        below(&[&format!("chat {pool}/Settle"), &format!("token-pool {pool}/Settle"), "token-pool settle"])
    );
    assert_eq!(way("chat", "client"), below(&["chat attempt 1", "chat chat"]));
    let fetch = "grok2api.media.v1.MediaCacheService/Fetch";
    assert_eq!(
        way("asset", "client")[4..],
        [
            format!("chat {fetch}"),
            format!("media-cache {fetch}"),
            "media-cache media fetch".to_owned(),
            "media-cache asset".to_owned()
        ]
    );
    let turn = spans.iter().find(|span| span.name == "chat grok-3-fast").unwrap();
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "xai"),
        ("gen_ai.request.model", "grok-3-fast"),
        ("gen_ai.response.finish_reasons", "[stop]"),
    ] {
        assert_eq!(turn.attributes.get(name).map(String::as_str), Some(value), "{name} of {turn:#?}");
    }
    assert!(turn.attributes["gen_ai.usage.input_tokens"].parse::<u64>().unwrap() > 0, "{turn:#?}");
    // The server's span lasts as long as the answer.
    let server = spans.iter().find(|span| span.name == "POST /v1/chat/completions").unwrap();
    assert!(server.begun <= turn.begun && server.ended >= turn.begun, "{server:#?} {turn:#?}");
    // A failure is told in the logs, with its trace.
    fleet.chat("[[sim:fault=500:1]] then well", true).await;
    receiver
        .until("metrics of every role, and log records", |told| {
            let names = |role: &str, name: &str| told.metrics.contains(&(role.to_owned(), name.to_owned()));
            names("gateway", "grok2api.requests")
                && names("chat", "grok2api.attempts")
                && names("token-pool", "grok2api.pool.leases")
                && names("media-cache", "grok2api.media.fetches")
                && names("config", "grok2api.config.revision")
                && told.logs.iter().any(|(role, trace)| role == "chat" && trace == TRACE)
        })
        .await;
    // What is recorded last is sent before a process ends.
    fleet.chat("the last", true).await;
    let before = receiver.count("POST /v1/chat/completions");
    fleet.stop().await;
    assert!(receiver.count("settle") >= 3 && before <= receiver.count("POST /v1/chat/completions"));
    assert_eq!(receiver.count("POST /v1/chat/completions"), 3);
}

/// Every line of a request says which it is, in every role; and no line holds what must not be known.
#[tokio::test]
async fn logs_tell_the_request_and_no_secret() {
    let fleet = Fleet::start(Shape::Split, &[]).await;
    fleet.parameter("log_level", "DEBUG").await;
    let (status, text) = fleet.chat("draw a moon [[sim:fault=500:1]]", true).await;
    assert_eq!(status, 200, "{text}");
    fleet.chat("[[sim:fault=401:1]] refused", false).await;
    let logs = fleet.logs_once(|role, lines| {
        let about = |line: &&Value| line["trace_id"] == TRACE;
        // The config role is not asked about single requests.
        role == "config" || lines.iter().any(|line| about(&line) && line["turn.id"].is_string())
    });
    for (role, text) in logs.await {
        for secret in fleet.secrets() {
            assert!(!text.contains(&secret), "{role} logs a secret ({}…)", &secret[..6]);
        }
        for line in text.lines() {
            let line: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{role}: {error}: {line}"));
            assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
            if line["trace_id"] == TRACE {
                assert_eq!(line["request.id"], json!("mine"), "{role}: {line}");
            }
            let turn = line["turn.id"].is_string();
            assert!(!turn || line["trace_id"].is_string(), "{role}: a turn without its trace: {line}");
        }
    }
}

/// The table names the roles that there are.
#[test]
fn the_table_names_roles() {
    for about in TABLE {
        for role in about.roles.split(", ") {
            assert!(role == "all" || ROLES.contains(&role), "{}: {role}", about.name);
        }
    }
}
