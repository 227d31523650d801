//! Accounts as lists show them: those that match, in an order, a page at a time. Pure.
//!
//! Everything is looked at, since any part of a text may be searched; what is looked at is kept small, so that the pool is
//! not held up for long.

use std::{cmp::Ordering, collections::HashMap};

use grok2api_proto::pool::{AccountSort, State};
use grok2api_storage::accounts::{Status, Tier};
use uuid::Uuid;

use super::Roster;
use crate::{
    account::Account,
    classes::{ClassId, Classes},
};

/// Which accounts; what is empty matches everything.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// In small letters.
    pub(crate) search: String,
    /// What the search is when it is a whole token, or a whole id.
    pub(crate) digest: Option<[u8; 32]>,
    pub(crate) id: Option<Uuid>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) states: Vec<State>,
    pub(crate) tags: Vec<String>,
    pub(crate) ids: Vec<Uuid>,
    pub(crate) dry: bool,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) sort: AccountSort,
    pub(crate) descending: bool,
}

/// What decides an account's place; ties are in the order of creation, which is that of the ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Number(i64),
    Text(String),
}

/// Where a page begins: behind this account.
pub(crate) type After = (Key, Uuid);

/// What is counted over more than a page.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) states: HashMap<State, u32>,
    pub(crate) tiers: HashMap<Tier, u32>,
    pub(crate) tags: HashMap<String, u32>,
    /// Over all accounts: those of which nothing is known because they were not used yet.
    pub(crate) unused: u32,
    /// Over all accounts, by class: units that are left, and of how many accounts.
    pub(crate) left: HashMap<ClassId, (u64, u32)>,
}

/// A page, and what lies around it.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) ids: Vec<Uuid>,
    /// Of the next page, when there is one.
    pub(crate) next: Option<After>,
    pub(crate) matching: usize,
    pub(crate) counts: Counts,
}

impl Roster {
    /// The accounts that match, behind `after`, at most `limit` (0: all).
    pub(crate) fn page(
        &self,
        filter: &Filter,
        order: Order,
        after: Option<&After>,
        limit: usize,
        counted: bool,
        now: i64,
    ) -> Page {
        let named = filter.id.or_else(|| self.by_token.get(&filter.digest?).copied());
        let (mut page, mut found) = (Page::default(), Vec::new());
        for account in self.looked_at(filter, counted) {
            let state = state(account, &self.classes, now);
            if counted {
                count_tags(&mut page.counts.tags, account);
                count_quotas(&mut page.counts, account, &self.classes);
            }
            if !filter.matches_text(account, named, &self.classes) {
                continue;
            }
            let (tier_fits, state_fits) = (filter.fits_tier(account.stored.tier), filter.fits_state(state));
            if counted && tier_fits {
                *page.counts.states.entry(state).or_default() += 1;
            }
            if counted && state_fits {
                *page.counts.tiers.entry(account.stored.tier).or_default() += 1;
            }
            if tier_fits && state_fits {
                page.matching += 1;
                let place = (key(account, order.sort, state, &self.classes), account.stored.id);
                if after.is_none_or(|after| order.compare(&place, after) == Ordering::Greater) {
                    found.push(place);
                }
            }
        }
        let wanted = if limit == 0 { found.len() } else { limit };
        if found.len() > wanted {
            found.select_nth_unstable_by(wanted, |one, other| order.compare(one, other));
            found.truncate(wanted);
            found.sort_unstable_by(|one, other| order.compare(one, other));
            page.next = found.last().cloned();
        } else {
            found.sort_unstable_by(|one, other| order.compare(one, other));
        }
        page.ids = found.into_iter().map(|(_, id)| id).collect();
        page
    }
}

impl Roster {
    /// Those that can match: where ids are named, nobody else is looked at.
    fn looked_at<'a>(
        &'a self,
        filter: &'a Filter,
        counted: bool,
    ) -> Box<dyn Iterator<Item = &'a Account> + 'a> {
        if filter.ids.is_empty() || counted {
            Box::new(self.accounts())
        } else {
            Box::new(filter.ids.iter().filter_map(|id| self.get(*id)))
        }
    }
}

impl Filter {
    fn fits_tier(&self, tier: Tier) -> bool {
        self.tiers.is_empty() || self.tiers.contains(&tier)
    }

