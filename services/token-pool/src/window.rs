//! The ledger of one quota window. Pure: the time is an argument.
//!
//! Units are reserved before a request is sent and spent or given back when it ends, so that what is reserved and
//! spent together never exceeds what the upstream granted. A reading of the upstream does not say which of the
//! units in flight it has counted already: it is taken as if it had counted none, which can only be too careful,
//! and read again once nothing is in flight.

mod fields;
mod kept;

use std::sync::Arc;

use grok2api_storage::accounts::WindowSource;

use kept::{Recent, Unkept};

use crate::policy::{BURST_PAUSE_MS, IMPLAUSIBLE_SHRINK, LOW_UNITS, RECHECK_MS};

/// One window of one account. Times are epoch milliseconds, 0 for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) total: Option<u32>,
    /// Granted and not spent; the reserved ones are among them.
    pub(crate) remaining: Option<u32>,
    pub(crate) reserved: u32,
    pub(crate) length_ms: i64,
    pub(crate) reset_at: i64,
    pub(crate) closed_until: i64,
    pub(crate) source: WindowSource,
    pub(crate) observed_at: i64,
    /// What the upstream called it at the last lease.
    pub(crate) rate_limit_name: Option<Arc<str>>,
    /// The closure's end is our guess, not the upstream's word.
    guessed: bool,
    /// The numbers may be too low: units were in flight when they were read.
    doubtful: bool,
    /// When to look whether it has refilled meanwhile.
    recheck_at: i64,
    /// Number of the last reading among all of the pool; 0 for none.
    pub(crate) read_number: u64,
    /// Why that was not taken over, if it was not.
    pub(crate) read_error: Option<Box<str>>,
    /// The total of a reading that was not believed.
    suspect: Option<u32>,
    /// Every unit spent since the start: tells what was spent during a reading.
    spent: u64,
    recent: Recent,
    /// What was taken without the store's knowing: a crash would forget it.
    unkept: Unkept,
}

/// What the upstream reports of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) total: u32,
    pub(crate) remaining: u32,
    pub(crate) length_ms: i64,
}

/// Where the ledger stood when a reading began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

impl Window {
    /// Units that can be reserved now; nothing while unknown.
    pub(crate) fn available(&self) -> Option<u32> {
        self.remaining.map(|remaining| remaining.saturating_sub(self.reserved))
    }

    /// Whether the upstream should be asked: nothing is known, or only a lower bound.
    pub(crate) fn wants_reading(&self) -> bool {
        self.remaining.is_none() || (self.doubtful && self.reserved == 0)
    }

    /// Open and exactly known.
    pub(crate) fn is_settled(&self) -> bool {
        self.remaining.is_some() && !self.doubtful && self.closed_until == 0
    }

    /// Remembers what the upstream calls it.
    pub(crate) fn name(&mut self, rate_limit_name: &str) {
        if !rate_limit_name.is_empty() && self.rate_limit_name.as_deref() != Some(rate_limit_name) {
            self.rate_limit_name = Some(rate_limit_name.into());
        }
    }

    pub(crate) fn reserve(&mut self, units: u32) {
        self.reserved += units;
        self.unkept.take(units);
    }

    /// A turn takes more than was reserved for it.
    pub(crate) fn overrun(&mut self, units: u32) {
        self.unkept.take(units);
    }

    /// Gives reserved units back.
    pub(crate) fn refund(&mut self, units: u32) {
        self.reserved = self.reserved.saturating_sub(units);
    }

    /// Takes units for good; what was reserved for them has been given back.
    pub(crate) fn spend(&mut self, units: u32, now: i64) {
        self.spent += u64::from(units);
        self.recent.add(units, now);
        if let Some(remaining) = self.remaining {
            self.remaining = Some(remaining.saturating_sub(units));
            if self.reset_at == 0 && self.length_ms > 0 {
                self.reset_at = now + self.length_ms;
            }
            if self.is_low() && self.recheck_at == 0 {
                self.recheck_at = now + RECHECK_MS;
            }
        }
    }

