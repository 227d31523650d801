//! One account in the pool: what is kept of it, and what is hot. Pure: the time is an argument.

mod fields;

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{Status, StoredAccount, StoredFailure, StoredWindow};

pub(crate) use fields::{Fields, Stamp};

use crate::{
    classes::{ClassId, Classes},
    policy::{self, Effect, HISTORY, IDLE_MS},
    wanted::{Settlement, Spent},
    window::Window,
};

/// An account with its live state. Who and what it is stands in `stored`; status, windows and last use there are
/// those last seen in the store, and the fields beside it are newer.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) stored: StoredAccount,
    pub(crate) status: Status,
    pub(crate) last_used_at: Option<i64>,
    pub(crate) in_flight: u32,
    windows: Vec<Window>,
    /// Newest last.
    pub(crate) failures: Vec<StoredFailure>,
    /// What its last rest is for.
    rests_for: Option<Outcome>,
    /// Failures in a row that were counted.
    in_a_row: u32,
    /// When the last strike fell.
    struck_at: Option<i64>,
    /// When it was last blamed: leases older than that are part of the same incident.
    blamed_at: i64,
    /// Which state of the shared one this is; nothing where it is not shared.
    pub(crate) stamp: Stamp,
}

/// What an account is blamed for.
#[derive(Clone, Debug)]
pub(crate) struct Blame {
    pub(crate) outcome: Outcome,
    pub(crate) effect: Effect,
    pub(crate) class: ClassId,
    /// When the attempt began.
    pub(crate) began_at: i64,
    pub(crate) retry_after_ms: Option<i64>,
    pub(crate) cause: String,
}

impl Blame {
    /// What a turn that began then says of its account.
    pub(crate) fn of(settlement: &Settlement, class: ClassId, began_at: i64) -> Self {
        Self {
            outcome: settlement.outcome,
            effect: policy::rule(settlement.outcome).effect,
            class,
            began_at,
            retry_after_ms: settlement.retry_after_ms,
            cause: settlement.cause.clone(),
        }
    }
}

impl Account {
    /// An account of the store; after a crash, whoever wrote it may have taken units without writing that down.
    pub(crate) fn load(stored: StoredAccount, classes: &mut Classes, crashed: bool, now: i64) -> Self {
        let mut account = Self {
            status: stored.status.clone(),
            last_used_at: stored.last_used_at,
            in_flight: 0,
            windows: Vec::new(),
            failures: stored.failures.clone(),
            rests_for: None,
            in_a_row: 0,
            struck_at: None,
            blamed_at: 0,
            stamp: Stamp::default(),
            stored,
        };
        for (name, window) in account.stored.windows.clone() {
            let live = account.window_mut(classes.intern(&name));
            if crashed {
                live.salvage(&window, now);
                continue;
            }
            live.adopt(&window);
            // Whoever wrote it may have died before its last units were written, or with units in flight.
            if window.remaining != window.total {
                live.doubt();
            }
        }
        account.rests_for = account.last_penalty();
        account
    }

    /// Whether nobody has used it for so long that it is not read of our own accord.
    pub(crate) fn is_idle(&self, now: i64) -> bool {
        self.last_used_at.unwrap_or_default().max(self.stored.created_at) + IDLE_MS <= now
    }

    /// What it rests for, while it does.
    pub(crate) fn resting_for(&self) -> Option<Outcome> {
        self.rests_for.filter(|_| matches!(self.status, Status::Cooling { .. }))
    }

