//! The accounts as this process sees them, and who of them is the best. Pure: the time is an argument.
//!
//! It is the truth where the hot state lives in this process, and a copy that lags a little where it lives in Redis.

mod events;
mod explain;
mod index;
mod list;
mod refusal;
mod rows;

use std::collections::{BTreeSet, VecDeque};

use foldhash::HashMap;
use grok2api_proto::{
    config::RuntimeConfig,
    pool::{Outcome, PoolEvent},
};
use grok2api_storage::accounts::Tier;
use uuid::Uuid;

pub(crate) use explain::Explanation;
pub(crate) use list::{After, Filter, Key, Order, Page, state};
pub(crate) use refusal::Refusal;
pub(crate) use rows::News;

use crate::{
    account::Account,
    classes::{ClassId, Classes},
    eligible::{Reason, Request, eligible},
    policy::{self, PENALISED_PER_REQUEST},
    pool::Target,
    wanted::Wanted,
};
use index::{Index, Place};

/// Refusals remembered at most.
const REFUSALS: usize = 256;

/// Every account, in the order of trying.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    slots: HashMap<Uuid, Slot>,
    by_token: HashMap<[u8; 32], Uuid>,
    classes: Classes,
    index: Index,
    limits: Limits,
    /// How many classes every account has a place in.
    placed: usize,
    unwritten: BTreeSet<Uuid>,
    /// Those of them that should be written at once: callers may have to wait for it.
    pressing: BTreeSet<Uuid>,
    /// Whoever kept the accounts that come in now may have died before it had written all.
    unsure: bool,
    /// Accounts that were another's user, and whose; newest last.
    merged_into: VecDeque<(Uuid, Uuid)>,
    /// What happened since they were last taken; kept only while somebody watches.
    events: Vec<PoolEvent>,
    watched: bool,
    /// Refusals given since an account changed last.
    refusals: HashMap<Shape, Refusal>,
}

/// What decides who may serve a request that has tried nobody yet.
type Shape = (ClassId, u32, Tier, Vec<String>);

#[derive(Debug)]
struct Slot {
    account: Account,
    place: Place,
}

/// What the operator may set at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Leases an account may hold at once.
    pub(crate) concurrency: u32,
    /// At most so many of a hundred accounts rest at once for the same kind of failure.
    pub(crate) resting_percent: u32,
    /// Readings of the upstream, over the whole deployment.
    pub(crate) readings_per_minute: u32,
    /// Whether the store lags and must not lag too far. That is not the operator's to set.
    pub(crate) written_behind: bool,
}

/// Where the conversation of a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Bound to an account that may serve.
    To(Uuid),
    /// Bound to an account that lacks nothing but a free slot.
    Busy,
    /// Bound to an account that cannot serve this request; it stays bound.
    Passed,
    /// Bound to nobody, or to an account that is lost for it.
    Nowhere,
}

impl Limits {
    /// The limits of a revision.
    pub(crate) fn of(config: &RuntimeConfig, written_behind: bool) -> Self {
        Self {
            concurrency: config.account_concurrency.max(1),
            resting_percent: config.resting_share_percent,
            readings_per_minute: config.quota_readings_per_minute,
            written_behind,
        }
    }
}

