//! Readiness: "no guard left alive". What must be done before the process may serve holds a guard until it is done.

use tokio::sync::watch;

use crate::lifecycle::Shutdown;

/// Tells whether the process serves, and what it waits for.
#[derive(Clone)]
pub struct Readiness {
    pending: watch::Sender<Vec<&'static str>>,
    shutdown: Shutdown,
}

/// Keeps the process unready while it lives.
pub struct Guard {
    name: &'static str,
    pending: watch::Sender<Vec<&'static str>>,
}

impl Readiness {
    /// Ready unless a guard is alive or the shutdown has begun.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { pending: watch::Sender::default(), shutdown }
    }

    /// Unready until the guard is dropped.
    #[must_use]
    pub fn guard(&self, name: &'static str) -> Guard {
        self.pending.send_modify(|pending| pending.push(name));
        Guard { name, pending: self.pending.clone() }
    }

    /// What the process waits for; empty when it serves.
    pub fn pending(&self) -> Vec<&'static str> {
        let mut pending = self.pending.borrow().clone();
        if self.shutdown.is_draining() && !pending.contains(&"draining") {
            pending.push("draining");
        }
        pending
    }

    /// Whether the process serves.
    pub fn is_ready(&self) -> bool {
        self.pending().is_empty()
    }

    /// Resolves once the process serves, or does not, as `ready` says; at once when it is so already.
    pub async fn until(&self, ready: bool) {
        let mut pending = self.pending.subscribe();
        let mut draining = self.shutdown.is_draining();
        while self.is_ready() != ready {
            tokio::select! {
                changed = pending.changed() => drop(changed),
                () = self.shutdown.draining(), if !draining => draining = true,
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pending.send_modify(|pending| {
            if let Some(at) = pending.iter().position(|name| *name == self.name) {
                pending.swap_remove(at);
            }
        });
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

    #[tokio::test]
    async fn whoever_waits_is_told_of_every_change() {
        let shutdown = Shutdown::default();
        let readiness = Readiness::new(shutdown.clone());
        let guard = readiness.guard("storage");
        readiness.until(false).await;
        tokio::join!(readiness.until(true), async { drop(guard) });
        tokio::join!(readiness.until(false), async { shutdown.drain() });
    }
}
