//! What happens once a second: dead leases end, windows refill, other processes' writes are taken over.

use std::{convert::Infallible, sync::Arc, time::Duration};

use grok2api_kit::{lifecycle::Tasks, readiness::Readiness};
use tokio::time::MissedTickBehavior;

use crate::{hot::Elsewhere, shared::Shared};

const PERIOD: Duration = Duration::from_secs(1);

/// In periods.
const PURGE_EVERY: u32 = 3600;

pub(crate) fn spawn(shared: Arc<Shared>, readiness: Readiness, tasks: &Tasks) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_critical("pool-housekeeping", async move {
        let mut ticks_to_purge = 0;
        let mut away = None;
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.draining() => return Ok::<(), Infallible>(()),
                _ = ticks.tick() => {}
            }
            match shared.call(shared.hot.advance()).await {
                Ok(freed) => {
                    if away.take().is_some() {
                        tracing::info!("the pool's state is back");
                    }
                    if freed {
                        shared.freed.notify_waiters();
                    }
                }
                Err(error) if away.is_none() => {
                    tracing::error!(%error, "the pool's state is away, so this process is not ready: {error}");
                    away = Some(readiness.guard("token-pool"));
                }
                Err(_) => {}
            }
            if ticks_to_purge == 0 {
                ticks_to_purge = PURGE_EVERY;
                purge(&shared).await;
            }
            ticks_to_purge -= 1;
            if let Err(error) = shared.sync().await {
                tracing::warn!(%error, "other processes' changes to the accounts could not be read");
            }
        }
    });
}

/// Follows what other replicas do.
pub(crate) fn follow(shared: Arc<Shared>, tasks: &Tasks) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn_critical("pool-follow", async move {
        loop {
            let elsewhere = tokio::select! {
                () = shutdown.draining() => return Ok::<(), Infallible>(()),
                elsewhere = shared.hot.follow() => elsewhere,
            };
            if elsewhere == Elsewhere::Store
                && let Err(error) = shared.sync().await
            {
                tracing::warn!(%error, "other processes' changes to the accounts could not be read");
            }
            shared.tell();
            shared.freed.notify_waiters();
            shared.wanted.notify_one();
            shared.read.notify_waiters();
        }
    });
}

async fn purge(shared: &Shared) {
    match shared.purge().await {
        Ok(0) => {}
        Ok(count) => tracing::info!("{count} accounts removed a day ago are forgotten"),
        Err(error) => tracing::warn!(%error, "removed accounts could not be forgotten"),
    }
}
