//! The hot state: accounts, windows and leases in memory. Pure: the time and the ids are arguments.

mod affinity;
mod events;
mod explain;
mod firewall;
mod index;
mod ledger;
mod readings;
mod reads;
mod refusal;
mod rows;

use std::collections::{BTreeSet, HashMap, VecDeque};

use grok2api_proto::pool::{Outcome, PoolEvent};
use grok2api_storage::accounts::Tier;
use uuid::Uuid;

pub(crate) use explain::Explanation;
pub(crate) use readings::{Asked, ReadEnd, ReadJob};
pub(crate) use reads::{Target, Urgency};
pub(crate) use refusal::Refusal;

use crate::{
    account::Account,
    classes::{ClassId, Classes},
    eligible::{Reason, Request, eligible},
};
use affinity::Affinity;
use firewall::Firewall;
use index::{Index, Place};
use reads::Reads;

/// How long a lease lives unless it is renewed.
pub(crate) const LEASE_MS: i64 = 30_000;

/// Every account, and who uses it.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    slots: HashMap<Uuid, Slot>,
    by_token: HashMap<[u8; 32], Uuid>,
    classes: Classes,
    index: Index,
    leases: HashMap<Uuid, Lease>,
    expiries: BTreeSet<(i64, Uuid)>,
    firewall: Firewall,
    affinity: Affinity,
    reads: Reads,
    /// Counts the readings that have begun.
    readings: u64,
    unwritten: BTreeSet<Uuid>,
    /// Accounts that were another's user, and whose; newest last.
    merged_into: VecDeque<(Uuid, Uuid)>,
    /// What happened since they were last taken; kept only while somebody watches.
    events: Vec<PoolEvent>,
    watched: bool,
    concurrency: u32,
    /// How many classes every account has a place in.
    placed: usize,
}

#[derive(Debug)]
struct Slot {
    account: Account,
    place: Place,
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

/// What a caller wants to lease.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) request_id: String,
    pub(crate) owner: String,
    pub(crate) class: String,
    pub(crate) rate_limit_name: String,
    pub(crate) cost: u32,
    pub(crate) minimum_tier: Tier,
    pub(crate) tags: Vec<String>,
    pub(crate) exclude: Vec<Uuid>,
    /// The conversation's key.
    pub(crate) affinity: Option<String>,
    /// It begins with this turn.
    pub(crate) begins: bool,
}

/// Where the conversation of a request stands.
enum Bound {
    /// Bound to an account that may serve.
    To(Uuid),
    /// Bound to an account that lacks nothing but a free slot.
    Busy,
    /// Bound to an account that cannot serve this request; it stays bound.
    Passed,
    /// Bound to nobody, or to an account that is lost for it.
    Nowhere,
}

/// What a lease took from its window.
#[derive(Clone, Copy, Debug)]
enum Spent {
    /// What had been reserved.
    Reserved,
    /// The upstream charged another amount.
    Known(u32),
}

/// How a lease ended.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub(crate) outcome: Outcome,
    pub(crate) charged: bool,
    /// What a charged turn cost, if not what was reserved.
    pub(crate) units: Option<u32>,
    pub(crate) retry_after_ms: Option<i64>,
    pub(crate) cause: String,
}

impl Pool {
    /// Leases of an account at once; a change re-sorts everything.
    pub(crate) fn set_concurrency(&mut self, concurrency: u32, now: i64) {
        if self.concurrency != concurrency {
            self.concurrency = concurrency;
            self.place_all(now);
        }
    }

    /// Lets time pass: dead leases end, rests end, windows refill. Returns whether anybody may have become free.
    pub(crate) fn advance(&mut self, now: i64) -> bool {
        let mut changed = false;
        while let Some(&(_, id)) = self.expiries.first().filter(|(at, _)| *at <= now) {
            // Whoever held it is gone and may well have used it: the units stay spent.
            if let Some(lease) = self.end(id, Some(Spent::Reserved), now) {
                self.settled(lease.account, lease.class, Outcome::Unspecified, now);
            }
            changed = true;
        }
        while let Some(id) = self.index.next_changed(now) {
            let due = self.change(id, now, |account, _| account.roll(now)).unwrap_or_default();
            let due = self.unless_idle(id, due, now);
            due.into_iter().for_each(|class| self.reads.want((id, class), Urgency::Reset, now));
            changed = true;
        }
        changed
    }

