//! Sums of what was asked, over time.

use axum::{Json, extract::State};
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Result,
    ledger::{self, AggregateRequest, GroupBy, Outcome, Series},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Console, extract::Params, words};
use crate::openai::error::Failure;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Ranges by their names, with the width of their buckets.
const RANGES: [(&str, i64, i64); 6] = [
    ("1h", HOUR, MINUTE),
    ("6h", 6 * HOUR, 6 * MINUTE),
    ("24h", DAY, 30 * MINUTE),
    ("7d", 7 * DAY, 3 * HOUR),
    ("30d", 30 * DAY, 12 * HOUR),
    ("90d", 90 * DAY, DAY),
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    range: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    width: Option<i64>,
}

// Flattening would take the numbers of a query for texts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    range: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    width: Option<i64>,
    group_by: Option<String>,
    only: Option<String>,
    top: Option<u32>,
}

/// What happened within a stretch of time.
#[derive(Serialize)]
pub(super) struct Bucket {
    start: i64,
    requests: u64,
    success: u64,
    client_cancelled: u64,
    failed: u64,
    outcomes: Map<String, Value>,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    units: u64,
    images: u64,
    videos: u64,
    first_output: Times,
    duration: Times,
    tokens_per_second: Option<f64>,
    lost: u64,
}

#[derive(Serialize)]
struct Times {
    count: u64,
    mean_ms: Option<u64>,
    p50_ms: Option<u64>,
    p95_ms: Option<u64>,
}

/// A question to the ledger, save for its width.
struct Question {
    from: i64,
    to: i64,
    width: i64,
    group_by: GroupBy,
    only: Option<String>,
    top: u32,
}

pub(super) async fn dashboard(
    State(console): State<Console>,
    Params(asked): Params<Asked>,
) -> Result<Json<Value>, Failure> {
    let Asked { range, from, to, width, group_by, only, top } = asked;
    let range = Range { range, from, to, width };
    let group_by = match group_by.as_deref().unwrap_or("none") {
        "none" => GroupBy::Unspecified,
        "model" => GroupBy::Model,
        "key" => GroupBy::Key,
        "account" => GroupBy::Account,
        other => {
            let message = format!("{other:?} is none of none, model, key, account");
            return Err(Error::invalid("group_by", message).into());
        }
    };
    if only.is_some() && group_by == GroupBy::Unspecified {
        return Err(Error::invalid("only", "say by group_by what it is").into());
    }
    let (from, to, width) = range.read()?;
    let question = Question { from, to, width, group_by, only, top: top.unwrap_or_default() };
    Ok(Json(answer(&console, question).await?))
}

/// What one key has used.
pub(super) async fn of_key(console: &Console, range: Range, id: String) -> Result<Json<Value>, Failure> {
    let (from, to, width) = range.read()?;
    let question = Question { from, to, width, group_by: GroupBy::Key, only: Some(id), top: 1 };
    Ok(Json(answer(console, question).await?))
}

async fn answer(console: &Console, question: Question) -> Result<Value> {
    let ledger = &console.services.ledger;
    let ask = |width, group_by: GroupBy, only: Option<String>| {
        let Question { from, to, top, .. } = question;
        ledger.aggregate(AggregateRequest { from, to, width, group_by: group_by.into(), only, top })
    };
    let (group_by, only) = (question.group_by, question.only.clone());
    let (over_time, whole, all) = tokio::try_join!(
        ask(question.width, group_by, only.clone()),
        ask(0, group_by, only.clone()),
        ask(0, if only.is_some() { group_by } else { GroupBy::Unspecified }, only),
    )?;
    let totals = all.series.into_iter().next().map(total).unwrap_or_default();
    let labels = labels(console, group_by, &whole.series).await;
    let series = whole.series.into_iter().map(|whole| {
        let buckets = over_time.series.iter().find(|series| series.name == whole.name);
        let buckets = buckets.map(|series| series.buckets.clone()).unwrap_or_default();
        json!({
            "id": whole.name,
            "label": labels.get(&whole.name),
            "buckets": buckets.into_iter().map(Bucket::from).collect::<Vec<_>>(),
            "total": Bucket::from(total(whole)),
        })
    });
    Ok(json!({
        "from": over_time.from,
        "to": over_time.to,
        "width": question.width,
        "group_by": match group_by {
            GroupBy::Unspecified => "none",
            GroupBy::Model => "model",
            GroupBy::Key => "key",
            GroupBy::Account => "account",
        },
        "series": series.collect::<Vec<_>>(),
        "totals": Bucket::from(totals),
    }))
}

