//! Takes away what is too old or too much, a little at a time.

use std::{sync::Arc, time::Duration};

use grok2api_kit::{clock::Clock, runtime::Runtime};
use grok2api_storage::{
    Result,
    ledger::{Keep, Ledger},
};
use tokio::time::{MissedTickBehavior, interval, sleep};

const PERIOD: Duration = Duration::from_secs(60);
/// Rows of one step: a few milliseconds of the store's time.
const STEP: u32 = 200;
/// Between two steps, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks once a minute. An outage is logged when it begins and when it ends.
pub(super) async fn run(ledger: Arc<dyn Ledger>, runtime: Runtime, clock: Clock) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        ticks.tick().await;
        match sweep(&*ledger, &runtime, &clock).await {
            Ok(gone) => {
                if gone > 0 {
                    tracing::debug!(
                        rows = gone,
                        "usage ledger: {gone} rows and sums were too old or too many"
                    );
                }
                if std::mem::take(&mut away) {
                    tracing::info!("usage ledger: old rows are taken away again");
                }
            }
            Err(error) if !std::mem::replace(&mut away, true) => {
                tracing::warn!(%error, "usage ledger: old rows cannot be taken away: {error}");
            }
            Err(_) => {}
        }
    }
}

async fn sweep(ledger: &dyn Ledger, runtime: &Runtime, clock: &Clock) -> Result<u64> {
    let mut all = 0;
    loop {
        let config = &runtime.current().config;
        let keep = Keep { days: config.usage_retention_days, rows: config.usage_max_rows.into() };
        let gone = ledger.prune(keep, clock.now_ms(), STEP).await?;
        all += gone;
        if gone == 0 {
            return Ok(all);
        }
        sleep(PAUSE).await;
    }
}
