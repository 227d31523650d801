//! The window of a minute in memory. Pure. `limiter.lua` is the same in Redis.

use std::collections::VecDeque;

use super::Gauge;

/// Milliseconds of a slice.
pub(super) const SLICE: i64 = 100;
/// Slices of a minute.
pub(super) const SLICES: i64 = 600;

/// What was counted in the last minute.
#[derive(Debug, Default)]
pub struct Window {
    /// By the number of the slice, in order; none is empty.
    slices: VecDeque<(i64, u64)>,
    total: u64,
}

/// When a slice is wholly out: a minute after its last moment.
fn out_at(slice: i64) -> i64 {
    (slice + 1 + SLICES) * SLICE
}

impl Window {
    /// Lets time pass, and tells what is counted now.
    pub fn used(&mut self, now: i64) -> u64 {
        while let Some((slice, amount)) = self.slices.front().copied()
            && out_at(slice) <= now
        {
            self.total -= amount;
            self.slices.pop_front();
        }
        self.total
    }

    /// Counts something now.
    pub fn add(&mut self, now: i64, amount: u64) {
        if amount == 0 {
            return;
        }
        self.total += amount;
        // A clock that goes back counts in the newest slice.
        let slice = now.div_euclid(SLICE);
        match self.slices.back_mut() {
            Some((newest, counted)) if *newest >= slice => *counted += amount,
            _ => self.slices.push_back((slice, amount)),
        }
    }

    /// Takes back what was counted at that time, if it is still counted.
    pub fn take_back(&mut self, at: i64, amount: u64) {
        let at = self.slices.binary_search_by_key(&at.div_euclid(SLICE), |(slice, _)| *slice);
        let Ok(at) = at else { return };
        let counted = &mut self.slices[at].1;
        let taken = amount.min(*counted);
        *counted -= taken;
        self.total -= taken;
        if *counted == 0 {
            self.slices.remove(at);
        }
    }

    /// How it stands against a limit, now that [`used`](Self::used) was asked.
    pub fn gauge(&self, limit: u64) -> Gauge {
        let (mut left, mut frees_at) = (self.total, 0);
        for (slice, amount) in &self.slices {
            if left < limit {
                break;
            }
            left -= amount;
            frees_at = out_at(*slice);
        }
        let empty_at = self.slices.back().map_or(0, |(slice, _)| out_at(*slice));
        Gauge { used: self.total, frees_at, empty_at }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_counted_is_out_after_a_minute_and_its_slice() {
        let mut window = Window::default();
        window.add(1_050, 3);
        window.add(1_150, 1);
        assert_eq!(window.gauge(5), Gauge { used: 4, frees_at: 0, empty_at: 61_200 });
        assert_eq!(window.gauge(4).frees_at, 61_100);
        assert_eq!(window.gauge(1).frees_at, 61_200);
        assert_eq!((window.used(61_099), window.used(61_100), window.used(61_200)), (4, 1, 0));
        assert_eq!(window.gauge(1), Gauge::default());
    }

    #[test]
    fn what_is_taken_back_is_counted_no_more() {
        let mut window = Window::default();
        window.add(0, 3);
        window.add(500, 2);
        window.take_back(99, 2);
        window.take_back(300, 7);
        assert_eq!(window.used(500), 3);
        window.take_back(0, 1);
        assert_eq!((window.used(500), window.gauge(1).frees_at), (2, 60_600));
    }

    proptest! {
        /// Whatever minute one looks at, and however the callers come: never more than the limit.
        #[test]
        fn no_minute_holds_more_than_the_limit(
            limit in 1_u64..40,
            steps in prop::collection::vec(0_i64..9_000, 1..400),
        ) {
            let (mut window, mut now, mut admitted) = (Window::default(), 0, Vec::new());
            for step in steps {
                // Many at once, then some time.
                now += if step < 6_000 { step % 7 } else { step };
                if window.used(now) < limit {
                    window.add(now, 1);
                    admitted.push(now);
                } else {
                    // Whoever is told to wait gets in then, and waits no longer than a slice too long.
                    let at = window.gauge(limit).frees_at;
                    let since = |from: i64| admitted.iter().filter(|then| **then >= from).count() as u64;
                    prop_assert!(at > now && since(at - 60_000) < limit && since(at - 60_000 - SLICE) >= limit);
                }
            }
            for (index, first) in admitted.iter().enumerate() {
                let in_minute = admitted[index..].iter().take_while(|at| **at < first + 60_000).count();
                prop_assert!(in_minute as u64 <= limit);
            }
        }
    }
}
