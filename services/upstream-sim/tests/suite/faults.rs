//! The whole fault matrix: every line of the table does what it says.

use std::time::Duration;

use grok2api_upstream_sim::{Fault, Outcome, Scope, faults};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Answer, BASIC, Bench, SUPER, objects};

/// The text the faults act on.
const TEXT: &str = "one two three four five six seven eight";

#[tokio::test]
async fn every_fault_does_what_its_line_says() {
    for fault in faults() {
        let bench = Bench::start().await;
        match fault.name {
            name if fault.scopes.contains(&Scope::Chat) && name.starts_with(['4', '5']) => {
                refuses(&bench, fault).await;
            }
            name if name.starts_with("stall") => stalls(&bench, name).await,
            name if name.starts_with("200-") => broken_stream(&bench, name).await,
            name if name.starts_with("image-") => pictures(&bench, name).await,
            name if name.starts_with("video-") => videos(&bench, name).await,
            "reset-mid" => resets(&bench).await,
            "upload-terminal-error" => upload(&bench).await,
            name if name.starts_with("asset-") => assets(&bench, name).await,
            name if name.starts_with("quota-") => quota(&bench, name).await,
            name => odd_stream(&bench, name).await,
        }
    }
}

fn prompt(name: &str) -> String {
    format!("[[sim:fault={name}]][[sim:say={TEXT}]]")
}

async fn strike(bench: &Bench, name: &str) -> Answer {
    let answer = bench.ask(BASIC, &prompt(name)).await;
    assert_eq!(bench.sim.requests().pop().unwrap().fault, Some(name));
    answer
}

async fn refuses(bench: &Bench, fault: &Fault) {
    let name = fault.name;
    let response = bench.open(BASIC, json!({"modelName": "grok-3", "message": prompt(name)})).await;
    assert_eq!(response.status().as_u16().to_string(), name[..3], "{name}");
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(retry_after, (name == "429+Retry-After").then(|| "5".to_owned()));
    let html = response.headers()["content-type"].to_str().unwrap().starts_with("text/html");
    let body = response.text().await.unwrap();
    let (page, needle) = match name {
        "401-json" => (false, "unauthenticated: bad-credentials"),
        "401-html" => (true, "401 Unauthorized"),
        "403-blocked" => (false, "User is blocked [WKE=unauthorized:blocked-user]"),
        "403-antibot-json" => (false, "Request rejected by anti-bot rules."),
        "403-html" => (true, "Just a moment..."),
        "403-empty" => (true, ""),
        "403-moderation" => (false, "content-moderated"),
        "403-unknown" => (false, "temporary rejection"),
        "429" | "429+Retry-After" => (false, "Too many requests"),
        "500" => (false, "internal error"),
        "500-markup" => (false, "<script>"),
        "502-html" => (true, "502 Bad Gateway"),
        other => panic!("no expectation for {other}"),
    };
    assert!(html == page && body.contains(needle), "{name}: {body}");
    assert_eq!(body.is_empty(), name == "403-empty");
    assert_eq!(serde_json::from_str::<Value>(&body).is_ok(), !page);
    let record = bench.sim.requests().pop().unwrap();
    assert_eq!((record.outcome, record.fault), (Outcome::Faulted, Some(name)));
    assert_eq!(bench.sim.account(BASIC).unwrap().turns, 0, "{name} charges nothing");
}

async fn stalls(bench: &Bench, name: &str) {
    let request = bench.post(BASIC, crate::support::CHAT);
    let request = request.json(&json!({"modelName": "grok-3", "message": prompt(name)}));
    let long = Duration::from_millis(150);
    if name == "stall-before-first-byte" {
        assert!(tokio::time::timeout(long, request.send()).await.is_err(), "there was a status line");
    } else {
        let mut response = request.send().await.unwrap();
        let mut seen = Vec::new();
        while name == "stall-mid" && Answer::of(seen.clone()).text() != "one two three four" {
            seen.extend(response.chunk().await.unwrap().expect("the stream must stay open"));
        }
        assert!(tokio::time::timeout(long, response.chunk()).await.is_err(), "there was more");
        assert_eq!(bench.sim.in_flight(), 1);
    }
    bench.sim.wait(|counters| counters.cancelled == 1).await;
    assert_eq!(bench.sim.requests()[0].fault, Some(name));
}

