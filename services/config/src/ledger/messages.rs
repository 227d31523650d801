//! Messages and the domain's terms. Pure.

use grok2api_proto::{
    Error, Result,
    ledger::{self as proto, Bucket, Entry, GroupBy, OutcomeCount, QueryRequest, Times},
};
use grok2api_storage::ledger::{
    Attempt, Dimension, Filter, Histogram, LONGEST_NAME, Outcome, Row, Series, Totals,
};
use uuid::Uuid;

const PREFIX: &str = "turn_";
const LONGEST_TEXT: usize = 1_000;
const MOST_ATTEMPTS: usize = 32;

/// The row of an entry.
pub(super) fn row(entry: Entry) -> Result<Row> {
    let outcome = outcome(entry.outcome());
    let http_status = u16::try_from(entry.http_status).unwrap_or_default();
    let attempts = entry.attempts.into_iter().take(MOST_ATTEMPTS).map(|attempt| Attempt {
        account: cut(attempt.account, LONGEST_NAME),
        outcome: cut(attempt.outcome, LONGEST_NAME),
        cause: cut(attempt.cause, LONGEST_TEXT),
        duration_ms: attempt.duration_ms,
        units: attempt.units,
    });
    Ok(Row {
        id: id("entries.id", &entry.id)?,
        request_id: cut(entry.request_id, LONGEST_NAME),
        endpoint: cut(entry.endpoint, LONGEST_NAME),
        model: cut(entry.model, LONGEST_NAME),
        client_key: cut(entry.client_key, LONGEST_NAME),
        attempts: attempts.collect(),
        first_output_ms: entry.first_output_ms,
        duration_ms: entry.duration_ms,
        prompt_tokens: entry.prompt_tokens,
        completion_tokens: entry.completion_tokens,
        reasoning_tokens: entry.reasoning_tokens,
        tokens_estimated: entry.tokens_estimated,
        units: entry.units,
        images: entry.images,
        videos: entry.videos,
        outcome: outcome.ok_or_else(|| Error::invalid("entries.outcome", "an outcome is missing"))?,
        http_status,
        stream: entry.stream,
        error_code: cut(entry.error_code, LONGEST_NAME),
        error_message: cut(entry.error_message, LONGEST_TEXT),
    })
}

/// The entry of a row.
pub(super) fn entry(row: Row) -> Entry {
    let attempts = row.attempts.iter().map(|attempt| proto::Attempt {
        account: attempt.account.clone(),
        outcome: attempt.outcome.clone(),
        cause: attempt.cause.clone(),
        duration_ms: attempt.duration_ms,
        units: attempt.units,
    });
    Entry {
        id: turn_id(row.id),
        started_at: row.started_at(),
        account: row.account().to_owned(),
        attempts: attempts.collect(),
        request_id: row.request_id,
        endpoint: row.endpoint,
        model: row.model,
        client_key: row.client_key,
        first_output_ms: row.first_output_ms,
        duration_ms: row.duration_ms,
        prompt_tokens: row.prompt_tokens,
        completion_tokens: row.completion_tokens,
        reasoning_tokens: row.reasoning_tokens,
        tokens_estimated: row.tokens_estimated,
        units: row.units,
        images: row.images,
        videos: row.videos,
        outcome: told(row.outcome).into(),
        http_status: row.http_status.into(),
        stream: row.stream,
        error_code: row.error_code,
        error_message: row.error_message,
    }
}

/// What of the entries is wanted.
pub(super) fn filter(request: QueryRequest) -> Result<Filter> {
    let QueryRequest { from, to, .. } = request;
    if from < 0 || to < 0 || (to > 0 && to <= from) {
        return Err(Error::invalid("to", format!("{to} is not after from {from}")));
    }
    let outcome = outcome(request.outcome());
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Filter {
        from: Some(from).filter(|from| *from > 0),
        to: Some(to).filter(|to| *to > 0),
        model: given(request.model),
        client_key: given(request.client_key),
        account: given(request.account),
        outcome,
    })
}

