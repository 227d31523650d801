//! Attempts as the ledger is told of them.

use grok2api_proto::chat::Attempt;
use tokio::time::Instant;

use crate::{grok::failure::Failure, lease::Lease};

/// One that goes on.
pub(super) fn begun(lease: &Lease, began: Instant) -> Attempt {
    Attempt { account_id: lease.account().to_owned(), duration_ms: millis(began), ..Attempt::default() }
}

/// One that failed.
pub(super) fn failed(lease: &Lease, failure: &Failure, began: Instant) -> Attempt {
    Attempt {
        outcome: outcome(failure),
        cause: failure.error.message.clone(),
        units: if failure.charged { lease.units } else { 0 },
        ..begun(lease, began)
    }
}

/// How it failed, in one word.
pub(super) fn outcome(failure: &Failure) -> String {
    snake(&format!("{:?}", failure.outcome))
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// `RateLimited` as `rate_limited`.
fn snake(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (at, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && at > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use grok2api_proto::pool::Outcome;

    use super::snake;

    #[test]
    fn outcomes_are_written_in_small_letters() {
        assert_eq!(snake(&format!("{:?}", Outcome::RateLimited)), "rate_limited");
        assert_eq!(snake(&format!("{:?}", Outcome::Banned)), "banned");
    }
}