async fn broken_stream(bench: &Bench, name: &str) {
    let answer = strike(bench, name).await;
    let half = "one two three four";
    let last = answer.objects.last();
    match name {
        "200-error-line-first" => {
            assert_eq!((answer.objects.len(), &last.unwrap()["error"]["code"]), (1, &json!(8)));
            let seven = bench.ask(BASIC, "[[sim:fault=200-error-line-first=7]]").await;
            assert_eq!(seven.objects[0]["error"]["code"], 7);
            assert_eq!(bench.sim.account(BASIC).unwrap().turns, 0);
        }
        "200-error-after-text" => {
            assert_eq!((answer.text().as_str(), &last.unwrap()["error"]["code"]), (half, &json!(8)));
        }
        "200-stream-errors" => {
            assert_eq!(answer.text(), half);
            assert_eq!(answer.closing()["streamErrors"][0]["message"], "upstream stream failed");
        }
        "200-empty-body" => assert!(answer.raw.is_empty()),
        "200-only-whitespace" => assert!(!answer.raw.is_empty() && answer.raw.trim_ascii().is_empty()),
        "200-only-conversation-line" => {
            assert_eq!(answer.objects.len(), 1);
            assert!(last.unwrap()["result"]["conversation"].is_object());
        }
        "200-truncated-object" => {
            assert_eq!(answer.text(), half);
            let whole: usize = objects(&answer.raw).iter().map(|object| object.len() + 1).sum();
            assert!(answer.raw[whole..].starts_with(b"{\"result\""));
        }
        "200-bad-line-in-middle" => {
            assert_eq!(objects(&answer.raw).len(), answer.objects.len() + 1);
            assert_eq!(answer.text(), TEXT);
        }
        other => panic!("no expectation for {other}"),
    }
}

async fn odd_stream(bench: &Bench, name: &str) {
    let answer = strike(bench, name).await;
    let message = || answer.closing()["message"].as_str().unwrap().to_owned();
    let text = answer.text();
    match name {
        "no-modelResponse" => assert!(answer.all("modelResponse").is_empty() && text == TEXT),
        "no-tokens-only-message" => assert_eq!((text.as_str(), message().as_str()), ("", TEXT)),
        "message-shorter" => {
            assert!(text == TEXT && text.starts_with(&message()) && message().len() < text.len());
        }
        "message-longer" => {
            assert!(text == TEXT && message().starts_with(TEXT) && message().len() > text.len());
        }
        "message-different" => assert!(text == TEXT && !message().starts_with("one")),
        "token-list" => {
            assert!(answer.all("token").iter().any(|token| token.is_array()));
            assert_eq!(text, TEXT);
        }
        "late-thinking" => {
            let thinking = answer.all("isThinking").into_iter().map(|flag| *flag == json!(true));
            let flips: Vec<_> = thinking.skip(1).collect();
            assert!(flips.windows(2).any(|pair| pair == [true, false]) && !flips[0], "{flips:?}");
            assert_eq!(text, TEXT);
        }
        "blank-tokens" => {
            assert!(answer.tokens().iter().take(2).any(|token| token.trim().is_empty()));
            assert!(text.trim_start().starts_with(TEXT));
        }
        "tag-split" => {
            assert!(text.contains("<grok:render card_id=\"cite_1\""));
            assert!(!answer.tokens().iter().any(|token| token.contains("grok:render")));
            assert!(answer.all("toolUsageCardId").len() > 10);
        }
        "duplicate-citations" => {
            let tags = answer.tokens().into_iter().filter(|token| token.starts_with("<grok:render"));
            let tags: Vec<_> = tags.collect();
            assert!(tags.len() == 4 && tags[0] == tags[1] && tags[2] == tags[3]);
        }
        other => panic!("no expectation for {other}"),
    }
}

