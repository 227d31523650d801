//! A window and its row in the store: what is written, what is read, and what others have written.

use std::collections::VecDeque;

use grok2api_storage::accounts::{StoredWindow, WindowSource};

use super::Window;
use crate::policy::{FORGETTABLE_SHARE, LONGEST_READING_MS, LOW_UNITS, RECHECK_MS};

/// Units spent lately, second by second: tells what another process cannot have seen when it read the quota.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recent(VecDeque<(i64, u32)>);

impl Recent {
    pub(super) fn add(&mut self, units: u32, now: i64) {
        let second = now / 1000;
        while self.0.pop_front_if(|(at, _)| (*at + 1) * 1000 + LONGEST_READING_MS <= now).is_some() {}
        match self.0.back_mut().filter(|(at, _)| *at == second) {
            Some((_, spent)) => *spent += units,
            None => self.0.push_back((second, units)),
        }
    }

    /// All that was spent from that time on, and perhaps a little more; of what is long ago nothing is known.
    fn since(&self, at: i64) -> u32 {
        self.0.iter().filter(|(second, _)| *second >= at.div_euclid(1000)).map(|(_, units)| units).sum()
    }
}

/// Units that were taken and that the row in the store does not tell of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unkept {
    units: u32,
    /// As many as there may be, by what the row says of the window; any number while it says nothing.
    most: Option<u32>,
    /// Of the row that is being written: how many it tells of, and how many there may be once it is in the store.
    noted: Option<(u32, Option<u32>)>,
}

impl Unkept {
    pub(super) fn take(&mut self, units: u32) {
        self.units = self.units.saturating_add(units);
    }
}

/// As much of a window as a crash may forget; of one that the store does not know, nothing can be.
fn forgettable(window: &StoredWindow) -> Option<u32> {
    window.remaining.map(|_| (window.total.unwrap_or_default() / FORGETTABLE_SHARE).max(LOW_UNITS))
}

impl Window {
    /// Whether so many units more would be more than a crash may forget.
    pub(crate) fn runs_ahead(&self, units: u32) -> bool {
        let Unkept { units: unkept, most, .. } = self.unkept;
        // What costs more than that goes alone.
        unkept > 0 && most.is_some_and(|most| unkept.saturating_add(units) > most)
    }

    /// Whether it has come so near to that that its row should be written: half of it is gone, or the dearest ordinary
    /// request would have to wait.
    pub(crate) fn presses(&self) -> bool {
        self.unkept.most.is_some_and(|most| self.unkept.units > most.saturating_sub(LOW_UNITS).min(most / 2))
    }

    /// Its row is about to be written. Whether it arrives or not, no more is taken than either row allows.
    pub(crate) fn note(&mut self) {
        let most = forgettable(&self.stored());
        self.unkept.noted = Some((self.unkept.units, most));
        self.unkept.most = [self.unkept.most, most].into_iter().flatten().min();
    }

    /// Its row is in the store.
    pub(crate) fn keep(&mut self) {
        if let Some((noted, most)) = self.unkept.noted.take() {
            self.unkept = Unkept { units: self.unkept.units.saturating_sub(noted), most, noted: None };
        }
    }

    /// The store has this row, whoever wrote it: what it promises and is gone, it does not know.
    pub(crate) fn promised(&mut self, row: &StoredWindow) {
        let promised = row.remaining.unwrap_or_default();
        let gone = promised.saturating_sub(self.available().unwrap_or(promised));
        self.unkept.units = self.unkept.units.max(gone);
        self.unkept.most = forgettable(row);
    }

    /// As [`Window::adopt`], from a process that died before it had written all: as much as a crash forgets at most
    /// counts as spent. That is written down before more is taken, or a second crash would forget it again.
    pub(crate) fn salvage(&mut self, stored: &StoredWindow, now: i64) {
        self.adopt(stored);
        let Some(forgotten) = self.unkept.most else { return };
        // What was taken last may have been taken after this reset.
        self.roll(now);
        self.spend(forgotten, now);
        self.unkept.take(forgotten);
        self.doubt();
    }

    /// As it is kept: reserved units count as spent, so a crash can lose units but never invent them.
    pub(crate) fn stored(&self) -> StoredWindow {
        StoredWindow {
            total: self.total,
            remaining: self.available(),
            length_ms: self.length_ms,
            reset_at: self.reset_at,
            closed_until: self.closed_until,
            source: self.source,
            observed_at: self.observed_at,
        }
    }

    /// Becomes what the store says, for a window that nobody uses here.
    pub(crate) fn adopt(&mut self, stored: &StoredWindow) {
        self.shut(stored.closed_until);
        self.unkept = Unkept { most: forgettable(stored), ..Unkept::default() };
        self.total = stored.total;
        self.remaining = stored.remaining;
        self.length_ms = stored.length_ms;
        self.reset_at = stored.reset_at;
        self.source = stored.source;
        self.observed_at = stored.observed_at;
        self.recheck_at = if self.is_low() { stored.observed_at + RECHECK_MS } else { 0 };
    }

    /// Takes over what another process made of the row that was `before`. What is used here is counted here: of the
    /// other's numbers only a newer reading is news, and that tells nothing of what is in flight here, nor of what was
    /// spent here while it was made.
    pub(crate) fn merge(&mut self, before: &StoredWindow, row: &StoredWindow, now: i64) {
        let unused = self.spent == 0 && self.reserved == 0;
        if unused && row.observed_at >= self.observed_at {
            return self.adopt(row);
        }
        if row.closed_until != before.closed_until {
            self.shut(row.closed_until);
        }
        let read = row.source == WindowSource::Upstream && row.observed_at > self.observed_at;
        if read || self.remaining.is_none() {
            self.read_elsewhere(row, now);
        }
    }

    fn read_elsewhere(&mut self, row: &StoredWindow, now: i64) {
        // It began earlier than it was noted, perhaps by a clock that is not ours.
        let meanwhile = self.recent.since(row.observed_at.min(now) - LONGEST_READING_MS);
        self.total = row.total;
        self.remaining = row.remaining.map(|remaining| remaining.saturating_sub(meanwhile));
        self.length_ms = row.length_ms;
        self.reset_at = row.reset_at;
        if self.reset_at == 0 && meanwhile > 0 && self.length_ms > 0 {
            self.reset_at = now + self.length_ms;
        }
        self.source = row.source;
        self.observed_at = row.observed_at;
        self.doubtful = meanwhile > 0 || self.reserved > 0;
        self.recheck_at = if self.is_low() { now + RECHECK_MS } else { 0 };
        (self.suspect, self.read_error) = (None, None);
    }

    fn shut(&mut self, until: i64) {
        (self.closed_until, self.guessed) = (until, false);
    }
}
