//! Follows what other processes write to the same store.

use std::time::Duration;

use grok2api_kit::lifecycle::Shutdown;
use grok2api_storage::{Result, bell::Listener};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// Whether this replica follows the store. While it does not, or drains, nobody may watch it: another replica may
/// know better.
pub(crate) struct Following {
    away: watch::Sender<bool>,
    shutdown: Shutdown,
}

impl Following {
    pub(crate) fn new(shutdown: Shutdown) -> Self {
        Self { away: watch::Sender::new(false), shutdown }
    }

    /// Takes in how following went.
    pub(crate) fn went(&self, result: &Result<()>) {
        let away = result.is_err();
        self.away.send_if_modified(|before| std::mem::replace(before, away) != away);
    }

    /// Resolves when watchers have to turn to another replica.
    pub(crate) fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let (mut away, shutdown) = (self.away.subscribe(), self.shutdown.clone());
        async move {
            tokio::select! {
                () = shutdown.draining() => {}
                // The sender is gone only with the service.
                _ = away.wait_for(|away| *away) => {}
            }
        }
    }
}

/// Asks the store every so often, and when the bell has rung, until draining begins. An outage is logged when it begins and when it ends, not every time.
pub(crate) async fn run<F: Future<Output = Result<()>>>(
    what: &'static str,
    period: Duration,
    mut rung: Listener,
    shutdown: Shutdown,
    mut follow: impl FnMut() -> F,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = rung.heard() => {}
            () = shutdown.draining() => return,
        }
        match follow().await {
            Ok(()) if away => tracing::info!("{what}: followed again"),
            Err(error) if !away => tracing::warn!(%error, "{what}: cannot be followed: {error}"),
            _ => continue,
        }
        away = !away;
    }
}
