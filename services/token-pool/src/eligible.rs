//! The one rule of who may serve. Pure.

use grok2api_storage::accounts::{Status, Tier};
use uuid::Uuid;

use crate::{account::Account, classes::ClassId};

/// What a request needs of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) class: ClassId,
    pub(crate) cost: u32,
    pub(crate) minimum_tier: Tier,
    /// Tried already.
    pub(crate) exclude: &'a [Uuid],
    /// Leases an account may hold at once.
    pub(crate) concurrency: u32,
}

/// Why an account may not serve a request. Times are epoch milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    TierTooLow,
    Disabled,
    Banned,
    Invalid,
    Excluded,
    Cooling { until: i64 },
    /// Too few units, or shut by a 429; `until` when the end is known.
    Exhausted { until: Option<i64> },
    /// It could serve, but has as many requests in flight as it may.
    Saturated,
}

pub(crate) type Verdict = Result<(), Reason>;

/// Whether an account may serve a request now. What the operator must mend is named before what mends itself, and
/// saturation last: a saturated account lacks nothing but a free slot.
pub(crate) fn eligible(account: &Account, request: &Request<'_>, now: i64) -> Verdict {
    if account.stored.tier < request.minimum_tier {
        return Err(Reason::TierTooLow);
    }
    if !account.stored.enabled {
        return Err(Reason::Disabled);
    }
    match account.status {
        Status::Banned { .. } => return Err(Reason::Banned),
        Status::Invalid { .. } => return Err(Reason::Invalid),
        _ if request.exclude.contains(&account.stored.id) => return Err(Reason::Excluded),
        Status::Cooling { until, .. } if until > now => return Err(Reason::Cooling { until }),
        Status::Cooling { .. } | Status::Active => {}
    }
    if let Some(until) = exhausted(account, request, now) {
        return Err(Reason::Exhausted { until });
    }
    if account.in_flight >= request.concurrency {
        return Err(Reason::Saturated);
    }
    Ok(())
}

/// Whether the window cannot pay, and if so until when.
fn exhausted(account: &Account, request: &Request<'_>, now: i64) -> Option<Option<i64>> {
    let window = account.window(request.class);
    let reset = (window.reset_at > now).then_some(window.reset_at);
    if window.available().is_some_and(|units| units < request.cost) {
        let ever = window.total.is_none_or(|total| total >= request.cost);
        return Some(reset.filter(|_| ever).map(|reset| reset.max(window.closed_until)));
    }
    (window.closed_until > now).then_some(Some(window.closed_until))
}
