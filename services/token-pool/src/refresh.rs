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
                running.push(read(&egress, job));
            }
            tokio::select! {
                () = shutdown.draining() => return Ok::<(), Infallible>(()),
                Some((job, end)) = running.next() => shared.update(|pool, now| pool.read_done(&job, end, now)),
                () = shared.wanted.notified() => {}
                _ = ticks.tick() => {}
            }
        }
    });
}

async fn read(egress: &Gateway, job: ReadJob) -> (ReadJob, ReadEnd) {
    let (account, name) = (job.target.0, &job.rate_limit_name);
    let end = match upstream::read(egress, &job).await {
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
            ReadEnd::Nothing
        }
    };
    (job, end)
}