    /// Reserves the units of a request on the account its conversation is bound to, else on the best. A `patient`
    /// caller rather waits for the bound account than borrows another.
    pub(crate) fn lease(
        &mut self,
        wanted: &Wanted,
        lease: Uuid,
        patient: bool,
        now: i64,
    ) -> Result<(&Account, i64), Refusal> {
        self.advance(now);
        let class = self.class(&wanted.class, now);
        let request = self.request(wanted, class);
        let (id, bind) = match self.bound(wanted, &request, now) {
            Bound::To(id) => (id, true),
            Bound::Busy if patient => return Err(Refusal::busy()),
            other => match self.choose(&request, now) {
                Some(id) => (id, matches!(other, Bound::Nowhere)),
                None => return Err(self.refusal(&request, now)),
            },
        };
        if let Some(key) = wanted.affinity.as_deref().filter(|_| bind) {
            self.affinity.bind(key, id, now);
        }
        self.change(id, now, |account, _| {
            account.in_flight += 1;
            account.last_used_at = Some(now);
            let window = account.window_mut(class);
            window.reserve(wanted.cost);
            window.name(&wanted.rate_limit_name);
        });
        self.unwritten.insert(id);
        let expires_at = now + LEASE_MS;
        self.expiries.insert((expires_at, lease));
        self.leases.insert(
            lease,
            Lease {
                account: id,
                class,
                cost: wanted.cost,
                owner: wanted.owner.clone(),
                request_id: wanted.request_id.clone(),
                minimum_tier: wanted.minimum_tier,
                tags: wanted.tags.clone(),
                began_at: now,
                expires_at,
            },
        );
        self.leased(id, class, now);
        Ok((&self.slots[&id].account, expires_at))
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
        let cleared = self.change(id, now, |account, _| account.clear()).unwrap_or_default();
        if cleared {
            self.unwritten.insert(id);
            let tier = self.slots[&id].account.stored.tier;
            let classes: Vec<ClassId> = self.classes.of_tier(tier).collect();
            classes.into_iter().for_each(|class| self.reads.want((id, class), Urgency::Used, now));
        }
        cleared
    }

    /// The account of an id or of a token.
    pub(crate) fn find(&self, id: Option<Uuid>, token: Option<[u8; 32]>) -> Option<&Account> {
        let by_token = token.and_then(|digest| self.by_token.get(&digest).copied());
        self.slots.get(&id.filter(|id| self.slots.contains_key(id)).or(by_token)?).map(|slot| &slot.account)
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.slots.values().map(|slot| &slot.account)
    }

    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    fn request<'a>(&self, wanted: &'a Wanted, class: ClassId) -> Request<'a> {
        Request {
            class,
            cost: wanted.cost,
            minimum_tier: wanted.minimum_tier,
            tags: &wanted.tags,
            exclude: &wanted.exclude,
            concurrency: self.concurrency,
        }
    }

    /// Where the conversation of a request stands. What passes by itself, or lies in this request only, does not
    /// end a binding.
    fn bound(&self, wanted: &Wanted, request: &Request<'_>, now: i64) -> Bound {
        let key = wanted.affinity.as_deref().filter(|_| !wanted.begins);
        let slot = key.and_then(|key| self.affinity.of(key, now)).and_then(|id| self.slots.get(&id));
        let Some(slot) = slot else { return Bound::Nowhere };
        match eligible(&slot.account, request, now) {
            Ok(()) => Bound::To(slot.account.stored.id),
            Err(Reason::Saturated) => Bound::Busy,
            Err(Reason::TierTooLow | Reason::TagMissing | Reason::Excluded | Reason::Cooling { .. }) => {
                Bound::Passed
            }
            Err(Reason::Exhausted { .. } | Reason::Disabled | Reason::Banned | Reason::Invalid) => {
                Bound::Nowhere
            }
        }
    }

    fn choose(&self, request: &Request<'_>, now: i64) -> Option<Uuid> {
        self.index.best(request, |id| eligible(&self.slots[&id].account, request, now).is_ok())
    }

    /// Asks every account why not; only a refusal pays for that.
    fn refusal(&self, request: &Request<'_>, now: i64) -> Refusal {
        Refusal::of(self.accounts().filter_map(|account| eligible(account, request, now).err()))
    }

    /// The class of a name; a new one gives every account a place in it.
    fn class(&mut self, name: &str, now: i64) -> ClassId {
        let class = self.classes.intern(name);
        if self.placed < self.classes.len() {
            self.place_all(now);
        }
        class
    }

    /// The one way to change an account: it leaves its place and finds its new one.
    fn change<R>(
        &mut self,
        id: Uuid,
        now: i64,
        change: impl FnOnce(&mut Account, &mut Classes) -> R,
    ) -> Option<R> {
        let slot = self.slots.get_mut(&id)?;
        self.index.remove(&slot.account, &slot.place);
        let result = change(&mut slot.account, &mut self.classes);
        let place = self.index.place(&slot.account, &self.classes, self.concurrency, now);
        if self.watched {
            let turns = slot.place.turns(&place);
            self.events.extend(turns.map(|turn| events::turn(turn, &slot.account, &self.classes, now)));
        }
        slot.place = place;
        Some(result)
    }

    fn place_all(&mut self, now: i64) {
        self.index = Index::default();
        self.placed = self.classes.len();
        for slot in self.slots.values_mut() {
            slot.place = self.index.place(&slot.account, &self.classes, self.concurrency, now);
        }
    }
}

#[cfg(test)]
mod tests;
