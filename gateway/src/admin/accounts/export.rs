//! Full tokens, for owners; every export is logged.

use axum::{
    Extension,
    body::Body as Bytes,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Result, Stream,
    pool::{ExportAccountsRequest, ExportBatch, ExportedAccount},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Filter, selected};
use crate::{
    admin::{Console, extract::Body, session::Who, words},
    openai::error::Failure,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    ids: Option<Vec<String>>,
    filter: Option<Filter>,
}

pub(crate) async fn export(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(export): Body<Export>,
) -> Result<Response, Failure> {
    let ids = selected(&console, export.ids, export.filter.as_ref()).await?;
    let count = ids.len();
    let batches: Stream<ExportBatch> = if ids.is_empty() {
        // Naming none would export all.
        stream::empty().boxed()
    } else {
        let request = ExportAccountsRequest { accounts: ids, requested_by: who.name.clone() };
        console.services.pool.export_accounts(request).await?
    };
    console.log(&who, "account.export", count, Value::Null, json!({"accounts": count})).await;
    let lines = batches.map(|batch| {
        let lines = batch?.accounts.iter().map(line).collect::<String>();
        Ok::<_, grok2api_proto::Error>(lines)
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"accounts.jsonl\""),
    ];
    Ok((headers, Bytes::from_stream(lines)).into_response())
}

/// As `accounts import` reads it.
fn line(account: &ExportedAccount) -> String {
    let object = json!({
        "token": account.token,
        "tier": words::tier(account.tier()),
        "note": account.note,
        "tags": account.tags,
        "priority": account.priority,
        "enabled": !account.disabled,
    });
    format!("{object}\n")
}
