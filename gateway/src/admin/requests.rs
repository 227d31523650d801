//! The log of requests.

pub(super) mod bodies;
pub(super) mod csv;
pub(super) mod replay;
mod spoken;

use axum::{
    Json,
    extract::{Path, State},
};
use grok2api_proto::{
    Result,
    ledger::{self, GetRequest, QueryRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Console,
    extract::{Params, limit},
    words::{self, some},
};
use crate::openai::error::Failure;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    from: Option<i64>,
    to: Option<i64>,
    model: Option<String>,
    key: Option<String>,
    account: Option<String>,
    outcome: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    request_id: String,
    started_at: i64,
    endpoint: String,
    model: String,
    client_key: Option<String>,
    key_name: Option<String>,
    account: Option<String>,
    account_token: Option<String>,
    stream: bool,
    outcome: String,
    http_status: u32,
    first_output_ms: Option<u64>,
    duration_ms: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    tokens_estimated: bool,
    units: u32,
    images: u32,
    videos: u32,
    error_code: Option<String>,
    error_message: Option<String>,
    attempts: Vec<Attempt>,
}

#[derive(Serialize)]
struct Attempt {
    account: String,
    token: Option<String>,
    outcome: String,
    cause: Option<String>,
    duration_ms: u64,
    units: u32,
}

pub(super) async fn list(
    State(console): State<Console>,
    Params(filter): Params<Filter>,
) -> Result<Json<Value>, Failure> {
    let limit = limit(filter.limit)?;
    let found = console.services.ledger.query(filter.request(limit)?).await?;
    let items = shown(&console, found.entries).await;
    Ok(Json(json!({"items": items, "next_cursor": some(found.next_cursor)})))
}

pub(super) async fn one(
    State(console): State<Console>,
    Path(id): Path<String>,
) -> Result<Json<Option<Shown>>, Failure> {
    let entry = console.services.ledger.get(GetRequest { id }).await?;
    Ok(Json(shown(&console, vec![entry]).await.pop()))
}

impl Filter {
    pub(super) fn request(self, limit: u32) -> Result<QueryRequest> {
        let outcome = self.outcome.and_then(some).map(|text| words::read_outcome(&text)).transpose()?;
        Ok(QueryRequest {
            from: self.from.unwrap_or_default(),
            to: self.to.unwrap_or_default(),
            model: self.model.unwrap_or_default(),
            client_key: self.key.unwrap_or_default(),
            account: self.account.unwrap_or_default(),
            outcome: outcome.unwrap_or(ledger::Outcome::Unspecified).into(),
            cursor: self.cursor.unwrap_or_default(),
            limit,
        })
    }
}

/// Entries with the names of keys and accounts.
pub(super) async fn shown(console: &Console, entries: Vec<ledger::Entry>) -> Vec<Shown> {
    let keys = console.names.keys(&console.services).await;
    let mut ids = Vec::new();
    for entry in &entries {
        ids.push(entry.account.clone());
        ids.extend(entry.attempts.iter().map(|attempt| attempt.account.clone()));
    }
    let accounts = console.names.accounts(&console.services, ids).await;
    let one = |entry: ledger::Entry| Shown {
        outcome: words::outcome(entry.outcome()),
        key_name: keys.get(&entry.client_key).cloned(),
        account_token: accounts.get(&entry.account).cloned(),
        id: entry.id,
        request_id: entry.request_id,
        started_at: entry.started_at,
        endpoint: entry.endpoint,
        model: entry.model,
        client_key: some(entry.client_key),
        account: some(entry.account),
        stream: entry.stream,
        http_status: entry.http_status,
        first_output_ms: entry.first_output_ms,
        duration_ms: entry.duration_ms,
        prompt_tokens: entry.prompt_tokens,
        completion_tokens: entry.completion_tokens,
        reasoning_tokens: entry.reasoning_tokens,
        tokens_estimated: entry.tokens_estimated,
        units: entry.units,
        images: entry.images,
        videos: entry.videos,
        error_code: some(entry.error_code),
        error_message: some(entry.error_message),
        attempts: entry
            .attempts
            .into_iter()
            .map(|attempt| Attempt {
                token: accounts.get(&attempt.account).cloned(),
                account: attempt.account,
                outcome: attempt.outcome,
                cause: some(attempt.cause),
                duration_ms: attempt.duration_ms,
                units: attempt.units,
            })
            .collect(),
    };
    entries.into_iter().map(one).collect()
}
