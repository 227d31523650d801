//! How leases end: units spent or given back, and who is to blame.

use grok2api_proto::pool::Outcome;
use uuid::Uuid;

use super::{Lease, Pool, Urgency};
use crate::{
    account::Blame,
    policy::{self, Effect},
    wanted::{Settlement, Spent},
};

impl Pool {
    /// Lets time pass: dead leases end, rests end, windows refill. Returns whether anybody may have become free.
    pub(crate) fn advance(&mut self, now: i64) -> bool {
        let mut changed = false;
        while let Some(&(_, id)) = self.expiries.first().filter(|(at, _)| *at <= now) {
            // Whoever held it is gone and may well have used it: the units stay spent.
            if let Some(lease) = self.end(id, Some(Spent::Reserved), now) {
                self.roster.settled(lease.account, lease.class, Outcome::Unspecified, now);
            }
            changed = true;
        }
        while let Some(id) = self.roster.next_changed(now) {
            let due = self.roster.change(id, now, |account, _| account.roll(now)).unwrap_or_default();
            due.into_iter().for_each(|class| self.reads.want((id, class), Urgency::Reset, now));
            changed = true;
        }
        changed
    }

    /// Ends a lease and applies its outcome. Returns whose it was, unless it had ended before.
    pub(crate) fn settle(&mut self, lease: Uuid, settlement: &Settlement, now: i64) -> Option<Uuid> {
        self.advance(now);
        let lease = self.end(lease, settlement.spent(), now)?;
        let (id, outcome) = (lease.account, settlement.outcome);
        self.roster.settled(id, lease.class, outcome, now);
        let blame = Blame::of(settlement, lease.class, lease.began_at);
        if blame.effect == Effect::Absolve {
            if let Some(account) = self.roster.get_mut(id) {
                account.absolve();
            }
            return Some(id);
        }
        let penalised = blame.effect.is_penalty() && self.may_penalise(&lease, outcome, now);
        self.blame(id, &blame, penalised, now);
        if !penalised && outcome == Outcome::RateLimited {
            self.reads.want((id, lease.class), Urgency::Used, now);
        }
        Some(id)
    }

    /// Takes a lease away and its units with it: spent or given back.
    pub(super) fn end(&mut self, id: Uuid, spent: Option<Spent>, now: i64) -> Option<Lease> {
        let lease = self.leases.remove(&id)?;
        self.expiries.remove(&(lease.expires_at, id));
        let ended = |account: &mut crate::account::Account| account.end(lease.class, lease.cost, spent, now);
        let wants_reading = self.roster.change(lease.account, now, |account, _| ended(account));
        self.roster.write(lease.account);
        if wants_reading == Some(true) {
            self.reads.want((lease.account, lease.class), Urgency::Used, now);
        }
        Some(lease)
    }

    /// Writes a failure into the account's history, and lets it have its effect if it is to be penalised.
    pub(super) fn blame(&mut self, id: Uuid, blame: &Blame, penalised: bool, now: i64) {
        if !penalised && !policy::is_failure(blame.outcome) {
            return;
        }
        let probe = self.roster.change(id, now, |account, _| {
            account.record(blame, penalised, now);
            penalised && account.blame(blame, now)
        });
        self.roster.write(id);
        if probe == Some(true) {
            self.reads.want((id, blame.class), Urgency::Used, now);
        }
    }

    fn may_penalise(&mut self, lease: &Lease, outcome: Outcome, now: i64) -> bool {
        let Lease { account, class, minimum_tier, tags, .. } = lease;
        !self.roster.spares(*account, outcome, *class, *minimum_tier, tags)
            && self.firewall.admit(&lease.request_id, lease.account, now)
    }
}