    /// Whether the upstream has refused the credential for good.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.status, Status::Invalid { .. } | Status::Banned { .. })
    }

    /// The window of a class; an unknown one when nothing was ever heard of it.
    pub(crate) fn window(&self, class: ClassId) -> &Window {
        static UNKNOWN: std::sync::LazyLock<Window> = std::sync::LazyLock::new(Window::default);
        self.windows.get(class.index()).unwrap_or(&UNKNOWN)
    }

    pub(crate) fn window_mut(&mut self, class: ClassId) -> &mut Window {
        if self.windows.len() <= class.index() {
            self.windows.resize_with(class.index() + 1, Window::default);
        }
        &mut self.windows[class.index()]
    }

    /// Lets time pass. Returns the classes to read now: their reset came due. What nobody has used for long is read
    /// once it is used.
    pub(crate) fn roll(&mut self, now: i64) -> Vec<ClassId> {
        let idle = self.is_idle(now);
        if matches!(self.status, Status::Cooling { until, .. } if until <= now) {
            self.status = Status::Active;
        }
        let rolled = self.windows.iter_mut().enumerate().filter_map(|(index, window)| {
            let due = window.roll(now);
            if due && idle {
                window.doubt();
            }
            (due && !idle).then_some(ClassId::new(index))
        });
        rolled.collect()
    }

    /// When it changes by itself.
    pub(crate) fn next_change(&self) -> Option<i64> {
        let rested = match self.status {
            Status::Cooling { until, .. } => Some(until),
            _ => None,
        };
        self.windows.iter().filter_map(Window::next_change).chain(rested).min()
    }

    /// Applies one row of the policy. Returns whether the credential should be probed.
    pub(crate) fn blame(&mut self, blame: &Blame, now: i64) -> bool {
        let new_incident = blame.began_at >= self.blamed_at;
        match blame.effect {
            Effect::Nothing | Effect::Absolve => {}
            Effect::CloseWindow { default_ms, longest_ms } => {
                self.close_window(blame, default_ms, longest_ms, now);
                return true;
            }
            Effect::Cool { first_ms, longest_ms } if new_incident => {
                let graded = first_ms.saturating_mul(1 << self.in_a_row.min(20)).min(longest_ms);
                (self.in_a_row, self.blamed_at) = (self.in_a_row + 1, now);
                self.cool(now + blame.retry_after_ms.unwrap_or(graded).min(longest_ms), blame);
            }
            Effect::Pause { ms } => self.cool(now + ms, blame),
            Effect::Strike { within_ms } if new_incident => return self.strike(within_ms, &blame.cause, now),
            Effect::Ban => {
                self.blamed_at = now;
                self.status = Status::Banned { since: now, cause: blame.cause.clone() };
            }
            Effect::Cool { .. } | Effect::Strike { .. } => {}
        }
        false
    }

    /// Forgets strikes and failures.
    pub(crate) fn absolve(&mut self) {
        (self.in_a_row, self.struck_at) = (0, None);
    }

    /// Takes a slot and units for a request.
    pub(crate) fn reserve(&mut self, class: ClassId, units: u32, rate_limit_name: &str, now: i64) {
        self.in_flight += 1;
        self.last_used_at = Some(now);
        let window = self.window_mut(class);
        window.reserve(units);
        window.name(rate_limit_name);
    }

    /// Gives the slot back, and the units unless they are spent. Returns whether the window should be read.
    pub(crate) fn end(&mut self, class: ClassId, reserved: u32, spent: Option<Spent>, now: i64) -> bool {
        self.in_flight = self.in_flight.saturating_sub(1);
        let window = self.window_mut(class);
        window.refund(reserved);
        match spent {
            Some(Spent::Reserved) => window.spend(reserved, now),
            Some(Spent::Known(units)) => {
                window.overrun(units.saturating_sub(reserved));
                window.spend(units, now);
            }
            None => {}
        }
        window.wants_reading()
    }

    /// Whether there are strikes or failures to forget.
    pub(crate) fn is_struck(&self) -> bool {
        self.in_a_row > 0 || self.struck_at.is_some()
    }

    /// As it is once its leases are lost: their units count as spent.
    pub(crate) fn orphaned(&self) -> Self {
        let mut orphan = self.clone();
        orphan.in_flight = 0;
        orphan.windows.iter_mut().for_each(Window::orphan);
        orphan
    }

    /// Remembers for the operator what it is blamed for, if that is a failure.
    pub(crate) fn record(&mut self, blame: &Blame, penalised: bool, now: i64) {
        if policy::is_failure(blame.outcome) {
            self.remember(StoredFailure {
                at: now,
                outcome: blame.outcome.as_str_name().to_owned(),
                cause: blame.cause.clone(),
                penalised,
            });
        }
    }

    fn remember(&mut self, failure: StoredFailure) {
        self.failures.push(failure);
        let surplus = self.failures.len().saturating_sub(HISTORY);
        self.failures.drain(..surplus);
    }

    /// Ends every blocking state by hand. Returns whether there was one.
    pub(crate) fn clear(&mut self) -> bool {
        let blocked =
            self.status != Status::Active || self.windows.iter().any(|window| window.closed_until != 0);
        self.status = Status::Active;
        self.windows.iter_mut().for_each(Window::open);
        self.absolve();
        blocked
    }

    fn close_window(&mut self, blame: &Blame, default_ms: i64, longest_ms: i64, now: i64) {
        let window = self.window_mut(blame.class);
        let reset = (window.reset_at > now).then_some(window.reset_at);
        let until = match blame.retry_after_ms {
            Some(wait) => now.saturating_add(wait),
            None => reset.unwrap_or(now + default_ms),
        };
        window.close(until.min(now + longest_ms), blame.retry_after_ms.is_none());
    }

    /// A rest never shortens another one and never softens "invalid" or "banned".
    fn cool(&mut self, until: i64, blame: &Blame) {
        match &self.status {
            Status::Invalid { .. } | Status::Banned { .. } => {}
            Status::Cooling { until: later, .. } if *later >= until => {}
            _ => {
                self.status = Status::Cooling { until, cause: blame.cause.clone() };
                self.rests_for = Some(blame.outcome);
            }
        }
    }

    fn strike(&mut self, within_ms: i64, cause: &str, now: i64) -> bool {
        let second = self.struck_at.is_some_and(|at| now - at <= within_ms);
        (self.struck_at, self.blamed_at) = (Some(now), now);
        if second && !matches!(self.status, Status::Banned { .. }) {
            self.status = Status::Invalid { since: now, cause: cause.to_owned() };
        }
        !second
    }

    /// The store has the row that it is known by.
    pub(crate) fn promised(&mut self, classes: &Classes) {
        for (index, window) in self.windows.iter_mut().enumerate() {
            let row = self.stored.windows.get(classes.name(ClassId::new(index)));
            window.promised(row.unwrap_or(&StoredWindow::default()));
        }
    }

    /// Its row is about to be written.
    pub(crate) fn note(&mut self) {
        self.windows.iter_mut().for_each(Window::note);
    }

    /// Its row is in the store.
    pub(crate) fn keep(&mut self) {
        self.windows.iter_mut().for_each(Window::keep);
    }

    /// Whether a window has come near to what may be taken before the store knows.
    pub(crate) fn presses(&self) -> bool {
        self.windows.iter().any(Window::presses)
    }

    /// The row to write: who it is as stored, the rest as it is now.
    pub(crate) fn row(&self, classes: &Classes) -> StoredAccount {
        let named = self
            .windows
            .iter()
            .enumerate()
            .map(|(index, window)| (classes.name(ClassId::new(index)).to_owned(), window.stored()));
        let windows = named.filter(|(_, window)| *window != StoredWindow::default()).collect();
        let stored = &self.stored;
        StoredAccount {
            id: stored.id,
            token: stored.token.clone(),
            tier: stored.tier,
            status: self.status.clone(),
            note: stored.note.clone(),
            tags: stored.tags.clone(),
            priority: stored.priority,
            enabled: stored.enabled,
            user_id: stored.user_id.clone(),
            windows,
            failures: self.failures.clone(),
            created_at: stored.created_at,
            last_used_at: self.last_used_at,
            deleted_at: stored.deleted_at,
            version: stored.version,
        }
    }

    /// Takes over a row that another process wrote: all that it changed there; what it left alone stays as it is
    /// here.
    pub(crate) fn merge(&mut self, row: StoredAccount, classes: &mut Classes, now: i64) {
        if row.status != self.stored.status {
            self.status = row.status.clone();
            self.absolve();
        }
        for (name, window) in &row.windows {
            let before = self.stored.windows.get(name).cloned().unwrap_or_default();
            if before != *window {
                self.window_mut(classes.intern(name)).merge(&before, window, now);
            }
        }
        self.last_used_at = self.last_used_at.max(row.last_used_at);
        if row.failures != self.stored.failures {
            let news = row.failures.iter().filter(|failure| !self.failures.contains(failure)).cloned();
            let news: Vec<StoredFailure> = news.collect();
            news.into_iter().for_each(|failure| self.remember(failure));
            self.failures.sort_by_key(|failure| failure.at);
            self.rests_for = self.last_penalty();
        }
        self.stored = row;
    }

    fn last_penalty(&self) -> Option<Outcome> {
        let last = self.failures.iter().rev().find(|failure| failure.penalised)?;
        Outcome::from_str_name(&last.outcome)
    }
}
