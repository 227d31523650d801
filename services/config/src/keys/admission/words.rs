//! What a client is told that is refused.

use grok2api_proto::keys::Refusal;
use grok2api_storage::{
    client_keys::{Budget, Limits, Period, Unit},
    limiter::{Gauge, Gauges, Limit},
};

use super::until;

/// When another request ends is not known.
const BRIEFLY_MS: u64 = 1_000;

/// Refused by a limit.
pub(super) fn limit(limit: Limit, limits: &Limits, gauges: &Gauges) -> Refusal {
    let minute = |what: &str, limit: Option<u64>, gauge: &Gauge| {
        let wait = until(gauge.frees_at, gauges.now);
        let message = format!(
            "rate limit reached for {what} per minute: limit {}, used {}; try again in {}.{} s",
            limit.unwrap_or_default(),
            gauge.used,
            wait.div_ceil(100) / 10,
            wait.div_ceil(100) % 10
        );
        Refusal { code: "rate_limit_exceeded".to_owned(), message, wait_ms: Some(wait) }
    };
    match limit {
        Limit::Requests => minute("requests", limits.requests_per_minute, &gauges.requests),
        Limit::Tokens => minute("tokens", limits.tokens_per_minute, &gauges.tokens),
        Limit::Concurrency => {
            let most = limits.concurrency.unwrap_or_default();
            let message =
                format!("rate limit reached: this API key may have {most} requests at the same time");
            let wait_ms = Some(BRIEFLY_MS);
            Refusal { code: "concurrency_limit_exceeded".to_owned(), message, wait_ms }
        }
    }
}

/// Refused by a budget with nothing left.
pub(super) fn budget(budget: &Budget, at: i64) -> Refusal {
    let unit = match budget.unit {
        Unit::Requests => "requests",
        Unit::Tokens => "tokens",
        Unit::Units => "units",
    };
    let (period, renewal) = match budget.period {
        Period::Day => (" for the day", "; it is renewed at midnight UTC"),
        Period::Week => (" for the week", "; it is renewed on Monday at midnight UTC"),
        Period::Month => (" for the month", "; it is renewed on the first of the next month at midnight UTC"),
        Period::Lifetime => ("", ""),
    };
    let message = format!(
        "you exceeded your current quota: this API key's budget of {} {unit}{period} is used up{renewal}",
        budget.amount
    );
    let wait_ms = budget.period.end(at).map(|end| until(end, at));
    Refusal { code: "insufficient_quota".to_owned(), message, wait_ms }
}
