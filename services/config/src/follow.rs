//! Follows what other processes write to the same store.

use std::time::Duration;

use grok2api_kit::lifecycle::Shutdown;
use grok2api_storage::Result;
use tokio::time::{MissedTickBehavior, interval};

/// Asks the store until draining begins. An outage is logged when it begins and when it ends, not every time.
pub(crate) async fn run<F: Future<Output = Result<()>>>(
    what: &'static str,
    period: Duration,
    shutdown: Shutdown,
    mut follow: impl FnMut() -> F,
) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
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