    /// Shuts the window; `guessed` when the upstream named no time.
    pub(crate) fn close(&mut self, until: i64, guessed: bool) {
        self.closed_until = self.closed_until.max(until);
        self.guessed = guessed;
    }

    /// Opens it again by hand.
    pub(crate) fn open(&mut self) {
        (self.closed_until, self.guessed) = (0, false);
    }

    /// Lets time pass. Returns whether the truth should be read: a reset came due and was taken for granted, or a
    /// nearly empty window may have refilled earlier than thought.
    pub(crate) fn roll(&mut self, now: i64) -> bool {
        if self.closed_until != 0 && self.closed_until <= now {
            self.open();
        }
        let recheck = self.recheck_at != 0 && self.recheck_at <= now;
        if recheck {
            self.recheck_at = 0;
        }
        let reset = self.reset_at != 0 && self.reset_at <= now;
        if reset {
            self.remaining = self.total;
            self.source = if self.total.is_some() { WindowSource::Local } else { WindowSource::Unknown };
            (self.reset_at, self.recheck_at) = (0, 0);
            self.doubtful = self.reserved > 0;
        }
        reset || recheck
    }

    /// When it changes by itself.
    pub(crate) fn next_change(&self) -> Option<i64> {
        [self.closed_until, self.reset_at, self.recheck_at].into_iter().filter(|at| *at != 0).min()
    }

    /// Begins a reading.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.spent)
    }

    /// Adopts a reading that began at `mark`. A window that has shrunk beyond belief is believed once the upstream acts
    /// as it says: it has refused to serve, and says the same again. However often it only says so, the ledger stands.
    ///
    /// # Errors
    /// What cannot be believed; nothing is changed then.
    pub(crate) fn observe(&mut self, reading: Reading, mark: Mark, now: i64) -> Result<(), String> {
        let known = self.total.unwrap_or_default();
        if reading.total < known / IMPLAUSIBLE_SHRINK
            && !(self.suspect.replace(reading.total) == Some(reading.total) && self.closed_until > now)
        {
            let Reading { total, remaining, .. } = reading;
            let left = self.remaining.unwrap_or_default();
            return Err(format!(
                "implausible: {remaining} of {total} units are reported to be left, {left} of {known} are known to be"
            ));
        }
        self.suspect = None;
        let meanwhile = u32::try_from(self.spent.saturating_sub(mark.0)).unwrap_or(u32::MAX);
        let remaining = reading.remaining.saturating_sub(meanwhile);
        let latest_reset = now + reading.length_ms;
        let refilled = self.remaining.is_some_and(|known| reading.remaining > known);
        let known_reset = !refilled && (now + 1..=latest_reset).contains(&self.reset_at);
        if remaining == reading.total {
            self.reset_at = 0;
        } else if !known_reset {
            self.reset_at = latest_reset;
        }
        if self.guessed && reading.remaining > 0 {
            self.closed_until = self.closed_until.min(now + BURST_PAUSE_MS);
        }
        self.total = Some(reading.total);
        self.remaining = Some(remaining);
        self.length_ms = reading.length_ms;
        self.source = WindowSource::Upstream;
        self.observed_at = now;
        self.doubtful = meanwhile > 0 || self.reserved > 0;
        self.recheck_at = if self.is_low() { now + RECHECK_MS } else { 0 };
        Ok(())
    }

    /// A reading has come to its end; one that began before it may do so later.
    pub(crate) fn told(&mut self, number: u64) {
        self.read_number = self.read_number.max(number);
    }

    /// Its numbers are taken for granted for now: to be read once it is used.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Its leases are lost: their units count as spent, and the truth is to be read once it is used.
    pub(crate) fn orphan(&mut self) {
        self.remaining = self.available();
        (self.reserved, self.read_number) = (0, 0);
        if self.remaining != self.total {
            self.doubt();
        }
    }

    /// Too little is left for the dearest request.
    pub(crate) fn is_low(&self) -> bool {
        self.remaining.is_some_and(|units| units < LOW_UNITS.min(self.total.unwrap_or(LOW_UNITS)))
    }
}

#[cfg(test)]
mod tests;
