//! Follows what other processes write to the same store.

use std::{sync::Arc, time::Duration};

use grok2api_kit::lifecycle::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use crate::service::Service;

const PERIOD: Duration = Duration::from_millis(500);

/// Asks the store until draining begins. An outage is logged when it begins and when it ends, not every time.
pub(crate) async fn run(service: Arc<Service>, shutdown: Shutdown) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.draining() => return,
        }
        match service.follow().await {
            Ok(()) if away => tracing::info!("configuration is followed again"),
            Err(error) if !away => tracing::warn!(%error, "configuration cannot be followed: {error}"),
            _ => continue,
        }
        away = !away;
    }
}
