//! One quota window: units, a size, and a reset. Pure: the time is an argument.

/// Units that come back all at once, `seconds` after the first one was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) total: u32,
    pub(crate) remaining: u32,
    pub(crate) seconds: u32,
    resets_at_ms: Option<u64>,
}

impl Window {
    /// A full window.
    pub(crate) const fn full(total: u32, seconds: u32) -> Self {
        Self { total, remaining: total, seconds, resets_at_ms: None }
    }

    /// Gives everything back when the reset is due.
    pub(crate) fn refill(&mut self, now_ms: u64) {
        if self.resets_at_ms.is_some_and(|reset| now_ms >= reset) {
            self.remaining = self.total;
            self.resets_at_ms = None;
        }
    }

    /// Takes `cost` units, or none when fewer are left. Returns whether they were taken.
    pub(crate) fn charge(&mut self, cost: u32, now_ms: u64) -> bool {
        self.refill(now_ms);
        let Some(left) = self.remaining.checked_sub(cost) else { return false };
        self.set_remaining(left, now_ms);
        true
    }

    /// Sets what is left; a window that is not full begins to run.
    pub(crate) fn set_remaining(&mut self, left: u32, now_ms: u64) {
        self.remaining = left;
        if left < self.total && self.resets_at_ms.is_none() {
            self.resets_at_ms = Some(now_ms + u64::from(self.seconds) * 1000);
        }
    }

    /// Changes the size; a running window ends that long from now.
    pub(crate) fn resize(&mut self, seconds: u32, now_ms: u64) {
        self.seconds = seconds;
        if self.resets_at_ms.is_some() {
            self.resets_at_ms = Some(now_ms + u64::from(seconds) * 1000);
        }
    }

    /// Milliseconds until the refill, if one is due.
    pub(crate) fn resets_in_ms(&self, now_ms: u64) -> Option<u64> {
        self.resets_at_ms.map(|reset| reset.saturating_sub(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_exactly_its_total_and_refills_once_due() {
        let mut window = Window::full(10, 60);
        assert!(window.charge(4, 1_000));
        assert!(window.charge(4, 2_000));
        assert!(!window.charge(4, 3_000), "two units do not pay for four");
        assert_eq!(window.remaining, 2, "a refused charge takes nothing");
        assert_eq!(window.resets_in_ms(3_000), Some(58_000), "the window runs from the first charge");
        assert!(!window.charge(4, 60_999));
        assert!(window.charge(4, 61_000));
        assert_eq!((window.remaining, window.resets_in_ms(61_000)), (6, Some(60_000)));
    }

    #[test]
    fn a_drained_window_runs_and_a_new_size_counts_from_now() {
        let mut window = Window::full(10, 7200);
        window.set_remaining(0, 0);
        window.resize(5, 1_000);
        assert_eq!(window.resets_in_ms(1_000), Some(5_000));
        window.refill(6_000);
        assert_eq!(window.remaining, 10);
    }
}
