//! The log of requests as a table for other programs (RFC 4180), streamed a page at a time.

use std::fmt::Write as _;

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use grok2api_proto::{Error, Result, ledger::QueryRequest};

use super::{Filter, Shown, shown};
use crate::{
    admin::{Console, extract::Params},
    openai::error::Failure,
};

/// Rows of one question to the ledger.
const ROWS: u32 = 500;
const HEAD: &str = "id,request_id,started_at,endpoint,model,client_key,key_name,account,account_token,stream,outcome,\
    http_status,first_output_ms,duration_ms,prompt_tokens,completion_tokens,reasoning_tokens,tokens_estimated,\
    units,images,videos,attempts,error_code,error_message\r\n";

pub(crate) async fn csv(
    State(console): State<Console>,
    Params(filter): Params<Filter>,
) -> Result<Response, Failure> {
    let request = filter.request(ROWS)?;
    // The first page is asked for here, so that a failure has a status of its own.
    let (first, next) = page(&console, request).await?;
    let rest = stream::try_unfold(next, move |next| {
        let console = console.clone();
        async move {
            match next {
                Some(request) => Ok::<_, Error>(Some(page(&console, request).await?)),
                None => Ok(None),
            }
        }
    });
    let whole = stream::StreamExt::chain(stream::iter([Ok(format!("{HEAD}{first}"))]), rest);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"requests.csv\""),
    ];
    Ok((headers, Body::from_stream(whole)).into_response())
}

/// The rows of one page, and what to ask for the next.
async fn page(console: &Console, request: QueryRequest) -> Result<(String, Option<QueryRequest>)> {
    let found = console.services.ledger.query(request.clone()).await?;
    let rows = shown(console, found.entries).await.iter().map(row).collect();
    let cursor = Some(found.next_cursor).filter(|cursor| !cursor.is_empty());
    Ok((rows, cursor.map(|cursor| QueryRequest { cursor, ..request })))
}

fn row(shown: &Shown) -> String {
    let text = |text: &Option<String>| field(text.as_deref().unwrap_or_default());
    let mut row = String::new();
    let first = shown.first_output_ms.map_or_else(String::new, |ms| ms.to_string());
    // Writing to a string does not fail.
    write!(
        row,
        "{},{},{},{},{},{},{},{},{},{},{},{},{first},{},{},{},{},{},{},{},{},{},{},{}\r\n",
        field(&shown.id),
        field(&shown.request_id),
        shown.started_at,
        field(&shown.endpoint),
        field(&shown.model),
        text(&shown.client_key),
        text(&shown.key_name),
        text(&shown.account),
        text(&shown.account_token),
        shown.stream,
        field(&shown.outcome),
        shown.http_status,
        shown.duration_ms,
        shown.prompt_tokens,
        shown.completion_tokens,
        shown.reasoning_tokens,
        shown.tokens_estimated,
        shown.units,
        shown.images,
        shown.videos,
        shown.attempts.len(),
        text(&shown.error_code),
        text(&shown.error_message),
    )
    .ok();
    row
}

/// Quoted where it must be. A text that a spreadsheet would take for a formula is made one that it does not: names and
/// errors are others' words.
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_no_formula_is_left() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a,b \"c\"\nd"), "\"a,b \"\"c\"\"\nd\"");
        assert_eq!(field("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        assert_eq!(field("-1"), "'-1");
        assert_eq!(HEAD.trim_end().split(',').count(), 24);
    }
}