async fn pictures(bench: &Bench, name: &str) {
    let answer = strike(bench, name).await;
    let steps = answer.all("streamingImageGenerationResponse");
    let finals: Vec<_> = steps.iter().filter(|step| step["progress"] == 100).collect();
    match name {
        "image-moderated" => {
            assert!(finals.len() == 2 && finals.iter().all(|step| step["moderated"] == true));
            assert_eq!(answer.closing()["generatedImageUrls"][0], finals[0]["imageUrl"]);
            let one = bench.ask(BASIC, "[[sim:fault=image-moderated=1]]x").await;
            let flags = one.all("streamingImageGenerationResponse").into_iter();
            let flags: Vec<_> = flags.map(|step| step["moderated"] == true).collect();
            assert_eq!(flags, [false, false, true, false]);
        }
        "image-preview-only" => {
            assert!(finals.is_empty() && steps.len() == 2);
            assert_eq!(answer.closing()["generatedImageUrls"], json!([]));
        }
        "image-limit" => {
            let error = answer.all("error").pop().unwrap()["message"].as_str().unwrap();
            assert!(error.contains("usage limit") && answer.all("cardAttachment").len() == 1);
            assert!(answer.all("modelResponse").is_empty());
        }
        other => panic!("no expectation for {other}"),
    }
}

async fn videos(bench: &Bench, name: &str) {
    let answer = strike(bench, name).await;
    let steps = answer.all("streamingVideoGenerationResponse");
    let seen: Vec<_> =
        steps.iter().map(|step| (step["progress"].as_u64().unwrap(), step["videoUrl"].is_string())).collect();
    match name {
        "video-100-first" => assert_eq!(seen, [(100, true)]),
        "video-repeat-progress" => {
            assert_eq!(seen.len(), 15);
            assert!(seen.chunks(3).all(|same| same[0] == same[1] && same[1] == same[2]));
        }
        "video-url-early" => assert_eq!(seen, [(1, false), (50, true), (100, false)]),
        "video-only-fileAttachments" => {
            assert!(seen.iter().all(|(_, url)| !url));
            let path = answer.closing()["fileAttachments"][0].as_str().unwrap().to_owned();
            assert_eq!(bench.get(BASIC, &path).send().await.unwrap().status(), 200);
        }
        other => panic!("no expectation for {other}"),
    }
}

/// The end must be a reset, not a FIN: only a bare socket can tell.
async fn resets(bench: &Bench) {
    let body = json!({"modelName": "grok-3", "message": prompt("reset-mid")}).to_string();
    let request = format!(
        "POST {} HTTP/1.1\r\nhost: sim\r\ncookie: sso={BASIC}\r\ncontent-length: {}\r\n\r\n{body}",
        crate::support::CHAT,
        body.len()
    );
    let mut socket = TcpStream::connect(bench.sim.addr()).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let error = socket.read_to_end(&mut seen).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let seen = String::from_utf8_lossy(&seen);
    assert!(
        seen.starts_with("HTTP/1.1 200 OK") && seen.contains("\" four\"") && !seen.contains("\" five\""),
        "{seen}"
    );
    assert_eq!(bench.sim.requests()[0].outcome, Outcome::Faulted);

    let response = bench.open(BASIC, json!({"modelName": "grok-3", "message": prompt("reset-mid")})).await;
    assert!(response.bytes().await.is_err());
}

async fn upload(bench: &Bench) {
    let path = format!("/__sim/accounts/{BASIC}");
    bench.json("", &path, json!({"faults": [{"name": "upload-terminal-error"}]})).await;
    let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::bytes(b"x".as_slice()));
    let response = bench.post(BASIC, "/http/upload-file-v2/direct").multipart(form).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().await.unwrap();
    assert!(answer["terminalError"]["message"].is_string() && answer["fileMetadata"].is_null());
}

