//! Finds the best account without looking at all of them.
//!
//! Per class, an ordered set of the accounts that could serve a request of one unit now, and a count of those that
//! could but for a free slot. Whatever changes by itself with time is in `timers`, so nothing is ever stale.

use std::collections::BTreeSet;

use grok2api_storage::accounts::Tier;
use uuid::Uuid;

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
}

#[derive(Debug, Default)]
struct Class {
    queue: BTreeSet<Key>,
    /// Per tier, accounts that lack at most a free slot.
    usable: [usize; Tier::ALL.len()],
}

/// Where one account stands, to find it again.
#[derive(Debug, Default)]
pub(crate) struct Place {
    classes: Vec<Spot>,
    timer: Option<i64>,
}

#[derive(Debug)]
struct Spot {
    key: Option<Key>,
    usable: Option<Tier>,
}

impl Index {
    /// Puts an account where it belongs now.
    pub(crate) fn place(
        &mut self,
        account: &Account,
        classes: &Classes,
        concurrency: u32,
        now: i64,
    ) -> Place {
        let spots = classes.ids().map(|class| self.enter(account, class, concurrency, now)).collect();
        let timer = account.next_change();
        if let Some(at) = timer {
            self.timers.insert((at, account.stored.id));
        }
        Place { classes: spots, timer }
    }

    /// Takes it out again.
    pub(crate) fn remove(&mut self, id: Uuid, place: &Place) {
        for (class, spot) in self.classes.iter_mut().zip(&place.classes) {
            if let Some(key) = &spot.key {
                class.queue.remove(key);
            }
            if let Some(tier) = spot.usable {
                class.usable[tier as usize] -= 1;
            }
        }
        if let Some(at) = place.timer {
            self.timers.remove(&(at, id));
        }
    }

    /// The next account that has changed by itself.
    pub(crate) fn next_changed(&self, now: i64) -> Option<Uuid> {
        self.timers.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Accounts of a class, from a tier upwards, that lack at most a free slot.
    pub(crate) fn usable(&self, class: ClassId, minimum: Tier) -> usize {
        self.classes.get(class.index()).map_or(0, |class| class.usable[minimum as usize..].iter().sum())
    }

    /// Candidates of one tier, best first. They may lack units for the request, and may have been tried.
    pub(crate) fn candidates(&self, class: ClassId, tier: Tier) -> impl Iterator<Item = &Key> {
        let queue = self.classes.get(class.index()).map(|class| class.queue.range(Key::first(tier)..));
        queue.into_iter().flatten().take_while(move |key| key.tier == tier)
    }

    fn enter(&mut self, account: &Account, class: ClassId, concurrency: u32, now: i64) -> Spot {
        if self.classes.len() <= class.index() {
            self.classes.resize_with(class.index() + 1, Class::default);
        }
        let sets = &mut self.classes[class.index()];
        let request = Request { class, cost: 1, minimum_tier: Tier::Basic, exclude: &[], concurrency };
        let verdict = eligible(account, &request, now);
        let usable = matches!(verdict, Ok(()) | Err(Reason::Saturated)).then_some(account.stored.tier);
        if let Some(tier) = usable {
            sets.usable[tier as usize] += 1;
        }
        let key = verdict.is_ok().then(|| order::key(account, class));
        sets.queue.extend(key);
        Spot { key, usable }
    }
}
