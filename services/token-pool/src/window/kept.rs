//! A window and its row in the store: what is written, what is read, and what others have written.

use std::collections::VecDeque;

use grok2api_storage::accounts::{StoredWindow, WindowSource};

use super::Window;
use crate::policy::{LONGEST_READING_MS, RECHECK_MS};

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

impl Window {
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
