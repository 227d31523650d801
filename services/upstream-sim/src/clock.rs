//! The clock that quota windows run on. It can run faster than the real one, or be moved forward.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Milliseconds of simulated time since the simulator started.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<Dial>);

#[derive(Debug)]
struct Dial {
    since: Instant,
    base_ms: u64,
    scale: f64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Dial { since: Instant::now(), base_ms: 0, scale: 1.0 }))
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.lock().now_ms()
    }

    pub(crate) fn scale(&self) -> f64 {
        self.0.lock().scale
    }

    /// From now on one real second is `scale` simulated seconds. What has passed stays passed.
    pub(crate) fn set_scale(&self, scale: f64) {
        let mut dial = self.0.lock();
        *dial = Dial { since: Instant::now(), base_ms: dial.now_ms(), scale };
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        let mut dial = self.0.lock();
        dial.base_ms = dial.base_ms.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
    }
}

impl Dial {
    fn now_ms(&self) -> u64 {
        let passed = self.since.elapsed().as_secs_f64() * 1000.0 * self.scale;
        self.base_ms.saturating_add(passed as u64)
    }
}

/// Wall time for records, as milliseconds since 1970.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_scale_changes_the_pace_not_the_past() {
        let clock = Clock::new();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.now_ms(), 10_000);
        clock.set_scale(60.0);
        assert_eq!(clock.now_ms(), 10_000);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now_ms(), 70_000);
        clock.advance(Duration::from_secs(30));
        assert_eq!(clock.now_ms(), 100_000);
    }
}
