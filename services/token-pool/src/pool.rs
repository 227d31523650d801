//! The hot state: accounts, windows and leases in memory. Pure: the time and the ids are arguments.

mod firewall;
mod index;
mod readings;
mod reads;
mod refusal;

use std::collections::{BTreeSet, HashMap};

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{StoredAccount, Tier};
use uuid::Uuid;

pub(crate) use readings::{ReadEnd, ReadJob};
pub(crate) use reads::{Target, Urgency};
pub(crate) use refusal::Refusal;

use crate::{
    account::{Account, Blame},
    classes::{ClassId, Classes},
    eligible::{Request, eligible},
    policy::{self, Effect},
};
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
    reads: Reads,
    unwritten: BTreeSet<Uuid>,
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
    pub(crate) exclude: Vec<Uuid>,
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

    /// Takes in an account, or what another process has made of a known one.
    pub(crate) fn merge(&mut self, row: StoredAccount, now: i64) {
        let id = row.id;
        if row.deleted_at.is_some() {
            return self.remove(id);
        }
        if let Some(slot) = self.slots.get(&id) {
            if row.version > slot.account.stored.version {
                self.change(id, now, |account, classes| account.merge(row, classes));
            }
            return;
        }
        self.by_token.insert(row.token.digest(), id);
        let account = Account::load(row, &mut self.classes);
        let place = self.index.place(&account, &self.classes, self.concurrency, now);
        self.slots.insert(id, Slot { account, place });
        self.want_unknown(id, Urgency::Idle, now);
    }

    /// Drops an account; its leases end with it.
    pub(crate) fn remove(&mut self, id: Uuid) {
        let Some(slot) = self.slots.remove(&id) else { return };
        self.index.remove(id, &slot.place);
        self.by_token.remove(&slot.account.stored.token.digest());
        self.unwritten.remove(&id);
        self.classes.ids().for_each(|class| self.reads.forget((id, class)));
        self.leases.retain(|_, lease| lease.account != id);
        let leases = &self.leases;
        self.expiries.retain(|(_, lease)| leases.contains_key(lease));
    }

    /// Lets time pass: dead leases end, rests end, windows refill. Returns whether anybody may have become free.
    pub(crate) fn advance(&mut self, now: i64) -> bool {
        let mut changed = false;
        while let Some(&(_, id)) = self.expiries.first().filter(|(at, _)| *at <= now) {
            // Whoever held it is gone and may well have used it: the units stay spent.
            self.end(id, Some(Spent::Reserved), now);
            changed = true;
        }
        while let Some(id) = self.index.next_changed(now) {
            let due = self.change(id, now, |account, _| account.roll(now)).unwrap_or_default();
            due.into_iter().for_each(|class| self.reads.want((id, class), Urgency::Reset, now));
            changed = true;
        }
        changed
    }

    /// Reserves the units of a request on the best account.
    pub(crate) fn lease(
        &mut self,
        wanted: &Wanted,
        lease: Uuid,
        now: i64,
    ) -> Result<(&Account, i64), Refusal> {
        self.advance(now);
        let class = self.class(&wanted.class, now);
        let request = Request {
            class,
            cost: wanted.cost,
            minimum_tier: wanted.minimum_tier,
            exclude: &wanted.exclude,
            concurrency: self.concurrency,
        };
        let Some(id) = self.choose(&request, now) else { return Err(self.refusal(&request, now)) };
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
                began_at: now,
                expires_at,
            },
        );
        Ok((&self.slots[&id].account, expires_at))
    }

    /// Ends a lease and applies its outcome. Returns whose it was, unless it had ended before.
    pub(crate) fn settle(&mut self, lease: Uuid, settlement: &Settlement, now: i64) -> Option<Uuid> {
        self.advance(now);
        let spent = settlement.charged.then_some(settlement.units.map_or(Spent::Reserved, Spent::Known));
        let lease = self.end(lease, spent, now)?;
        let effect = policy::rule(settlement.outcome).effect;
        let blame = Blame {
            effect,
            class: lease.class,
            began_at: lease.began_at,
            retry_after_ms: settlement.retry_after_ms,
            cause: settlement.cause.clone(),
        };
        if effect == Effect::Absolve {
            self.absolve(lease.account);
        } else if effect.is_penalty() && self.may_penalise(&lease, effect, now) {
            self.blame(lease.account, &blame, now);
        } else if settlement.outcome == Outcome::RateLimited {
            self.reads.want((lease.account, lease.class), Urgency::Used, now);
        }
        Some(lease.account)
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

    /// Changes what the operator says of an account.
    pub(crate) fn amend(&mut self, id: Uuid, tier: Option<Tier>, note: &str, now: i64) {
        let Some(stored) = self.slots.get(&id).map(|slot| &slot.account.stored) else { return };
        let tier = tier.unwrap_or(stored.tier);
        let note = if note.is_empty() { stored.note.clone() } else { note.to_owned() };
        if (tier, &note) != (stored.tier, &stored.note) {
            self.change(id, now, |account, _| (account.stored.tier, account.stored.note) = (tier, note));
            self.unwritten.insert(id);
            self.want_unknown(id, Urgency::Idle, now);
        }
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

    /// Whether something waits to be written.
    pub(crate) fn is_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// The rows to write; they count as written until [`Pool::not_written`] says otherwise.
    pub(crate) fn take_unwritten(&mut self) -> Vec<StoredAccount> {
        let ids = std::mem::take(&mut self.unwritten);
        ids.into_iter().filter_map(|id| self.row(id)).collect()
    }

    /// An account as it would be written now.
    pub(crate) fn row(&self, id: Uuid) -> Option<StoredAccount> {
        self.slots.get(&id).map(|slot| slot.account.row(&self.classes))
    }

    /// A row was written and has this version now. What the operator says may be newer already, and stays.
    pub(crate) fn written(&mut self, row: StoredAccount, version: u64) {
        if let Some(slot) = self.slots.get_mut(&row.id) {
            let stored = &mut slot.account.stored;
            stored.version = version;
            (stored.status, stored.windows, stored.last_used_at) =
                (row.status, row.windows, row.last_used_at);
        }
    }

    /// A row could not be written.
    pub(crate) fn not_written(&mut self, id: Uuid) {
        if self.slots.contains_key(&id) {
            self.unwritten.insert(id);
        }
    }

    /// Walks the candidates tier by tier. Within a tier the units left only fall, so the first known account that
    /// cannot pay ends it; what is skipped before that was tried by this very request.
    fn choose(&self, request: &Request<'_>, now: i64) -> Option<Uuid> {
        Tier::ALL.into_iter().filter(|tier| *tier >= request.minimum_tier).find_map(|tier| {
            let payers = self
                .index
                .candidates(request.class, tier)
                .take_while(|key| !key.known || key.available.0 >= request.cost);
            payers.map(|key| key.id).find(|id| eligible(&self.slots[id].account, request, now).is_ok())
        })
    }

    /// Asks every account why not; only a refusal pays for that.
    fn refusal(&self, request: &Request<'_>, now: i64) -> Refusal {
        let mut refusal = Refusal::default();
        let reasons = self.accounts().filter_map(|account| eligible(account, request, now).err());
        reasons.for_each(|reason| refusal.count(reason));
        refusal
    }

    /// Takes a lease away and its units with it: spent or given back.
    fn end(&mut self, id: Uuid, spent: Option<Spent>, now: i64) -> Option<Lease> {
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
    fn absolve(&mut self, id: Uuid) {
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.account.absolve();
        }
    }

    fn may_penalise(&mut self, lease: &Lease, effect: Effect, now: i64) -> bool {
        if effect.is_soft() && self.index.usable(lease.class, lease.minimum_tier) <= 1 {
            return false;
        }
        self.firewall.admit(&lease.request_id, lease.account, now)
    }

    fn blame(&mut self, id: Uuid, blame: &Blame, now: i64) {
        let probe = self.change(id, now, |account, _| account.blame(blame, now));
        self.unwritten.insert(id);
        if probe == Some(true) {
            self.reads.want((id, blame.class), Urgency::Used, now);
        }
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
        self.index.remove(id, &slot.place);
        let result = change(&mut slot.account, &mut self.classes);
        slot.place = self.index.place(&slot.account, &self.classes, self.concurrency, now);
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
