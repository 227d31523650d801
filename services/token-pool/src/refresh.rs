//! Reads true quotas from the upstream: never on a request's path, two at a time, within the queue's budget.

mod upstream;

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use grok2api_kit::{egress::Gateway, lifecycle::Tasks};
use tokio::time::MissedTickBehavior;

use crate::{
    pool::{Pool, ReadEnd, ReadJob},
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
                && let Some(job) = shared.with(Pool::next_read)
            {
                running.push(read(&shared, &egress, job));
            }
            tokio::select! {
                () = shutdown.draining() => return Ok::<(), Infallible>(()),
                Some(()) = running.next() => {}
                () = shared.wanted.notified() => {}
                _ = ticks.tick() => {}
            }
        }
    });
}

/// One reading with all that comes of it.
async fn read(shared: &Arc<Shared>, egress: &Gateway, job: ReadJob) {
    let end = ask(egress, &job).await;
    let taken = matches!(end, ReadEnd::Reading(_));
    // At once: whatever is spent in between would count twice.
    shared.update(|pool, now| pool.read_done(&job, end, now));
    if taken && job.anonymous {
        identify(shared, egress, &job).await;
    }
    shared.with(|pool, _| pool.read_told(&job));
    shared.read.notify_waiters();
}

async fn ask(egress: &Gateway, job: &ReadJob) -> ReadEnd {
    let (account, name) = (job.target.0, &job.rate_limit_name);
    match upstream::read(egress, job).await {
        Ok(end) => {
            if let ReadEnd::Refused(outcome, cause) = &end {
                let outcome = outcome.as_str_name();
                tracing::warn!(account.id = %account, outcome, "the upstream refused account {account}: {cause}");
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
