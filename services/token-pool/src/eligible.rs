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
    /// When given, the account must have one of them.
    pub(crate) tags: &'a [String],
    /// Tried already.
    pub(crate) exclude: &'a [Uuid],
    /// The only account that may serve.
    pub(crate) only: Option<Uuid>,
    /// Leases an account may hold at once.
    pub(crate) concurrency: u32,
    /// Whether the store lags and must not lag too far.
    pub(crate) written_behind: bool,
}

/// Why an account may not serve a request. Times are epoch milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    TierTooLow,
    TagMissing,
    Disabled,
    Banned,
    Invalid,
    Excluded,
    Cooling {
        until: i64,
    },
    /// Too few units, or shut by a 429; `until` when the end is known.
    Exhausted {
        until: Option<i64>,
    },
    /// It could serve, but has as many requests in flight as it may.
    Saturated,
    /// It could serve, but its row in the store is so far behind that it must be written first.
    Unwritten,
}

impl Request<'_> {
    /// Whether it has tried that account, or asks for another one.
    fn excludes(&self, id: Uuid) -> bool {
        self.exclude.contains(&id) || self.only.is_some_and(|only| only != id)
    }
}

pub(crate) type Verdict = Result<(), Reason>;

/// Whether an account may serve a request now. What the operator must mend is named before what mends itself, and
/// saturation last: a saturated account lacks nothing but a free slot.
pub(crate) fn eligible(account: &Account, request: &Request<'_>, now: i64) -> Verdict {
    if account.stored.tier < request.minimum_tier {
        return Err(Reason::TierTooLow);
    }
    if !request.tags.is_empty() && !request.tags.iter().any(|tag| account.stored.tags.contains(tag)) {
        return Err(Reason::TagMissing);
    }
    if !account.stored.enabled {
        return Err(Reason::Disabled);
    }
    match account.status {
        Status::Banned { .. } => return Err(Reason::Banned),
        Status::Invalid { .. } => return Err(Reason::Invalid),
        _ if request.excludes(account.stored.id) => return Err(Reason::Excluded),
        Status::Cooling { until, .. } if until > now => return Err(Reason::Cooling { until }),
        Status::Cooling { .. } | Status::Active => {}
    }
    if let Some(until) = exhausted(account, request, now) {
        return Err(Reason::Exhausted { until });
    }
    if account.in_flight >= request.concurrency {
        return Err(Reason::Saturated);
    }
    if request.written_behind && account.window(request.class).runs_ahead(request.cost) {
        return Err(Reason::Unwritten);
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

#[cfg(test)]
mod tests {
    use grok2api_storage::accounts::{StoredAccount, Token};
    use rstest::rstest;

    use super::*;
    use crate::{classes::Classes, window::Reading};

    const NOW: i64 = 1_000_000;

    /// A basic account that could pay 4 units now.
    fn able() -> Account {
        let stored = StoredAccount::new(Uuid::from_u128(1), Token::new("token-0001"), Tier::Basic, NOW);
        let mut account = Account::load(stored, &mut Classes::default(), false, NOW);
        let window = account.window_mut(ClassId::new(0));
        window.observe(Reading { total: 8, remaining: 4, length_ms: 500 }, window.mark(), NOW).unwrap();
        account
    }

    /// Writes it down.
    fn keep(account: &mut Account) {
        account.note();
        account.keep();
    }

    /// Takes units and gives them back.
    fn take(account: &mut Account, units: u32) {
        let window = account.window_mut(ClassId::new(0));
        window.reserve(units);
        window.refund(units);
    }

    fn request(cost: u32) -> Request<'static> {
        Request {
            class: ClassId::new(0),
            cost,
            minimum_tier: Tier::Basic,
            tags: &[],
            exclude: &[],
            only: None,
            concurrency: 2,
            written_behind: true,
        }
    }

    #[rstest]
    #[case::able(|_: &mut Account| {}, Ok(()))]
    #[case::disabled(|account: &mut Account| account.stored.enabled = false, Err(Reason::Disabled))]
    #[case::banned(|account: &mut Account| account.status = Status::Banned { since: 0, cause: String::new() }, Err(Reason::Banned))]
    #[case::invalid(|account: &mut Account| account.status = Status::Invalid { since: 0, cause: String::new() }, Err(Reason::Invalid))]
    #[case::cooling(|account: &mut Account| account.status = Status::Cooling { until: NOW + 9, cause: String::new() }, Err(Reason::Cooling { until: NOW + 9 }))]
    #[case::rested(|account: &mut Account| account.status = Status::Cooling { until: NOW, cause: String::new() }, Ok(()))]
    #[case::reserved(|account: &mut Account| account.window_mut(ClassId::new(0)).reserve(1), Err(Reason::Exhausted { until: Some(NOW + 500) }))]
    #[case::closed(|account: &mut Account| account.window_mut(ClassId::new(0)).close(NOW + 9, false), Err(Reason::Exhausted { until: Some(NOW + 9) }))]
    #[case::saturated(|account: &mut Account| account.in_flight = 2, Err(Reason::Saturated))]
    #[case::unwritten(|account: &mut Account| { keep(account); take(account, 1); }, Err(Reason::Unwritten))]
    #[case::written(|account: &mut Account| { keep(account); take(account, 1); keep(account); }, Ok(()))]
    #[case::unknown_to_the_store(|account: &mut Account| take(account, 4), Ok(()))]
    #[case::closed_and_saturated(|account: &mut Account| { account.in_flight = 2; account.window_mut(ClassId::new(0)).close(NOW + 9, false); }, Err(Reason::Exhausted { until: Some(NOW + 9) }))]
    fn a_verdict_names_the_first_reason(#[case] change: fn(&mut Account), #[case] expected: Verdict) {
        let mut account = able();
        change(&mut account);
        assert_eq!(eligible(&account, &request(4), NOW), expected);
    }

    #[test]
    fn the_request_decides_as_well() {
        let account = able();
        let tried = [account.stored.id];
        let verdict = |request: Request<'_>| eligible(&account, &request, NOW);
        assert_eq!(verdict(Request { minimum_tier: Tier::Super, ..request(1) }), Err(Reason::TierTooLow));
        let tags = ["team".to_owned()];
        assert_eq!(verdict(Request { tags: &tags, ..request(1) }), Err(Reason::TagMissing));
        assert_eq!(verdict(Request { exclude: &tried, ..request(1) }), Err(Reason::Excluded));
        let other = Some(Uuid::from_u128(2));
        assert_eq!(verdict(Request { only: other, ..request(1) }), Err(Reason::Excluded));
        assert_eq!(verdict(Request { only: Some(account.stored.id), ..request(1) }), Ok(()));
        assert_eq!(verdict(request(5)), Err(Reason::Exhausted { until: Some(NOW + 500) }));
        assert_eq!(
            verdict(request(9)),
            Err(Reason::Exhausted { until: None }),
            "the window is never that large"
        );
        assert_eq!(
            verdict(Request { class: ClassId::new(1), ..request(99) }),
            Ok(()),
            "an unknown quota is tried"
        );
    }
}