    fn fits_state(&self, state: State) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// Everything but tier and state.
    fn matches_text(&self, account: &Account, named: Option<Uuid>, classes: &Classes) -> bool {
        let stored = &account.stored;
        (self.ids.is_empty() || self.ids.binary_search(&stored.id).is_ok())
            && (self.tags.is_empty() || self.tags.iter().any(|tag| stored.tags.contains(tag)))
            && (!self.dry || is_dry(account, classes))
            && (self.search.is_empty() || named == Some(stored.id) || self.finds(account))
    }

    fn finds(&self, account: &Account) -> bool {
        let stored = &account.stored;
        let holds = |text: &str| contains(text, &self.search);
        holds(&stored.note)
            || stored.tags.iter().any(|tag| holds(tag))
            || stored.user_id.as_deref().is_some_and(holds)
            || self.finds_masked(stored.token.expose(), holds)
    }
}

impl Filter {
    /// Whether the search finds what people see of a token, without masking every one.
    fn finds_masked(&self, token: &str, holds: impl Fn(&str) -> bool) -> bool {
        if self.search.contains('…') {
            return holds(&grok2api_proto::mask(token));
        }
        let ends = (token.get(..4), token.len().checked_sub(4).and_then(|at| token.get(at..)));
        token.len() >= 12 && matches!(ends, (Some(head), Some(tail)) if holds(head) || holds(tail))
    }
}

impl Order {
    fn compare(self, one: &After, other: &After) -> Ordering {
        let order = one.cmp(other);
        if self.descending { order.reverse() } else { order }
    }
}

/// What an operator wants to know of an account first.
pub(crate) fn state(account: &Account, classes: &Classes, now: i64) -> State {
    match account.status {
        _ if !account.stored.enabled => State::Disabled,
        Status::Cooling { .. } => State::Cooling,
        Status::Invalid { .. } => State::Invalid,
        Status::Banned { .. } => State::Banned,
        Status::Active => {
            let spent = |class| {
                let window = account.window(class);
                window.closed_until > now || window.remaining == Some(0)
            };
            if classes.of_tier(account.stored.tier).any(spent) { State::Exhausted } else { State::Active }
        }
    }
}

/// Whether a window has a tenth or less of its units.
fn is_dry(account: &Account, classes: &Classes) -> bool {
    classes.of_tier(account.stored.tier).any(|class| {
        let window = account.window(class);
        matches!((window.remaining, window.total), (Some(remaining), Some(total)) if remaining <= total / 10)
    })
}

fn key(account: &Account, sort: AccountSort, state: State, classes: &Classes) -> Key {
    let stored = &account.stored;
    Key::Number(match sort {
        // The ids that break ties are in the order of creation.
        AccountSort::Unspecified => 0,
        AccountSort::Tier => stored.tier as i64,
        AccountSort::State => i32::from(state).into(),
        AccountSort::Remaining => {
            let known = |class| account.window(class).remaining.map(i64::from);
            let left: Option<Vec<i64>> = classes.of_tier(stored.tier).map(known).collect();
            left.map_or(i64::MAX, |left| left.iter().sum())
        }
        AccountSort::LastUsed => account.last_used_at.unwrap_or_default(),
        AccountSort::Priority => stored.priority.into(),
        AccountSort::InFlight => account.in_flight.into(),
        AccountSort::Note => return Key::Text(stored.note.to_lowercase()),
    })
}

fn count_quotas(counts: &mut Counts, account: &Account, classes: &Classes) {
    let mut known = false;
    for class in classes.of_tier(account.stored.tier) {
        if let Some(remaining) = account.window(class).remaining {
            known = true;
            let (units, accounts) = counts.left.entry(class).or_default();
            *units += u64::from(remaining);
            *accounts += 1;
        }
    }
    counts.unused += u32::from(!known && account.status == Status::Active);
}

fn count_tags(counts: &mut HashMap<String, u32>, account: &Account) {
    for tag in &account.stored.tags {
        match counts.get_mut(tag) {
            Some(count) => *count += 1,
            None => drop(counts.insert(tag.clone(), 1)),
        }
    }
}

/// Whether a text holds another that is in small letters.
fn contains(text: &str, small: &str) -> bool {
    if text.is_ascii() && small.is_ascii() {
        let (text, small) = (text.as_bytes(), small.as_bytes());
        return text.windows(small.len()).any(|part| part.eq_ignore_ascii_case(small));
    }
    text.to_lowercase().contains(small)
}
