//! What people see of an account: no secret, and every window as it may be used now.

use grok2api_proto::pool;
use grok2api_storage::accounts::{Status, StoredFailure, Tier, WindowSource};

use crate::{account::Account, classes::Classes, roster, window::Window};

/// The account with its token masked.
pub(crate) fn account(account: &Account, classes: &Classes, now: i64) -> pool::Account {
    let (status, until, cause) = match &account.status {
        Status::Active => (pool::Status::Active, 0, ""),
        Status::Cooling { until, cause } => (pool::Status::Cooling, *until, cause.as_str()),
        Status::Invalid { cause, .. } => (pool::Status::Invalid, 0, cause.as_str()),
        Status::Banned { cause, .. } => (pool::Status::Banned, 0, cause.as_str()),
    };
    let stored = &account.stored;
    let windows = classes.of_tier(stored.tier).chain(classes.ids().filter(|class| !classes.is_known(*class)));
    pool::Account {
        id: stored.id.to_string(),
        masked_token: stored.token.masked(),
        tier: tier(stored.tier).into(),
        status: status.into(),
        cause: cause.to_owned(),
        until,
        windows: windows.map(|class| window(classes.name(class), account.window(class), now)).collect(),
        in_flight: account.in_flight,
        note: stored.note.clone(),
        created_at: stored.created_at,
        last_used_at: account.last_used_at.unwrap_or_default(),
        tags: stored.tags.iter().cloned().collect(),
        priority: stored.priority,
        disabled: !stored.enabled,
        user_id: stored.user_id.clone().unwrap_or_default(),
        failures: account.failures.iter().rev().map(failure).collect(),
        state: roster::state(account, classes, now).into(),
        removed_at: 0,
    }
}

fn failure(failure: &StoredFailure) -> pool::Failure {
    pool::Failure {
        at: failure.at,
        outcome: pool::Outcome::from_str_name(&failure.outcome).unwrap_or_default().into(),
        cause: failure.cause.clone(),
        penalised: failure.penalised,
    }
}

/// The tier as it travels.
pub(crate) fn tier(tier: Tier) -> pool::Tier {
    match tier {
        Tier::Basic => pool::Tier::Basic,
        Tier::Super => pool::Tier::Super,
        Tier::Heavy => pool::Tier::Heavy,
    }
}

/// A window shut by a 429 has nothing to give, whatever the ledger says.
fn window(class: &str, window: &Window, now: i64) -> pool::Window {
    let closed = window.closed_until > now;
    let source = match window.source {
        _ if closed => pool::WindowSource::Local,
        WindowSource::Unknown => pool::WindowSource::Unknown,
        WindowSource::Upstream => pool::WindowSource::Upstream,
        WindowSource::Local => pool::WindowSource::Local,
    };
    pool::Window {
        class: class.to_owned(),
        total: window.total,
        remaining: if closed { Some(0) } else { window.remaining },
        reserved: window.reserved,
        reset_at: if closed { window.closed_until } else { window.reset_at },
        source: source.into(),
        observed_at: window.observed_at,
        read_error: window.read_error.as_deref().unwrap_or_default().to_owned(),
    }
}
