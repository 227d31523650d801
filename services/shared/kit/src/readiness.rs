//! Readiness: "no guard left alive". What must be done before the process may serve holds a guard until it is done.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::lifecycle::Shutdown;

/// Tells whether the process serves, and what it waits for.
#[derive(Clone)]
pub struct Readiness {
    pending: Arc<Mutex<Vec<&'static str>>>,
    shutdown: Shutdown,
}

/// Keeps the process unready while it lives.
pub struct Guard {
    name: &'static str,
    pending: Arc<Mutex<Vec<&'static str>>>,
}

impl Readiness {
    /// Ready unless a guard is alive or the shutdown has begun.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { pending: Arc::default(), shutdown }
    }

    /// Unready until the guard is dropped.
    #[must_use]
    pub fn guard(&self, name: &'static str) -> Guard {
        self.pending.lock().push(name);
        Guard { name, pending: self.pending.clone() }
    }

    /// What the process waits for; empty when it serves.
    pub fn pending(&self) -> Vec<&'static str> {
        let mut pending = self.pending.lock().clone();
        if self.shutdown.is_draining() && !pending.contains(&"draining") {
            pending.push("draining");
        }
        pending
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut pending = self.pending.lock();
        if let Some(at) = pending.iter().position(|name| *name == self.name) {
            pending.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_the_last_guard_is_gone_and_unready_again_while_draining() {
        let shutdown = Shutdown::default();
        let readiness = Readiness::new(shutdown.clone());
        let (first, second) = (readiness.guard("storage"), readiness.guard("config"));
        drop(first);
        assert_eq!(readiness.pending(), ["config"]);
        drop(second);
        assert!(readiness.pending().is_empty());
        shutdown.drain();
        assert_eq!(readiness.pending(), ["draining"]);
    }
}
