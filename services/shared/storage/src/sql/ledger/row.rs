//! Rows, and how they come back.

use sqlx::{QueryBuilder, Row as _, Transaction};
use uuid::Uuid;

use super::{
    super::{Db, Row as SqlRow},
    CHUNK,
    names::Names,
};
use crate::{
    Error, Result,
    ledger::{Outcome, Row},
};

/// Up to the tables: `ledger l`, and [`JOINS`].
pub(super) const SELECT: &str = "SELECT l.id, l.request_id, e.name AS endpoint, m.name AS model, \
    k.name AS client_key, l.attempts, l.first_output_ms, l.duration_ms, l.prompt_tokens, l.completion_tokens, \
    l.reasoning_tokens, l.tokens_estimated, l.units, l.images, l.videos, l.outcome, l.http_status, l.streamed, \
    l.error_code, l.error_message";
pub(super) const JOINS: &str = " LEFT JOIN ledger_names e ON e.id = l.endpoint \
    LEFT JOIN ledger_names m ON m.id = l.model LEFT JOIN ledger_names k ON k.id = l.client_key";
const INSERT: &str = "INSERT INTO ledger (id, request_id, model, client_key, account, endpoint, attempts, \
    first_output_ms, duration_ms, prompt_tokens, completion_tokens, reasoning_tokens, tokens_estimated, units, \
    images, videos, outcome, http_status, streamed, error_code, error_message) ";

/// Adds rows that are not there.
pub(super) async fn insert(write: &mut Transaction<'_, Db>, rows: &[&Row], names: &Names) -> Result<()> {
    let mut numbered = Vec::with_capacity(rows.len());
    for row in rows {
        numbered.push((*row, names.numbers(row).await));
    }
    let mut insert = QueryBuilder::<Db>::new(INSERT);
    insert.push_values(&numbered, |mut values, (row, numbers)| {
        values.push_bind(row.id.as_bytes().to_vec()).push_bind(row.request_id.clone());
        for number in numbers {
            values.push_bind(*number);
        }
        let attempts = serde_json::to_string(&row.attempts).unwrap_or_default();
        values.push_bind(attempts).push_bind(row.first_output_ms.map(signed));
        values.push_bind(signed(row.duration_ms)).push_bind(signed(row.prompt_tokens));
        values.push_bind(signed(row.completion_tokens)).push_bind(signed(row.reasoning_tokens));
        values.push_bind(row.tokens_estimated).push_bind(i64::from(row.units));
        values.push_bind(i64::from(row.images)).push_bind(i64::from(row.videos));
        values.push_bind(row.outcome as i64).push_bind(i64::from(row.http_status)).push_bind(row.stream);
        values.push_bind(row.error_code.clone()).push_bind(row.error_message.clone());
    });
    insert.build().persistent(rows.len() == CHUNK).execute(&mut **write).await?;
    Ok(())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A row of [`SELECT`].
pub(super) fn read(row: &SqlRow) -> Result<Row> {
    let id: Vec<u8> = row.try_get("id")?;
    let id = Uuid::from_slice(&id).map_err(|error| impossible(&Uuid::nil(), error.to_string()))?;
    let read = Read { row, id };
    let attempts: String = row.try_get("attempts")?;
    let first_output: Option<i64> = row.try_get("first_output_ms")?;
    Ok(Row {
        id,
        request_id: row.try_get("request_id")?,
        endpoint: read.name("endpoint")?,
        model: read.name("model")?,
        client_key: read.name("client_key")?,
        attempts: serde_json::from_str(&attempts)
            .map_err(|error| impossible(&id, format!("attempts: {error}")))?,
        first_output_ms: first_output.map(|_| read.number("first_output_ms")).transpose()?,
        duration_ms: read.number("duration_ms")?,
        prompt_tokens: read.number("prompt_tokens")?,
        completion_tokens: read.number("completion_tokens")?,
        reasoning_tokens: read.number("reasoning_tokens")?,
        tokens_estimated: row.try_get("tokens_estimated")?,
        units: read.number("units")?,
        images: read.number("images")?,
        videos: read.number("videos")?,
        outcome: read.outcome()?,
        http_status: read.number("http_status")?,
        stream: row.try_get("streamed")?,
        error_code: row.try_get("error_code")?,
        error_message: row.try_get("error_message")?,
    })
}

struct Read<'r> {
    row: &'r SqlRow,
    id: Uuid,
}

impl Read<'_> {
    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        let value: i64 = self.row.try_get(column)?;
        T::try_from(value).map_err(|_| impossible(&self.id, format!("{column} {value} is out of range")))
    }

    fn name(&self, column: &str) -> Result<String> {
        let name: Option<Vec<u8>> = self.row.try_get(column)?;
        let name = name.ok_or_else(|| impossible(&self.id, format!("{column} has no name")))?;
        String::from_utf8(name).map_err(|_| impossible(&self.id, format!("{column} is no text")))
    }

    fn outcome(&self) -> Result<Outcome> {
        let number: i64 = self.row.try_get("outcome")?;
        Outcome::numbered(number).ok_or_else(|| impossible(&self.id, format!("outcome {number} is unknown")))
    }
}

fn impossible(id: &Uuid, reason: String) -> Error {
    Error::ImpossibleRow { table: "ledger", id: id.to_string(), reason }
}
