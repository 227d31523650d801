//! The three stream timeouts, in force while the upstream is silent too. Any byte counts as a sign of life.

use grok2api_proto::config::RuntimeConfig;
use tokio::time::{Duration, Instant};

use crate::grok::failure::Failure;

/// The timeouts of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    first_seconds: u32,
    gap_seconds: u32,
    total_seconds: u32,
    /// When the first response must be there; gone once it is.
    first: Option<Instant>,
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
            total,
        }
    }

    /// Until when the next byte must come.
    pub(super) fn next(&self) -> (Instant, Limit) {
        let (until, limit) = match self.first {
            Some(first) => (first, Limit::First),
            None => (Instant::now() + seconds(self.gap_seconds), Limit::Gap),
        };
        if until < self.total { (until, limit) } else { (self.total, Limit::Total) }
    }

    /// The upstream gave a sign of life.
    pub(super) fn alive(&mut self) {
        self.first = None;
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