impl Roster {
    /// A change of what an account may hold or take re-sorts everything.
    pub(crate) fn set_limits(&mut self, limits: Limits, now: i64) {
        let before = std::mem::replace(&mut self.limits, limits);
        if (before.concurrency, before.written_behind) != (limits.concurrency, limits.written_behind) {
            self.place_all(now);
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The account of an id or of a token.
    pub(crate) fn find(&self, id: Option<Uuid>, token: Option<[u8; 32]>) -> Option<&Account> {
        let by_token = token.and_then(|digest| self.by_token.get(&digest).copied());
        self.get(id.filter(|id| self.slots.contains_key(id)).or(by_token)?)
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<&Account> {
        self.slots.get(&id).map(|slot| &slot.account)
    }

    /// An account, for what does not decide its place: strikes, failures, how it was read.
    pub(crate) fn get_mut(&mut self, id: Uuid) -> Option<&mut Account> {
        self.slots.get_mut(&id).map(|slot| &mut slot.account)
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.slots.values().map(|slot| &slot.account)
    }

    pub(crate) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The class of a name; a new one gives every account a place in it.
    pub(crate) fn class(&mut self, name: &str, now: i64) -> ClassId {
        let class = self.classes.intern(name);
        if self.placed < self.classes.len() {
            self.place_all(now);
        }
        class
    }

    /// What a caller wants, as the rule of eligibility knows it.
    pub(crate) fn request<'a>(&self, wanted: &'a Wanted, class: ClassId) -> Request<'a> {
        Request {
            class,
            cost: wanted.cost,
            minimum_tier: wanted.minimum_tier,
            tags: &wanted.tags,
            exclude: &wanted.exclude,
            only: wanted.account,
            concurrency: self.limits.concurrency,
            written_behind: self.limits.written_behind,
        }
    }

    /// The account whose time has come to change by itself.
    pub(crate) fn next_changed(&self, now: i64) -> Option<Uuid> {
        self.index.changed(now).next()
    }

    /// The accounts whose time has come, at most so many.
    pub(crate) fn due(&self, most: usize, now: i64) -> Vec<Uuid> {
        self.index.changed(now).take(most).collect()
    }

    /// The best accounts that may serve, the first to be tried first; at most so many.
    pub(crate) fn best(&self, request: &Request<'_>, most: usize, now: i64) -> Vec<Uuid> {
        let mut chosen = Vec::with_capacity(most);
        while chosen.len() < most {
            let Some(next) = self.first(request, &chosen, now) else { break };
            chosen.push(next);
        }
        chosen
    }

    /// The best account that may serve, save those. The only one that may is not searched for.
    pub(crate) fn first(&self, request: &Request<'_>, but: &[Uuid], now: i64) -> Option<Uuid> {
        let may = |id| {
            !but.contains(&id) && self.get(id).is_some_and(|account| eligible(account, request, now).is_ok())
        };
        match request.only {
            Some(only) => may(only).then_some(only),
            None => self.index.best(request, may),
        }
    }

    /// The best account for such a request of one unit, save that one.
    pub(crate) fn another(
        &self,
        id: Uuid,
        class: ClassId,
        minimum_tier: Tier,
        tags: &[String],
        now: i64,
    ) -> Option<&Account> {
        let exclude = [id];
        let Limits { concurrency, written_behind, .. } = self.limits;
        let request = Request {
            class,
            cost: 1,
            minimum_tier,
            tags,
            exclude: &exclude,
            only: None,
            concurrency,
            written_behind,
        };
        self.first(&request, &[], now).and_then(|id| self.get(id))
    }

    /// Where a conversation stands that is bound to this account. What passes by itself, or lies in this request
    /// only, does not end a binding.
    pub(crate) fn bound(&self, account: Option<Uuid>, request: &Request<'_>, now: i64) -> Bound {
        let Some(account) = account.and_then(|id| self.get(id)) else { return Bound::Nowhere };
        match eligible(account, request, now) {
            Ok(()) => Bound::To(account.stored.id),
            Err(Reason::Saturated | Reason::Unwritten) => Bound::Busy,
            Err(Reason::TierTooLow | Reason::TagMissing | Reason::Excluded | Reason::Cooling { .. }) => {
                Bound::Passed
            }
            Err(Reason::Exhausted { .. } | Reason::Disabled | Reason::Banned | Reason::Invalid) => {
                Bound::Nowhere
            }
        }
    }

    /// The windows an account is asked about.
    pub(crate) fn targets(&self, id: Uuid) -> Vec<Target> {
        let tier = self.get(id).map(|account| account.stored.tier);
        tier.into_iter().flat_map(|tier| self.classes.of_tier(tier)).map(|class| (id, class)).collect()
    }

    /// The windows of an account in use of which too little is known.
    pub(crate) fn unknown(&self, id: Uuid, now: i64) -> Vec<Target> {
        let Some(account) = self.get(id) else { return Vec::new() };
        let idle = account.is_idle(now);
        let mut targets = self.targets(id);
        targets.retain(|(_, class)| {
            let window = account.window(*class);
            // One with nothing left would never be used, and so never be read.
            window.wants_reading() && (!idle || window.is_low())
        });
        targets
    }

    /// Why nobody may serve what is wanted. Every account is asked, but only once as long as none changes: a crowd
    /// that meets an empty pool must not make it slow as well.
    pub(crate) fn refusal(&mut self, wanted: &Wanted, class: ClassId, now: i64) -> Refusal {
        if let Some(only) = wanted.account {
            let request = self.request(wanted, class);
            return Refusal::of_only(self.get(only).map(|account| eligible(account, &request, now)));
        }
        let shape = (class, wanted.cost, wanted.minimum_tier, wanted.tags.clone());
        let first = wanted.exclude.is_empty();
        if let Some(known) = self.refusals.get(&shape).filter(|_| first) {
            return *known;
        }
        let request = self.request(wanted, class);
        let refusal =
            Refusal::of(self.accounts().filter_map(|account| eligible(account, &request, now).err()));
        if first && self.refusals.len() < REFUSALS {
            self.refusals.insert(shape, refusal);
        }
        refusal
    }

    /// Whether an account must not rest for this kind of failure: it is the last that could serve such a request, or
    /// too many rest for it already.
    pub(crate) fn spares(
        &self,
        id: Uuid,
        outcome: Outcome,
        class: ClassId,
        tier: Tier,
        tags: &[String],
    ) -> bool {
        if !policy::rule(outcome).effect.is_soft() {
            return false;
        }
        let most = self.slots.len() * self.limits.resting_percent as usize / 100;
        let rests = self.get(id).is_some_and(|account| account.resting_for() == Some(outcome));
        let too_many = !rests && self.index.resting(outcome) >= most.max(PENALISED_PER_REQUEST);
        too_many || self.index.usable(class, tier, tags) <= 1
    }

    /// The one way to change an account: it leaves its place and finds its new one.
    pub(crate) fn change<R>(
        &mut self,
        id: Uuid,
        now: i64,
        change: impl FnOnce(&mut Account, &mut Classes) -> R,
    ) -> Option<R> {
        self.refusals.clear();
        let slot = self.slots.get_mut(&id)?;
        let Slot { account, place } = slot;
        let before = self.watched.then(|| place.clone());
        self.index.leave(account, place);
        let result = change(account, &mut self.classes);
        self.index.place(account, place, &self.classes, self.limits, now);
        let turns = before.iter().flat_map(|before| before.turns(place));
        self.events.extend(turns.map(|turn| events::turn(turn, account, &self.classes, now)));
        Some(result)
    }

    fn place_all(&mut self, now: i64) {
        self.refusals.clear();
        self.index = Index::default();
        self.placed = self.classes.len();
        for slot in self.slots.values_mut() {
            slot.place = Place::default();
            self.index.place(&slot.account, &mut slot.place, &self.classes, self.limits, now);
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 1, resting_percent: 50, readings_per_minute: 60, written_behind: true }
    }
}
