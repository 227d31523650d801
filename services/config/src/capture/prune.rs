//! Takes away what is too old or too much, a little at a time; also when nothing is captured any more.

use std::{sync::Arc, time::Duration};

use grok2api_kit::{clock::Clock, runtime::Runtime};
use grok2api_proto::config::RuntimeConfig;
use grok2api_storage::{
    Result,
    captures::{Captures, Keep},
};
use tokio::time::{MissedTickBehavior, interval, sleep};

const PERIOD: Duration = Duration::from_secs(60);
const STEP: u32 = 100;
/// Between two steps, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(50);
const MIB: u64 = 1024 * 1024;

/// Looks once a minute. An outage is logged when it begins and when it ends.
pub(super) async fn run(captures: Arc<dyn Captures>, runtime: Runtime, clock: Clock) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        ticks.tick().await;
        match sweep(&*captures, &runtime, &clock).await {
            Ok(()) if std::mem::take(&mut away) => {
                tracing::info!("captured bodies: old ones are taken away again");
            }
            Err(error) if !std::mem::replace(&mut away, true) => {
                tracing::warn!(%error, "captured bodies: old ones cannot be taken away: {error}");
            }
            _ => {}
        }
    }
}

async fn sweep(captures: &dyn Captures, runtime: &Runtime, clock: &Clock) -> Result<()> {
    while captures.prune(keep(&runtime.current().config), clock.now_ms(), STEP).await? > 0 {
        sleep(PAUSE).await;
    }
    Ok(())
}

fn keep(config: &RuntimeConfig) -> Keep {
    let entry = u64::from(config.usage_retention_days) * 24;
    Keep {
        hours: u64::from(config.capture_retention_hours).min(entry),
        bytes: u64::from(config.capture_max_size_mb) * MIB,
    }
}
