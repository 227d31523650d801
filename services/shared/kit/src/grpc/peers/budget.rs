//! How many calls may be made again: a fifth of all, so that a role in trouble is not asked twice as much as before.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a repetition costs, and what each call pays in.
const COST: u32 = 5;
const DEPOSIT: u32 = 1;
/// Ten repetitions are always possible after a while without any.
const MOST: u32 = 10 * COST;

/// A token bucket that calls fill and repetitions empty.
pub(super) struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(MOST))
    }
}

impl Budget {
    /// A call is made.
    pub(super) fn deposit(&self) {
        self.update(|level| Some((level + DEPOSIT).min(MOST)));
    }

    /// Whether one may be made again.
    pub(super) fn withdraw(&self) -> bool {
        self.update(|level| level.checked_sub(COST))
    }

    fn update(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_first_and_a_fifth_of_the_calls_later() {
        let budget = Budget::default();
        assert_eq!((0..20).filter(|_| budget.withdraw()).count(), 10);
        (0..100).for_each(|_| budget.deposit());
        assert_eq!((0..20).filter(|_| budget.withdraw()).count(), 10, "it does not grow without end");
        let repeated = (0..100).filter(|_| {
            budget.deposit();
            budget.withdraw()
        });
        assert_eq!(repeated.count(), 20);
    }
}