/// What sums are grouped by.
pub(super) fn group(by: i32) -> Result<Dimension> {
    match GroupBy::try_from(by) {
        Ok(GroupBy::Unspecified) => Ok(Dimension::All),
        Ok(GroupBy::Model) => Ok(Dimension::Model),
        Ok(GroupBy::Key) => Ok(Dimension::ClientKey),
        Ok(GroupBy::Account) => Ok(Dimension::Account),
        Err(_) => Err(Error::invalid("group_by", format!("{by} is no group"))),
    }
}

/// `turn_…` as the logs show it.
pub(super) fn turn_id(id: Uuid) -> String {
    format!("{PREFIX}{}", id.simple())
}

/// The other way round; only ids that tell their time.
pub(crate) fn id(param: &str, text: &str) -> Result<Uuid> {
    let id = text.strip_prefix(PREFIX).and_then(|digits| Uuid::try_parse(digits).ok());
    id.filter(|id| id.get_version_num() == 7).ok_or_else(|| {
        Error::invalid(param, format!("{text:?} is no id: turn_ and the 32 digits of a UUIDv7 are expected"))
    })
}

pub(super) fn series(series: Series) -> proto::Series {
    let buckets = series.steps.iter().map(|(start, totals)| bucket(*start, totals)).collect();
    proto::Series { name: series.name, buckets }
}

fn bucket(start: i64, totals: &Totals) -> Bucket {
    let outcomes = Outcome::ALL.into_iter().map(|outcome| (outcome, totals.ended(outcome)));
    let outcomes = outcomes.filter(|(_, count)| *count > 0);
    Bucket {
        start,
        requests: totals.requests(),
        outcomes: outcomes
            .map(|(outcome, count)| OutcomeCount { outcome: told(outcome).into(), count })
            .collect(),
        prompt_tokens: totals.prompt_tokens(),
        completion_tokens: totals.completion_tokens(),
        reasoning_tokens: totals.reasoning_tokens(),
        units: totals.units(),
        images: totals.images(),
        videos: totals.videos(),
        output_ms: totals.output_ms(),
        first_output: Some(times(&totals.first_output(), totals.first_output_ms())),
        duration: Some(times(&totals.duration(), totals.duration_ms())),
        lost: totals.unrecorded(),
    }
}

fn times(times: &Histogram<'_>, sum_ms: u64) -> Times {
    Times {
        count: times.count(),
        sum_ms,
        p50_ms: times.percentile(50),
        p95_ms: times.percentile(95),
        counts: times.counts().to_vec(),
    }
}

fn outcome(outcome: proto::Outcome) -> Option<Outcome> {
    match outcome {
        proto::Outcome::Unspecified => None,
        proto::Outcome::Success => Some(Outcome::Success),
        proto::Outcome::ClientCancelled => Some(Outcome::ClientCancelled),
        proto::Outcome::InvalidRequest => Some(Outcome::InvalidRequest),
        proto::Outcome::Refused => Some(Outcome::Refused),
        proto::Outcome::RateLimited => Some(Outcome::RateLimited),
        proto::Outcome::Unavailable => Some(Outcome::Unavailable),
        proto::Outcome::Upstream => Some(Outcome::Upstream),
        proto::Outcome::Timeout => Some(Outcome::Timeout),
        proto::Outcome::Internal => Some(Outcome::Internal),
    }
}

fn told(outcome: Outcome) -> proto::Outcome {
    match outcome {
        Outcome::Success => proto::Outcome::Success,
        Outcome::ClientCancelled => proto::Outcome::ClientCancelled,
        Outcome::InvalidRequest => proto::Outcome::InvalidRequest,
        Outcome::Refused => proto::Outcome::Refused,
        Outcome::RateLimited => proto::Outcome::RateLimited,
        Outcome::Unavailable => proto::Outcome::Unavailable,
        Outcome::Upstream => proto::Outcome::Upstream,
        Outcome::Timeout => proto::Outcome::Timeout,
        Outcome::Internal => proto::Outcome::Internal,
    }
}

/// At most so many bytes, whole characters.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
    }
    text
}
