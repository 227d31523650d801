//! What happens once a second: dead leases end, windows refill, other processes' writes are taken over.

use std::{convert::Infallible, sync::Arc, time::Duration};

use grok2api_kit::{
    lifecycle::{Shutdown, Tasks},
    readiness::Readiness,
};
use tokio::time::{Interval, MissedTickBehavior};

use crate::{hot::Elsewhere, shared::Shared};

const PERIOD: Duration = Duration::from_secs(1);

/// In periods.
const PURGE_EVERY: u32 = 3600;

/// Looks after the accounts and after the store; a store that is slow must not keep leases from ending.
pub(crate) fn spawn(shared: &Arc<Shared>, readiness: Readiness, tasks: &Tasks) {
    tasks.spawn_critical("pool-housekeeping", advance(shared.clone(), readiness, tasks.shutdown().clone()));
    tasks.spawn_critical("pool-sync", sync(shared.clone(), tasks.shutdown().clone()));
    tasks.spawn_critical("pool-follow", follow(shared.clone(), tasks.shutdown().clone()));
}

async fn advance(shared: Arc<Shared>, readiness: Readiness, shutdown: Shutdown) -> Result<(), Infallible> {
    let mut away = None;
    let mut ticks = every_period();
    loop {
        tokio::select! {
            () = shutdown.draining() => return Ok(()),
            _ = ticks.tick() => {}
        }
        match shared.call(shared.hot.advance()).await {
            Ok(changed) => {
                if away.take().is_some() {
                    tracing::info!("the pool's state is back");
                }
                if changed {
                    shared.wake();
                }
            }
            Err(error) if away.is_none() => {
                tracing::error!(%error, "the pool's state is away, so this process is not ready: {error}");
                away = Some(readiness.guard("token-pool"));
            }
            Err(_) => {}
        }
    }
}

async fn sync(shared: Arc<Shared>, shutdown: Shutdown) -> Result<(), Infallible> {
    let (mut ticks_to_purge, mut told) = (0, false);
    let mut ticks = every_period();
    loop {
        tokio::select! {
            () = shutdown.draining() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if ticks_to_purge == 0 {
            ticks_to_purge = PURGE_EVERY;
            purge(&shared).await;
        }
        ticks_to_purge -= 1;
        take_over(&shared, &mut told).await;
    }
}

/// Follows what other replicas do.
async fn follow(shared: Arc<Shared>, shutdown: Shutdown) -> Result<(), Infallible> {
    let mut told = false;
    loop {
        let elsewhere = tokio::select! {
            () = shutdown.draining() => return Ok(()),
            elsewhere = shared.hot.follow() => elsewhere,
        };
        if elsewhere == Elsewhere::Store {
            take_over(&shared, &mut told).await;
        }
        shared.tell();
        if elsewhere > Elsewhere::Leases {
            shared.wake();
        }
    }
}

fn every_period() -> Interval {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Whether other processes' changes could be read; told once while they cannot.
async fn take_over(shared: &Arc<Shared>, told: &mut bool) {
    match shared.sync().await {
        Ok(()) => *told = false,
        Err(error) if !std::mem::replace(told, true) => {
            tracing::warn!("other processes' changes to the accounts could not be read: {error}");
        }
        Err(_) => {}
    }
}

async fn purge(shared: &Shared) {
    match shared.purge().await {
        Ok(0) => {}
        Ok(count) => tracing::info!("{count} accounts removed a day ago are forgotten"),
        Err(error) => tracing::warn!(%error, "removed accounts could not be forgotten"),
    }
}
