//! Sums: a row of counters that are added one by one, so that every store keeps them the same way.

use super::{Outcome, Row};

/// Counters of a distribution.
pub const SLOTS: usize = 20;
const OUTCOMES: usize = 1;
const FIRST_OUTPUT: usize = 20;
const DURATION: usize = FIRST_OUTPUT + SLOTS;
const COUNTERS: usize = DURATION + SLOTS;

/// The counters by the names they are kept under, in their order.
#[rustfmt::skip]
pub(crate) const NAMES: [&str; COUNTERS] = [
    "requests",
    "succeeded", "cancelled", "invalid", "refused", "limited", "unavailable", "upstream", "timed_out", "internal",
    "prompt_tokens", "completion_tokens", "reasoning_tokens", "units", "images", "videos",
    "output_ms", "first_output_ms", "duration_ms", "lost",
    "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9",
    "f10", "f11", "f12", "f13", "f14", "f15", "f16", "f17", "f18", "f19",
    "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9",
    "d10", "d11", "d12", "d13", "d14", "d15", "d16", "d17", "d18", "d19",
];

/// Longest time of a slot, milliseconds: 100 · 1.6^i. The last has no limit.
const BOUNDS: [u64; SLOTS - 1] = [
    100, 160, 256, 410, 655, 1_049, 1_678, 2_684, 4_295, 6_872, 10_995, 17_592, 28_147, 45_036, 72_058,
    115_292, 184_467, 295_148, 472_237,
];

/// What some requests add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals(pub(crate) [u64; COUNTERS]);

/// A distribution of times: how many fell into each slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram<'t>(&'t [u64]);

impl Default for Totals {
    fn default() -> Self {
        Self([0; COUNTERS])
    }
}

macro_rules! counters {
    ($( $(#[$doc:meta])* $name:ident = $at:literal; )*) => {
        impl Totals { $( $(#[$doc])* pub fn $name(&self) -> u64 { self.0[$at] } )* }
    };
}

counters! {
    /// All.
    requests = 0;
    /// Tokens in.
    prompt_tokens = 10;
    /// Tokens out.
    completion_tokens = 11;
    /// Of the tokens out.
    reasoning_tokens = 12;
    /// Charged to accounts.
    units = 13;
    /// Generated.
    images = 14;
    /// Generated.
    videos = 15;
    /// From the first output to the end, where the tokens out are known.
    output_ms = 16;
    /// From the start to the first output, of those that had one.
    first_output_ms = 17;
    /// From the start to the end.
    duration_ms = 18;
    /// Not recorded.
    unrecorded = 19;
}

impl Totals {
    /// One row's.
    pub fn of(row: &Row) -> Self {
        let mut totals = Self::default();
        let counters = &mut totals.0;
        counters[0] = 1;
        counters[OUTCOMES + row.outcome as usize - 1] = 1;
        counters[10] = row.prompt_tokens;
        counters[11] = row.completion_tokens;
        counters[12] = row.reasoning_tokens;
        counters[13] = row.units.into();
        counters[14] = row.images.into();
        counters[15] = row.videos.into();
        counters[18] = row.duration_ms;
        counters[DURATION + slot(row.duration_ms)] = 1;
        if let Some(first) = row.first_output_ms {
            if row.completion_tokens > 0 {
                counters[16] = row.duration_ms.saturating_sub(first);
            }
            counters[17] = first;
            counters[FIRST_OUTPUT + slot(first)] = 1;
        }
        totals
    }

    pub(crate) fn lost(count: u64) -> Self {
        let mut totals = Self::default();
        totals.0[19] = count;
        totals
    }

    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        for (mine, other) in self.0.iter_mut().zip(others.0) {
            *mine = mine.saturating_add(other);
        }
    }

    /// Of one outcome.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.0[OUTCOMES + outcome as usize - 1]
    }

    /// Times to the first output.
    pub fn first_output(&self) -> Histogram<'_> {
        Histogram(&self.0[FIRST_OUTPUT..DURATION])
    }

    /// Times to the end.
    pub fn duration(&self) -> Histogram<'_> {
        Histogram(&self.0[DURATION..])
    }
}

impl Histogram<'_> {
    /// How many times there are.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many fell into each slot.
    pub fn counts(&self) -> &[u64] {
        self.0
    }

    /// The time that `percent` of all do not exceed, in milliseconds, interpolated in its slot; nothing without any. The
    /// last slot tells its lower limit.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut below = 0;
        for (at, count) in self.0.iter().enumerate() {
            if below + count >= wanted {
                let low = at.checked_sub(1).map_or(0, |at| BOUNDS[at]);
                let high = BOUNDS.get(at).copied().unwrap_or(low);
                return Some(low + (high - low) * (wanted - below) / count);
            }
            below += count;
        }
        None
    }
}

fn slot(millis: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < millis)
}
