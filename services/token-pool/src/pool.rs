//! The hot state in this process's memory. Pure: the time and the ids are arguments.

mod affinity;
mod firewall;
mod ledger;
mod readings;
mod reads;

use std::collections::BTreeSet;

use foldhash::HashMap;
use grok2api_storage::accounts::{StoredAccount, Tier};
use uuid::Uuid;

pub(crate) use affinity::{Affinity, KEPT_MS as BOUND_MS};
pub(crate) use reads::{FIRST_RETRY_MS, LONGEST_RETRY_MS, MINUTE_MS, Target, Urgency, bulk_budget};

use crate::{
    classes::ClassId,
    roster::{Bound, News, Refusal, Roster},
    wanted::{Granted, LEASE_MS, Wanted},
};
use firewall::Firewall;
use reads::Reads;

/// Every account, and who uses it.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    pub(crate) roster: Roster,
    leases: HashMap<Uuid, Lease>,
    expiries: BTreeSet<(i64, Uuid)>,
    firewall: Firewall,
    affinity: Affinity,
    reads: Reads,
    /// Counts the readings that have begun.
    readings: u64,
}

#[derive(Debug)]
struct Lease {
    account: Uuid,
    class: ClassId,
    cost: u32,
    owner: String,
    request_id: String,
    minimum_tier: Tier,
    tags: Vec<String>,
    began_at: i64,
    expires_at: i64,
}

impl Pool {
    /// Reserves the units of a request on the account its conversation is bound to, else on the best. A `patient`
    /// caller rather waits for the bound account than borrows another.
    pub(crate) fn lease(
        &mut self,
        wanted: &Wanted,
        lease: Uuid,
        patient: bool,
        now: i64,
    ) -> Result<Granted, Refusal> {
        self.advance(now);
        let class = self.roster.class(&wanted.class, now);
        let request = self.roster.request(wanted, class);
        let followed = wanted.followed().and_then(|key| self.affinity.of(key, now));
        let (id, bind) = match self.roster.bound(followed, &request, now) {
            Bound::To(id) => (id, true),
            Bound::Busy if patient => return Err(Refusal::busy()),
            other => match self.roster.first(&request, &[], now) {
                Some(id) => (id, other == Bound::Nowhere),
                None => return Err(self.roster.refusal(wanted, class, now)),
            },
        };
        if let Some(key) = wanted.affinity.as_deref().filter(|_| bind) {
            self.affinity.bind(key, id, now);
        }
        let granted = self.reserve(wanted, class, lease, id, now);
        granted.ok_or_else(|| self.roster.refusal(wanted, class, now))
    }

    /// Keeps an owner's leases alive. Returns those that are gone.
    pub(crate) fn renew(&mut self, owner: &str, leases: &[Uuid], now: i64) -> Vec<Uuid> {
        self.advance(now);
        let mut lost = Vec::new();
        for id in leases {
            match self.leases.get_mut(id).filter(|lease| lease.owner == owner) {
                Some(lease) => {
                    self.expiries.remove(&(lease.expires_at, *id));
                    lease.expires_at = now + LEASE_MS;
                    self.expiries.insert((lease.expires_at, *id));
                }
                None => lost.push(*id),
            }
        }
        lost
    }

    /// Ends the blocking states of an account by hand, and asks for the truth. Returns whether there was one.
    pub(crate) fn clear(&mut self, id: Uuid, now: i64) -> bool {
        let cleared = self.roster.change(id, now, |account, _| account.clear()).unwrap_or_default();
        if cleared {
            self.roster.write(id);
            self.want_all(id, Urgency::Used, now);
        }
        cleared
    }

    /// The account a conversation is bound to.
    pub(crate) fn bound(&self, conversation: &str, now: i64) -> Option<Uuid> {
        self.affinity.of(conversation, now)
    }

    /// Takes in an account, or what another process has made of a known one.
    pub(crate) fn merge(&mut self, row: StoredAccount, anyway: bool, now: i64) {
        let id = row.id;
        match self.roster.merge(row, true, anyway, now) {
            News::Nothing => {}
            News::Used | News::Changed | News::Added => self.want_unknown(id, Urgency::Idle, now),
            News::Removed => self.forget(id),
        }
    }

    /// Drops an account; its leases end with it.
    pub(crate) fn remove(&mut self, id: Uuid, now: i64) {
        if self.roster.remove(id, now) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: Uuid) {
        self.roster.classes().ids().for_each(|class| self.reads.forget((id, class)));
        self.leases.retain(|_, lease| lease.account != id);
        let leases = &self.leases;
        self.expiries.retain(|(_, lease)| leases.contains_key(lease));
    }

    fn reserve(
        &mut self,
        wanted: &Wanted,
        class: ClassId,
        lease: Uuid,
        id: Uuid,
        now: i64,
    ) -> Option<Granted> {
        let (token, tier) = self.roster.change(id, now, |account, _| {
            account.reserve(class, wanted.cost, &wanted.rate_limit_name, now);
            (account.stored.token.clone(), account.stored.tier)
        })?;
        self.roster.write(id);
        let expires_at = now + LEASE_MS;
        self.expiries.insert((expires_at, lease));
        let held = Lease {
            account: id,
            class,
            cost: wanted.cost,
            owner: wanted.owner.clone(),
            request_id: wanted.request_id.clone(),
            minimum_tier: wanted.minimum_tier,
            tags: wanted.tags.clone(),
            began_at: now,
            expires_at,
        };
        self.leases.insert(lease, held);
        self.roster.leased(id, class, now);
        Some(Granted { lease, account: id, token, tier, expires_at })
    }
}
