//! Finds the best account without looking at all of them.
//!
//! Per class, and again per tag, an ordered set of the accounts that could serve a request of one unit now, and a
//! count of those that could but for a free slot or a row to be written. Whatever changes by itself with time is in `timers`, so nothing
//! is ever stale.

use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
};

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{Status, Tier};
use uuid::Uuid;

use super::Limits;
use crate::{
    account::Account,
    classes::{ClassId, Classes},
    eligible::{Reason, Request, eligible},
    order::{self, Key},
};

/// The sets over all accounts.
#[derive(Debug, Default)]
pub(crate) struct Index {
    classes: Vec<Class>,
    timers: BTreeSet<(i64, Uuid)>,
    resting: HashMap<Outcome, usize>,
}

#[derive(Debug, Default)]
struct Class {
    all: Set,
    tagged: HashMap<String, Set>,
}

#[derive(Debug, Default)]
struct Set {
    queue: BTreeSet<Key>,
    /// Per tier, accounts that lack at most a free slot.
    usable: [usize; Tier::ALL.len()],
}

/// Where one account stands, to find it again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    classes: Vec<Spot>,
    timer: Option<i64>,
    resting: Option<Outcome>,
    blocked: bool,
}

#[derive(Clone, Copy, Debug)]
struct Spot {
    key: Option<Key>,
    usable: Option<Tier>,
}

/// What has become of an account between two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It may no longer serve.
    Blocked,
    /// It may serve again.
    Freed,
    /// A window has nothing to give any more.
    Emptied(ClassId),
    /// A window has something to give again.
    Filled(ClassId),
}

impl Index {
    /// Puts an account where it belongs now: one that is new, or that has left its place.
    pub(crate) fn place(
        &mut self,
        account: &Account,
        place: &mut Place,
        classes: &Classes,
        limits: Limits,
        now: i64,
    ) {
        if self.classes.len() < classes.len() {
            self.classes.resize_with(classes.len(), Class::default);
        }
        place.classes.clear();
        place.classes.extend(classes.ids().map(|class| self.enter(account, class, limits, now)));
        self.set_timer(account, place, account.next_change());
        place.resting = account.resting_for();
        if let Some(outcome) = place.resting {
            *self.resting.entry(outcome).or_default() += 1;
        }
        place.blocked = account.status != Status::Active;
    }

    /// Takes it out of the order before it changes. Its timer stays: most changes leave that as it is.
    pub(crate) fn leave(&mut self, account: &Account, place: &Place) {
        for (class, spot) in self.classes.iter_mut().zip(&place.classes) {
            class.each_set(account, |set| set.leave(*spot));
        }
        if let Some(count) = place.resting.and_then(|outcome| self.resting.get_mut(&outcome)) {
            *count -= 1;
        }
    }

    /// Takes it out for good.
    pub(crate) fn remove(&mut self, account: &Account, place: &mut Place) {
        self.leave(account, place);
        self.set_timer(account, place, None);
    }

    fn set_timer(&mut self, account: &Account, place: &mut Place, timer: Option<i64>) {
        let before = std::mem::replace(&mut place.timer, timer);
        if before == timer {
            return;
        }
        if let Some(at) = before {
            self.timers.remove(&(at, account.stored.id));
        }
        self.timers.extend(timer.map(|at| (at, account.stored.id)));
    }

