//! What operators are told of a generation: the numbers that come of its entry.

use std::time::Duration;

use grok2api_kit::metrics::{
    FIRST_OUTPUT, KEY_REQUESTS, KEY_TOKENS, KEY_UNITS, REQUEST_DURATION, REQUESTS, TOKENS,
};
use grok2api_proto::ledger::{Entry, Outcome};

/// In the place of what is not there.
const NONE: &str = "none";

/// It has ended.
pub(super) fn ended(entry: &Entry) {
    // A name that nobody was asked by is the client's, who can make up any.
    let model = if entry.attempts.is_empty() { NONE } else { entry.model.as_str() }.to_owned();
    let key = if entry.client_key.is_empty() { NONE } else { entry.client_key.as_str() }.to_owned();
    let outcome = word(entry.outcome());
    REQUESTS.add(1, [entry.endpoint.clone().into(), model.clone().into(), outcome.into()]);
    REQUEST_DURATION.record(seconds(entry.duration_ms), [model.clone().into(), outcome.into()]);
    if let Some(first) = entry.first_output_ms {
        FIRST_OUTPUT.record(seconds(first), [model.clone().into()]);
    }
    for (r#type, tokens) in [("input", entry.prompt_tokens), ("output", entry.completion_tokens)] {
        if tokens > 0 {
            TOKENS.add(tokens, [model.clone().into(), r#type.into()]);
            KEY_TOKENS.add(tokens, [key.clone().into(), r#type.into()]);
        }
    }
    if entry.units > 0 {
        KEY_UNITS.add(entry.units.into(), [key.clone().into()]);
    }
    KEY_REQUESTS.add(1, [key.into(), outcome.into()]);
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::ClientCancelled => "client_cancelled",
        Outcome::InvalidRequest => "invalid_request",
        Outcome::Refused => "refused",
        Outcome::RateLimited => "rate_limited",
        Outcome::Unavailable => "unavailable",
        Outcome::Upstream => "upstream",
        Outcome::Timeout => "timeout",
        Outcome::Internal | Outcome::Unspecified => "internal",
    }
}
