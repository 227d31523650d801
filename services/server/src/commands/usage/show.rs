//! `grok2api usage show`: one request.

use grok2api_kit::clock::Clock;
use grok2api_proto::{
    capture::{Bodies, Body, ReadRequest},
    ledger::{Entry, GetRequest},
};
use grok2api_storage::Store;
use serde_json::{Value, json};

use super::{Failure, name_of, say};

/// Who reads, in the log of actions.
const READER: &str = "command line";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The id of the entry, as the logs show it: turn_…
    id: String,
    /// The bodies of request and answer as well, if they are kept. That they were read is written down.
    #[arg(long)]
    bodies: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(store: &Store, args: &Args) -> Result<(), Failure> {
    let clock = Clock::system();
    let ledger = grok2api_config::ledger::open(store.ledger(), clock.clone());
    let entry = ledger.get(GetRequest { id: args.id.clone() }).await?;
    let bodies = if args.bodies {
        let captures = grok2api_config::capture::open(store.captures(), store.actions(), clock);
        let read = ReadRequest { id: args.id.clone(), reader: READER.to_owned() };
        Some(captures.read(read).await?)
    } else {
        None
    };
    if args.json {
        say(&object(&entry, bodies.as_ref()).to_string());
        return Ok(());
    }
    table(&entry);
    for (name, body) in bodies.iter().flat_map(parts) {
        say(&format!("\n{name} ({}, {} bytes)", media_type(body), body.size));
        say(&String::from_utf8_lossy(&body.data));
    }
    Ok(())
}

fn parts(bodies: &Bodies) -> impl Iterator<Item = (&'static str, &Body)> {
    let parts = [("request", bodies.request.as_ref()), ("answer", bodies.answer.as_ref())];
    parts.into_iter().filter_map(|(name, body)| Some((name, body?)))
}

fn media_type(body: &Body) -> &str {
    if body.media_type.is_empty() { "no content type" } else { &body.media_type }
}

fn table(entry: &Entry) {
    let or = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let first = entry.first_output_ms.map_or_else(|| "-".to_owned(), |millis| format!("{millis} ms"));
    let lines = [
        ("id", entry.id.clone()),
        ("request id", or(&entry.request_id, "(none)")),
        ("started", time(entry.started_at)),
        ("endpoint", format!("{}{}", entry.endpoint, if entry.stream { ", streamed" } else { "" })),
        ("model", or(&entry.model, "(none)")),
        ("client key", or(&entry.client_key, "(none)")),
        ("outcome", format!("{}, status {}", name_of(entry.outcome()), entry.http_status)),
        ("error", or(&format!("{} {}", entry.error_code, entry.error_message), "").trim().to_owned()),
        ("first output", first),
        ("duration", format!("{} ms", entry.duration_ms)),
        ("tokens", format!("{} in, {} out", entry.prompt_tokens, entry.completion_tokens)),
        ("made", format!("{} images, {} videos", entry.images, entry.videos)),
        ("units", entry.units.to_string()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        say(&format!("{name:<14}{value}"));
    }
    for (at, attempt) in entry.attempts.iter().enumerate() {
        say(&format!(
            "{:<14}{} {}, {} ms, {} units{}{}",
            format!("attempt {}", at + 1),
            attempt.account,
            attempt.outcome,
            attempt.duration_ms,
            attempt.units,
            if attempt.cause.is_empty() { "" } else { ": " },
            attempt.cause
        ));
    }
}

fn time(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}

fn object(entry: &Entry, bodies: Option<&Bodies>) -> Value {
    let attempts = entry.attempts.iter().map(|attempt| {
        json!({"account": attempt.account, "outcome": attempt.outcome, "cause": attempt.cause,
            "duration_ms": attempt.duration_ms, "units": attempt.units})
    });
    let mut object = json!({
        "id": entry.id,
        "request_id": entry.request_id,
        "started_at": entry.started_at,
        "endpoint": entry.endpoint,
        "stream": entry.stream,
        "model": entry.model,
        "client_key": entry.client_key,
        "outcome": name_of(entry.outcome()),
        "http_status": entry.http_status,
        "error_code": entry.error_code,
        "error_message": entry.error_message,
        "first_output_ms": entry.first_output_ms,
        "duration_ms": entry.duration_ms,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "reasoning_tokens": entry.reasoning_tokens,
        "images": entry.images,
        "videos": entry.videos,
        "units": entry.units,
        "attempts": attempts.collect::<Vec<_>>(),
    });
    for (name, body) in bodies.iter().copied().flat_map(parts) {
        object[name] = json!({"media_type": body.media_type, "size": body.size,
            "data": String::from_utf8_lossy(&body.data)});
    }
    object
}