    /// The accounts that have changed by themselves, the earliest first.
    pub(crate) fn changed(&self, now: i64) -> impl Iterator<Item = Uuid> {
        self.timers.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Accounts of a class, from a tier upwards, that lack at most a free slot. Of several tags the one that has
    /// most counts.
    pub(crate) fn usable(&self, class: ClassId, minimum: Tier, tags: &[String]) -> usize {
        let count = |set: &Set| set.usable[minimum as usize..].iter().sum();
        self.selected(class, tags).map(count).max().unwrap_or_default()
    }

    /// How many accounts rest for this kind of failure.
    pub(crate) fn resting(&self, outcome: Outcome) -> usize {
        self.resting.get(&outcome).copied().unwrap_or_default()
    }

    /// The first candidate in order that can pay and is accepted.
    pub(crate) fn best(&self, request: &Request<'_>, accept: impl Fn(Uuid) -> bool) -> Option<Uuid> {
        Tier::ALL.into_iter().filter(|tier| *tier >= request.minimum_tier).find_map(|tier| {
            let sets = self.selected(request.class, request.tags);
            sets.filter_map(|set| set.best(tier, request.cost, &accept)).min().map(|key| key.id)
        })
    }

    fn selected<'a>(&'a self, class: ClassId, tags: &'a [String]) -> impl Iterator<Item = &'a Set> {
        let class = self.classes.get(class.index());
        let all = class.filter(|_| tags.is_empty()).map(|class| &class.all);
        let tagged = tags.iter().filter_map(move |tag| class?.tagged.get(tag));
        all.into_iter().chain(tagged)
    }

    fn enter(&mut self, account: &Account, class: ClassId, limits: Limits, now: i64) -> Spot {
        let Limits { concurrency, written_behind, .. } = limits;
        let request = Request {
            class,
            cost: 1,
            minimum_tier: Tier::Basic,
            tags: &[],
            exclude: &[],
            only: None,
            concurrency,
            written_behind,
        };
        let verdict = eligible(account, &request, now);
        let usable = matches!(verdict, Ok(()) | Err(Reason::Saturated | Reason::Unwritten));
        let usable = usable.then_some(account.stored.tier);
        let spot = Spot { key: verdict.is_ok().then(|| order::key(account, class)), usable };
        let class = &mut self.classes[class.index()];
        for tag in &account.stored.tags {
            if !class.tagged.contains_key(tag) {
                class.tagged.insert(tag.clone(), Set::default());
            }
        }
        class.each_set(account, |set| set.enter(spot));
        spot
    }
}

impl Class {
    /// Acts on the sets an account belongs to.
    fn each_set(&mut self, account: &Account, act: impl Fn(&mut Set)) {
        act(&mut self.all);
        for tag in &account.stored.tags {
            if let Some(set) = self.tagged.get_mut(tag) {
                act(set);
            }
        }
    }
}

impl Set {
    fn enter(&mut self, spot: Spot) {
        self.queue.extend(spot.key);
        if let Some(tier) = spot.usable {
            self.usable[tier as usize] += 1;
        }
    }

    fn leave(&mut self, spot: Spot) {
        if let Some(key) = &spot.key {
            self.queue.remove(key);
        }
        if let Some(tier) = spot.usable {
            self.usable[tier as usize] -= 1;
        }
    }

    /// Within a tier and a priority the units left only fall, so the first known account that cannot pay ends that
    /// priority; what is skipped before that was tried by this very request.
    fn best(&self, tier: Tier, cost: u32, accept: impl Fn(Uuid) -> bool) -> Option<Key> {
        let mut priority = i32::MAX;
        loop {
            let mut keys = self.queue.range(Key::first(tier, priority)..).take_while(|key| key.tier == tier);
            let ended = keys.try_for_each(|key| {
                if key.known && key.available.0 < cost {
                    ControlFlow::Break(Err(key.priority.0))
                } else if accept(key.id) {
                    ControlFlow::Break(Ok(*key))
                } else {
                    ControlFlow::Continue(())
                }
            });
            match ended {
                ControlFlow::Continue(()) => return None,
                ControlFlow::Break(Ok(key)) => return Some(key),
                ControlFlow::Break(Err(poor)) => priority = poor.checked_sub(1)?,
            }
        }
    }
}

impl Place {
    /// What has changed from this place to the next.
    pub(crate) fn turns(&self, next: &Place) -> impl Iterator<Item = Turn> {
        let status = match (self.blocked, next.blocked) {
            (false, true) => Some(Turn::Blocked),
            (true, false) => Some(Turn::Freed),
            _ => None,
        };
        let open = !self.blocked && !next.blocked;
        let spots = self.classes.iter().zip(&next.classes).enumerate();
        let windows = spots.filter(move |_| open).filter_map(|(index, (before, after))| {
            match (before.usable.is_some(), after.usable.is_some()) {
                (true, false) => Some(Turn::Emptied(ClassId::new(index))),
                (false, true) => Some(Turn::Filled(ClassId::new(index))),
                _ => None,
            }
        });
        status.into_iter().chain(windows)
    }
}