async fn labels(
    console: &Console,
    group_by: GroupBy,
    series: &[Series],
) -> std::collections::HashMap<String, String> {
    match group_by {
        GroupBy::Key => (*console.names.keys(&console.services).await).clone(),
        GroupBy::Account => {
            let ids = series.iter().map(|series| series.name.clone()).collect();
            console.names.accounts(&console.services, ids).await
        }
        GroupBy::Unspecified | GroupBy::Model => Default::default(),
    }
}

/// The one bucket of a series without steps.
fn total(series: Series) -> ledger::Bucket {
    series.buckets.into_iter().next().unwrap_or_default()
}

impl Range {
    /// From, to and width.
    fn read(self) -> Result<(i64, i64, i64)> {
        let now = Clock::system().now_ms();
        if let (None, Some(from), Some(to)) = (&self.range, self.from, self.to) {
            let width = self.width.unwrap_or_else(|| width_of(to - from));
            return Ok((from, to, width));
        }
        let name = self.range.as_deref().unwrap_or("24h");
        let named = RANGES.iter().find(|(known, ..)| *known == name);
        let wrong = || Error::invalid("range", format!("{name:?} is none of 1h, 6h, 24h, 7d, 30d, 90d"));
        let (_, length, width) = named.ok_or_else(wrong)?;
        if self.from.is_some() || self.to.is_some() {
            return Err(Error::invalid("range", "say either range, or from and to"));
        }
        Ok((now - length, now, self.width.unwrap_or(*width)))
    }
}

/// That of the shortest range that holds it.
fn width_of(length: i64) -> i64 {
    RANGES.iter().find(|(_, longest, _)| length <= *longest).map_or(DAY, |(.., width)| *width)
}

impl Bucket {
    /// In a few numbers.
    pub(super) fn summary(&self) -> Value {
        json!({
            "requests": self.requests,
            "success": self.success,
            "tokens": self.prompt_tokens + self.completion_tokens,
            "units": self.units,
        })
    }
}

impl From<ledger::Bucket> for Bucket {
    fn from(bucket: ledger::Bucket) -> Self {
        let of = |outcome| {
            let found = bucket.outcomes.iter().find(|count| count.outcome() == outcome);
            found.map_or(0, |count| count.count)
        };
        let (success, client_cancelled) = (of(Outcome::Success), of(Outcome::ClientCancelled));
        let outcomes =
            bucket.outcomes.iter().map(|count| (words::outcome(count.outcome()), json!(count.count)));
        let speed = bucket.completion_tokens as f64 * 1000.0 / bucket.output_ms as f64;
        Self {
            start: bucket.start,
            requests: bucket.requests,
            success,
            client_cancelled,
            failed: bucket.requests.saturating_sub(success + client_cancelled),
            outcomes: outcomes.collect(),
            prompt_tokens: bucket.prompt_tokens,
            completion_tokens: bucket.completion_tokens,
            reasoning_tokens: bucket.reasoning_tokens,
            units: bucket.units,
            images: bucket.images,
            videos: bucket.videos,
            first_output: bucket.first_output.unwrap_or_default().into(),
            duration: bucket.duration.unwrap_or_default().into(),
            tokens_per_second: (bucket.output_ms > 0).then_some(speed),
            lost: bucket.lost,
        }
    }
}

impl From<ledger::Times> for Times {
    fn from(times: ledger::Times) -> Self {
        Self {
            count: times.count,
            mean_ms: times.sum_ms.checked_div(times.count),
            p50_ms: times.p50_ms,
            p95_ms: times.p95_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_about_sixty_buckets_of_a_width_the_ledger_keeps() {
        for (name, length, width) in RANGES {
            assert!((40..=90).contains(&(length / width)), "{name}");
            assert!(length <= 2 * DAY || width % HOUR == 0, "minutes are kept for two days: {name}");
            assert!(length <= 32 * DAY || width % DAY == 0, "hours are kept for 32: {name}");
        }
        let named = Range { range: Some("7d".into()), ..Range::default() }.read().unwrap();
        assert_eq!((named.1 - named.0, named.2), (7 * DAY, 3 * HOUR));
        let given = Range { from: Some(0), to: Some(DAY), ..Range::default() }.read().unwrap();
        assert_eq!(given, (0, DAY, 30 * MINUTE));
        assert!(Range { range: Some("2h".into()), ..Range::default() }.read().is_err());
        assert!(Range { range: Some("1h".into()), from: Some(0), ..Range::default() }.read().is_err());
    }
}
