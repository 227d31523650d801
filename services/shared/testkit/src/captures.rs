//! A store of captured bodies that remembers what it was given.

use std::sync::atomic::{AtomicBool, Ordering};

use grok2api_proto::{
    Error, Kind, Result,
    capture::{Bodies, Captures, KeepRequest, KeepResponse, ReadRequest},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Keeps bodies in the order in which they came; can be away.
#[derive(Default)]
pub struct FakeCaptures {
    kept: Mutex<Vec<Bodies>>,
    away: AtomicBool,
    called: Notify,
}

impl FakeCaptures {
    /// Answers `unavailable` from now on, or no longer.
    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// What is kept.
    pub fn all(&self) -> Vec<Bodies> {
        self.kept.lock().clone()
    }

    /// Waits until those of that many requests are kept, and gives them.
    pub async fn kept(&self, count: usize) -> Vec<Bodies> {
        loop {
            let called = self.called.notified();
            let kept = self.all();
            if kept.len() >= count {
                return kept;
            }
            called.await;
        }
    }
}

#[tonic::async_trait]
impl Captures for FakeCaptures {
    async fn keep(&self, request: KeepRequest) -> Result<KeepResponse> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Unavailable, "away", "the store is away"));
        }
        self.kept.lock().extend(request.bodies);
        self.called.notify_waiters();
        Ok(KeepResponse {})
    }

    async fn read(&self, request: ReadRequest) -> Result<Bodies> {
        let found = self.all().into_iter().find(|bodies| bodies.id == request.id);
        found.ok_or_else(|| Error::new(Kind::NotFound, "bodies_not_found", "no such bodies"))
    }
}