async fn assets(bench: &Bench, name: &str) {
    let answer = bench.ask(BASIC, &format!("[[sim:fault={name}]]draw")).await;
    let path = answer.closing()["generatedImageUrls"][0].as_str().unwrap().to_owned();
    let fetch = async |path: &str| {
        let response = bench.get(BASIC, path).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.headers()["content-type"].to_str().unwrap().to_owned())
    };
    let first = fetch(&path).await;
    let status = if name == "asset-403-then-200" { 403 } else { 200 };
    assert_eq!(
        first,
        (status, "text/html; charset=UTF-8".to_owned()),
        "the prompt has set it on the account"
    );
    assert_eq!(fetch(&path).await, (200, "image/jpeg".to_owned()));

    if name == "asset-403-then-200" {
        bench
            .json(
                "",
                &format!("/__sim/accounts/{BASIC}"),
                json!({"faults": [{"name": "asset-403-then-200=2"}]}),
            )
            .await;
        let other = answer.closing()["generatedImageUrls"][1].as_str().unwrap().to_owned();
        let statuses = [fetch(&other).await.0, fetch(&other).await.0, fetch(&other).await.0];
        assert_eq!(statuses, [403, 403, 200], "the first two of each path");
    }
}

async fn quota(bench: &Bench, name: &str) {
    let (status, _) = match name {
        "quota-zero" => {
            assert_eq!(bench.status(BASIC, &prompt(name)).await, 429);
            bench.json(BASIC, "/rest/rate-limits", json!({"modelName": "grok-3"})).await
        }
        _ => {
            bench.ask(BASIC, &prompt(name)).await;
            let failed = bench.json(BASIC, "/rest/rate-limits", json!({"modelName": "grok-3"})).await;
            assert_eq!(failed.0, 500);
            bench.json(BASIC, "/rest/rate-limits", json!({"modelName": "grok-3"})).await
        }
    };
    assert_eq!(status, 200);
    let left = bench.quota(BASIC, "grok-3").await["remainingTokens"].as_u64();
    assert_eq!(left, Some(if name == "quota-zero" { 0 } else { 79 }));
}

#[tokio::test]
async fn a_counted_fault_strikes_the_first_attempts_of_a_prompt_over_all_accounts() {
    let bench = Bench::start().await;
    let message = "[[sim:fault=500:2]]hello";
    let statuses = [
        bench.status(BASIC, message).await,
        bench.status(SUPER, message).await,
        bench.status(BASIC, message).await,
    ];
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!(bench.status(BASIC, "[[sim:fault=500:2]]another prompt").await, 500);
    let third = bench.sim.requests().remove(2);
    assert_eq!((third.outcome, third.fault), (Outcome::Completed, None));
}

#[tokio::test]
async fn a_scenario_strikes_by_scope_count_and_token() {
    let bench = Bench::scenario(
        "[[fault]]\nname = '502-html'\ntoken = 'sim-basic-*'\non = 'chat'\nfirst = 1\n\
         [[fault]]\nname = '429-retry-after=9'\non = 'rate-limits'",
    )
    .await;
    assert_eq!(bench.status(SUPER, "x").await, 200);
    assert_eq!(bench.status(BASIC, "x").await, 502);
    assert_eq!(bench.status(BASIC, "x").await, 200);
    let limits =
        bench.post(BASIC, "/rest/rate-limits").json(&json!({"modelName": "grok-3"})).send().await.unwrap();
    assert_eq!((limits.status().as_u16(), &limits.headers()["retry-after"].to_str().unwrap()), (429, &"9"));
}

#[tokio::test]
async fn statuses_strike_every_endpoint() {
    let bench = Bench::scenario("[[fault]]\nname = '500'").await;
    assert_eq!(bench.status(BASIC, "x").await, 500);
    assert_eq!(bench.json(BASIC, "/rest/rate-limits", json!({"modelName": "grok-3"})).await.0, 500);
    let upload = json!({"fileName": "a", "fileMimeType": "image/png", "content": "AAAA"});
    assert_eq!(bench.json(BASIC, "/rest/app-chat/upload-file", upload).await.0, 500);
    let user = bench.sim.account(BASIC).unwrap().user_id;
    let asset = bench.get(BASIC, &format!("/users/{user}/x/content")).send().await.unwrap();
    assert_eq!(asset.status(), 500);
}
