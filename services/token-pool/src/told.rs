//! What operators are told of the whole pool, whenever somebody reads the metrics.

use std::{collections::HashMap, sync::Arc};

use grok2api_kit::metrics::{Observed, POOL_ACCOUNTS, POOL_ACTIVE, POOL_LIMIT, POOL_REMAINING};
use grok2api_proto::pool::State;
use grok2api_storage::accounts::Tier;

use crate::{
    roster::{Roster, state},
    shared::Shared,
};

const TIERS: [Tier; 3] = [Tier::Basic, Tier::Super, Tier::Heavy];
const STATES: [State; 6] =
    [State::Active, State::Cooling, State::Exhausted, State::Invalid, State::Banned, State::Disabled];

/// Units of a class in a tier: left, and when full.
type Units = HashMap<(String, Tier), (u64, u64)>;

/// Begins to tell, as long as the pool is there.
pub(crate) fn tell(shared: &Arc<Shared>) {
    let pool = Arc::downgrade(shared);
    POOL_ACCOUNTS.by(move |seen| {
        let Some(counts) = pool.upgrade().map(|pool| pool.look(accounts)) else { return };
        // Also those that are zero: a number that was there must not stay what it was.
        for tier in TIERS {
            for state in STATES {
                let count = counts.get(&(tier, state)).copied().unwrap_or_default();
                seen.is(count as f64, [name(tier).into(), word(state).into()]);
            }
        }
    });
    let pool = Arc::downgrade(shared);
    POOL_ACTIVE.by(move |seen| {
        if let Some(active) = pool.upgrade().map(|pool| pool.look(active)) {
            seen.is(active as f64, []);
        }
    });
    tell_units(&POOL_REMAINING, shared, |one| one.0);
    tell_units(&POOL_LIMIT, shared, |one| one.1);
}

fn tell_units(gauge: &'static Observed, shared: &Arc<Shared>, pick: fn((u64, u64)) -> u64) {
    let pool = Arc::downgrade(shared);
    gauge.by(move |seen| {
        let Some(units) = pool.upgrade().map(|pool| pool.look(units)) else { return };
        for ((class, tier), held) in units {
            seen.is(pick(held) as f64, [class.into(), name(tier).into()]);
        }
    });
}

fn active(roster: &Roster, _: i64) -> u64 {
    roster.accounts().map(|account| u64::from(account.in_flight)).sum()
}

fn accounts(roster: &Roster, now: i64) -> HashMap<(Tier, State), u64> {
    let mut counts = HashMap::new();
    for account in roster.accounts() {
        *counts.entry((account.stored.tier, state(account, roster.classes(), now))).or_default() += 1;
    }
    counts
}

/// Of accounts that can be used, or could if their windows were not spent.
fn units(roster: &Roster, now: i64) -> Units {
    let (mut units, classes) = (Units::new(), roster.classes());
    for account in roster.accounts() {
        let usable = matches!(state(account, classes, now), State::Active | State::Exhausted);
        for class in classes.of_tier(account.stored.tier) {
            let held = units.entry((classes.name(class).to_owned(), account.stored.tier)).or_default();
            let window = account.window(class);
            if let (true, Some(total)) = (usable, window.total) {
                held.1 += u64::from(total);
                held.0 += if window.closed_until > now { 0 } else { window.remaining.unwrap_or(0).into() };
            }
        }
    }
    units
}

fn name(tier: Tier) -> &'static str {
    match tier {
        Tier::Basic => "basic",
        Tier::Super => "super",
        Tier::Heavy => "heavy",
    }
}

fn word(state: State) -> String {
    state.as_str_name().trim_start_matches("STATE_").to_lowercase()
}
