//! The three stream timeouts, in force while the upstream is silent too. Any byte counts as a sign of life, but an
//! upstream that only keeps the connection warm is given up after three gaps without anything to tell.

use grok2api_proto::config::RuntimeConfig;
use tokio::time::{Duration, Instant};

use crate::grok::failure::Failure;

/// Hidden lines and keep-alives count for so long.
const MEANINGLESS_GAPS: u32 = 3;
/// After the finished message only decoration comes.
const LINGER: Duration = Duration::from_secs(2);

/// The timeouts of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    first_seconds: u32,
    gap_seconds: u32,
    total_seconds: u32,
    /// When the first response must be there; gone once it is.
    first: Option<Instant>,
    /// When the stream last brought something to tell.
    told: Instant,
    total: Instant,
}

/// Which limit comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    First,
    Gap,
    Total,
}

impl Limits {
    /// Begins an attempt of a turn that must be over at `total`.
    pub(super) fn new(config: &RuntimeConfig, total: Instant) -> Self {
        Self {
            first_seconds: config.stream_first_response_timeout,
            gap_seconds: config.stream_chunk_timeout,
            total_seconds: config.stream_total_timeout,
            first: Some(Instant::now() + seconds(config.stream_first_response_timeout)),
            told: Instant::now(),
            total,
        }
    }

    /// Until when the next byte must come.
    pub(super) fn next(&self) -> (Instant, Limit) {
        let (until, limit) = match self.first {
            Some(first) => (first, Limit::First),
            None => {
                let gap = seconds(self.gap_seconds);
                ((Instant::now() + gap).min(self.told + MEANINGLESS_GAPS * gap), Limit::Gap)
            }
        };
        if until < self.total { (until, limit) } else { (self.total, Limit::Total) }
    }

    /// When the turn must be over.
    pub(super) fn deadline(&self) -> Instant {
        self.total
    }

    /// The turn has not been over by then.
    pub(super) fn exceeded(&self) -> Failure {
        self.passed(Limit::Total)
    }

    /// How long a connection may stay open behind its last word.
    pub(super) fn lingering(&self) -> (Instant, Limit) {
        let until = Instant::now() + LINGER;
        if until < self.total { (until, Limit::Gap) } else { (self.total, Limit::Total) }
    }

    /// The upstream gave a sign of life.
    pub(super) fn alive(&mut self) {
        self.first = None;
    }

    /// The stream brought something to tell.
    pub(super) fn told(&mut self) {
        self.told = Instant::now();
    }

    /// What it means that a limit has passed.
    pub(super) fn passed(&self, limit: Limit) -> Failure {
        match limit {
            Limit::First => Failure::timeout(
                "upstream_first_response_timeout",
                format!("the upstream did not begin to answer within {} s", self.first_seconds),
            ),
            Limit::Gap => Failure::timeout(
                "upstream_idle_timeout",
                format!("the upstream was silent for {} s", self.gap_seconds),
            ),
            Limit::Total => Failure {
                retry: false,
                ..Failure::timeout(
                    "upstream_total_timeout",
                    format!("the turn took longer than {} s", self.total_seconds),
                )
            },
        }
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(total: u32) -> Limits {
        let config = RuntimeConfig {
            stream_first_response_timeout: 30,
            stream_chunk_timeout: 120,
            stream_total_timeout: total,
            ..RuntimeConfig::default()
        };
        Limits::new(&config, Instant::now() + seconds(total))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_ends_the_first_limit_and_every_byte_begins_the_gap_anew() {
        let mut limits = limits(600);
        let begun = Instant::now();
        assert_eq!(limits.next(), (begun + seconds(30), Limit::First));
        tokio::time::advance(seconds(20)).await;
        assert_eq!(limits.next(), (begun + seconds(30), Limit::First), "waiting does not move it");
        limits.alive();
        assert_eq!(limits.next(), (Instant::now() + seconds(120), Limit::Gap));
        tokio::time::advance(seconds(100)).await;
        assert_eq!(limits.next(), (Instant::now() + seconds(120), Limit::Gap));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_only_kept_warm_is_given_up() {
        let mut limits = limits(3600);
        let begun = Instant::now();
        for _ in 0..35 {
            tokio::time::advance(seconds(10)).await;
            limits.alive();
        }
        assert_eq!(limits.next(), (begun + seconds(360), Limit::Gap));
        limits.told();
        assert_eq!(limits.next(), (Instant::now() + seconds(120), Limit::Gap));
    }

    #[tokio::test(start_paused = true)]
    async fn the_total_limit_is_the_last_word_and_nobody_else_is_tried_after_it() {
        let mut limits = limits(50);
        limits.alive();
        assert_eq!(limits.next(), (limits.deadline(), Limit::Total));
        let failure = limits.exceeded();
        assert_eq!((failure.error.code.as_ref(), failure.retry), ("upstream_total_timeout", false));
        assert!(limits.passed(Limit::Gap).retry && limits.passed(Limit::First).retry);
    }
}
