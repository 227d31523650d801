//! How leases end: units spent or given back, and who is to blame.

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::StoredFailure;
use uuid::Uuid;

use super::{Lease, Pool, Settlement, Spent, Urgency};
use crate::{
    account::Blame,
    policy::{self, Effect, PENALISED_PER_REQUEST, RESTING_PERCENT},
};

impl Pool {
    /// Ends a lease and applies its outcome. Returns whose it was, unless it had ended before.
    pub(crate) fn settle(&mut self, lease: Uuid, settlement: &Settlement, now: i64) -> Option<Uuid> {
        self.advance(now);
        let spent = settlement.charged.then_some(settlement.units.map_or(Spent::Reserved, Spent::Known));
        let lease = self.end(lease, spent, now)?;
        self.settled(lease.account, lease.class, settlement.outcome, now);
        let effect = policy::rule(settlement.outcome).effect;
        let blame = Blame {
            outcome: settlement.outcome,
            effect,
            class: lease.class,
            began_at: lease.began_at,
            retry_after_ms: settlement.retry_after_ms,
            cause: settlement.cause.clone(),
        };
        if effect == Effect::Absolve {
            self.absolve(lease.account);
            return Some(lease.account);
        }
        let penalised = effect.is_penalty() && self.may_penalise(&lease, &blame, now);
        self.record(lease.account, &blame, penalised, now);
        if penalised {
            self.blame(lease.account, &blame, now);
        } else if settlement.outcome == Outcome::RateLimited {
            self.reads.want((lease.account, lease.class), Urgency::Used, now);
        }
        Some(lease.account)
    }

    /// Takes a lease away and its units with it: spent or given back.
    pub(super) fn end(&mut self, id: Uuid, spent: Option<Spent>, now: i64) -> Option<Lease> {
        let lease = self.leases.remove(&id)?;
        self.expiries.remove(&(lease.expires_at, id));
        let wants_reading = self.change(lease.account, now, |account, _| {
            account.in_flight = account.in_flight.saturating_sub(1);
            let window = account.window_mut(lease.class);
            window.refund(lease.cost);
            match spent {
                Some(Spent::Reserved) => window.spend(lease.cost, now),
                Some(Spent::Known(units)) => window.spend(units, now),
                None => {}
            }
            window.wants_reading()
        });
        self.unwritten.insert(lease.account);
        if wants_reading == Some(true) {
            self.reads.want((lease.account, lease.class), Urgency::Used, now);
        }
        Some(lease)
    }

    /// No part of an account's place depends on its strikes and failures.
    /// Writes a failure into the account's history.
    pub(super) fn record(&mut self, id: Uuid, blame: &Blame, penalised: bool, now: i64) {
        let Some(slot) = self.slots.get_mut(&id).filter(|_| policy::is_failure(blame.outcome)) else {
            return;
        };
        slot.account.record(StoredFailure {
            at: now,
            outcome: blame.outcome.as_str_name().to_owned(),
            cause: blame.cause.clone(),
            penalised,
        });
        self.unwritten.insert(id);
    }

    pub(super) fn absolve(&mut self, id: Uuid) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.account.absolve();
        }
    }

    fn may_penalise(&mut self, lease: &Lease, blame: &Blame, now: i64) -> bool {
        let usable = || self.index.usable(lease.class, lease.minimum_tier, &lease.tags);
        if blame.effect.is_soft() && (usable() <= 1 || self.too_many_rest(lease.account, blame.outcome)) {
            return false;
        }
        self.firewall.admit(&lease.request_id, lease.account, now)
    }

    /// Whether one more account must not rest for this kind of failure.
    fn too_many_rest(&self, id: Uuid, outcome: Outcome) -> bool {
        let most = (self.slots.len() * RESTING_PERCENT / 100).max(PENALISED_PER_REQUEST);
        let rests = self.slots.get(&id).is_some_and(|slot| slot.account.resting_for() == Some(outcome));
        !rests && self.index.resting(outcome) >= most
    }

    pub(super) fn blame(&mut self, id: Uuid, blame: &Blame, now: i64) {
        let probe = self.change(id, now, |account, _| account.blame(blame, now));
        self.unwritten.insert(id);
        if probe == Some(true) {
            self.reads.want((id, blame.class), Urgency::Used, now);
        }
    }
}
