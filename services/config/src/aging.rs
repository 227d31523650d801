//! Takes away what is too old or too much, a little at a time.

use std::{future::Future, time::Duration};

use grok2api_kit::clock::Clock;
use grok2api_storage::Result;
use tokio::time::{MissedTickBehavior, interval, sleep};

const PERIOD: Duration = Duration::from_secs(60);
/// Between two steps, so that others have their turn.
const PAUSE: Duration = Duration::from_millis(50);
/// What a step takes away at most.
pub(crate) const STEP: u32 = 100;
pub(crate) const MIB: u64 = 1024 * 1024;

/// Looks once a minute. A step is told the time, and says how many it took away. An outage is logged when it begins and
/// when it ends.
pub(crate) async fn run<F>(what: &'static str, clock: Clock, step: impl Fn(i64) -> F)
where
    F: Future<Output = Result<u64>>,
{
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut away = false;
    loop {
        ticks.tick().await;
        match sweep(&clock, &step).await {
            Ok(()) if std::mem::take(&mut away) => tracing::info!("{what}: old ones are taken away again"),
            Err(error) if !std::mem::replace(&mut away, true) => {
                tracing::warn!(%error, "{what}: old ones cannot be taken away: {error}");
            }
            _ => {}
        }
    }
}

async fn sweep<F>(clock: &Clock, step: &impl Fn(i64) -> F) -> Result<()>
where
    F: Future<Output = Result<u64>>,
{
    while step(clock.now_ms()).await? > 0 {
        sleep(PAUSE).await;
    }
    Ok(())
}
