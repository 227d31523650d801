//! An account as the console shows it.

use grok2api_proto::pool;
use serde::Serialize;

use crate::admin::words::{at, some, state, tier, word};

#[derive(Serialize)]
pub(crate) struct Account {
    id: String,
    token: String,
    tier: String,
    status: String,
    cause: String,
    until: Option<i64>,
    enabled: bool,
    tags: Vec<String>,
    note: String,
    priority: i32,
    user_id: Option<String>,
    in_flight: u32,
    created_at: i64,
    last_used_at: Option<i64>,
    windows: Vec<Window>,
}

/// With what happened to it.
#[derive(Serialize)]
pub(super) struct Detailed {
    #[serde(flatten)]
    account: Account,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
struct Window {
    class: String,
    total: Option<u32>,
    remaining: Option<u32>,
    reserved: u32,
    reset_at: Option<i64>,
    source: String,
    observed_at: Option<i64>,
    read_error: Option<String>,
}

#[derive(Serialize)]
struct Failure {
    at: i64,
    outcome: String,
    cause: String,
    penalised: bool,
}

impl From<pool::Account> for Account {
    fn from(account: pool::Account) -> Self {
        Self {
            tier: tier(account.tier()),
            status: status(&account),
            id: account.id,
            token: account.masked_token,
            cause: account.cause,
            until: at(account.until),
            enabled: !account.disabled,
            tags: account.tags,
            note: account.note,
            priority: account.priority,
            user_id: some(account.user_id),
            in_flight: account.in_flight,
            created_at: account.created_at,
            last_used_at: at(account.last_used_at),
            windows: account.windows.into_iter().map(Into::into).collect(),
        }
    }
}

/// Nothing but its id and cause is known of an account whose row is damaged, and so it is in no state.
fn status(account: &pool::Account) -> String {
    match account.status() {
        damaged @ pool::Status::Unreadable => word(damaged.as_str_name(), "STATUS_"),
        _ => state(account.state()),
    }
}

impl From<pool::Account> for Detailed {
    fn from(mut account: pool::Account) -> Self {
        let failures = std::mem::take(&mut account.failures);
        Self { account: account.into(), failures: failures.into_iter().map(Into::into).collect() }
    }
}

impl From<pool::Window> for Window {
    fn from(window: pool::Window) -> Self {
        Self {
            source: word(window.source().as_str_name(), "WINDOW_SOURCE_"),
            class: window.class,
            total: window.total,
            remaining: window.remaining,
            reserved: window.reserved,
            reset_at: at(window.reset_at),
            observed_at: at(window.observed_at),
            read_error: some(window.read_error),
        }
    }
}

impl From<pool::Failure> for Failure {
    fn from(failure: pool::Failure) -> Self {
        Self {
            outcome: word(failure.outcome().as_str_name(), "OUTCOME_"),
            at: failure.at,
            cause: failure.cause,
            penalised: failure.penalised,
        }
    }
}

#[cfg(test)]
mod tests {
    use grok2api_proto::pool::{State, Status};
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::serves(Status::Active, State::Active, "active")]
    #[case::used_up(Status::Active, State::Exhausted, "exhausted")]
    #[case::damaged(Status::Unreadable, State::Unspecified, "unreadable")]
    fn the_status_is_what_is_to_be_known_first(
        #[case] status: Status,
        #[case] state: State,
        #[case] expected: &str,
    ) {
        let account =
            pool::Account { status: status.into(), state: state.into(), ..pool::Account::default() };
        assert_eq!(Account::from(account).status, expected);
    }
}
