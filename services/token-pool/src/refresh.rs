//! Reads true quotas from the upstream: never on a request's path, two at a time, within the queue's budget.

mod upstream;

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use grok2api_kit::{egress::Gateway, lifecycle::Tasks, metrics::POOL_READINGS, trace::Step};
use tokio::time::MissedTickBehavior;
use tracing::info_span;

use crate::{
    reading::{ReadEnd, ReadJob},
    shared::Shared,
};

const AT_ONCE: usize = 2;
/// How often due times are looked at when nobody asks.
const PERIOD: Duration = Duration::from_secs(1);

pub(crate) fn spawn(shared: Arc<Shared>, egress: Gateway, tasks: &Tasks) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_critical("pool-refresh", async move {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(job) = next(&shared).await
            {
                running.push(read(&shared, &egress, job));
            }
            tokio::select! {
                () = shutdown.draining() => {
                    // What was begun is finished, or nobody would read it for a while.
                    while let Some(()) = running.next().await {}
                    return Ok::<(), Infallible>(());
                }
                Some(()) = running.next() => {}
                () = shared.wanted.notified() => {}
                _ = ticks.tick() => {}
            }
        }
    });
}

async fn next(shared: &Arc<Shared>) -> Option<ReadJob> {
    shared.call(shared.hot.next_read()).await.unwrap_or_else(|error| {
        // Housekeeping tells the operator of a state that is away.
        tracing::debug!(%error, "it cannot be told which quotas to read");
        None
    })
}

/// One reading with all that comes of it. When it cannot be noted, it counts as never made and is made again.
async fn read(shared: &Arc<Shared>, egress: &Gateway, job: ReadJob) {
    // A trace of its own: no request waits for it.
    let step = Step::below(None, info_span!("quota reading", account.id = %job.target.0));
    let end = step.hold(ask(egress, &job)).await;
    let result = match &end {
        ReadEnd::Reading(_) => "taken",
        ReadEnd::Refused(..) | ReadEnd::Limited(..) => "refused",
        ReadEnd::Failed(_) => "failed",
    };
    POOL_READINGS.add(1, [result.into()]);
    let taken = matches!(end, ReadEnd::Reading(_));
    // At once: whatever is spent in between would count twice.
    if let Err(error) = shared.update(shared.hot.read_done(&job, &end)).await {
        tracing::warn!(%error, "a reading could not be noted");
        return;
    }
    if taken && job.anonymous {
        identify(shared, egress, &job).await;
    }
    if let Err(error) = shared.call(shared.hot.read_told(&job)).await {
        tracing::warn!(%error, "a reading could not be told");
    }
    shared.read.notify_waiters();
}

async fn ask(egress: &Gateway, job: &ReadJob) -> ReadEnd {
    let (account, name) = (job.target.0, &job.rate_limit_name);
    match upstream::read(egress, job).await {
        Ok(end) => {
            match &end {
                ReadEnd::Refused(outcome, cause) => {
                    let outcome = outcome.as_str_name();
                    tracing::warn!(account.id = %account, outcome, "the upstream refused account {account}: {cause}");
                }
                ReadEnd::Limited(..) => {
                    let pause_ms = end.pause_ms();
                    tracing::warn!(account.id = %account, pause_ms, "the upstream refuses to tell quotas for a while");
                }
                ReadEnd::Reading(_) | ReadEnd::Failed(_) => {}
            }
            end
        }
        Err(reason) => {
            tracing::warn!(
                account.id = %account,
                rate_limit.name = name,
                %reason,
                "the quota of account {account} could not be read, what is known stays: {reason}"
            );
            ReadEnd::Failed(reason)
        }
    }
}

/// Learns whose account it is; the next reading tries again when that fails.
async fn identify(shared: &Arc<Shared>, egress: &Gateway, job: &ReadJob) {
    let account = job.target.0;
    let identified = match upstream::user(egress, job).await {
        Ok(user) => shared.identify(account, &user).await.map_err(|error| error.to_string()),
        Err(reason) => Err(reason),
    };
    if let Err(reason) = identified {
        tracing::debug!(account.id = %account, %reason, "the user of account {account} is not known yet: {reason}");
    }
}
