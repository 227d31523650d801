//! The durable store of a process: opened at the start, watched while it serves.

use std::time::Duration;

use grok2api_kit::{
    metrics::{STORE_FAILURES, STORE_UP},
    readiness::Readiness,
    settings::Settings,
};
use grok2api_storage::{Error, Store, bell::Bell, place};
use tokio::time::MissedTickBehavior;

use crate::StartError;

/// How often the store is asked whether it is there.
const PERIOD: Duration = Duration::from_secs(1);

/// The store that the settings name, up to date.
pub(crate) async fn open(settings: &Settings) -> Result<Store, StartError> {
    Store::open(settings).await.map_err(|error| StartError::one(place(settings), error))
}

/// For a command that changes the parameters: processes that run hear of it at once. A Redis that is away is no reason to
/// fail, they ask the store soon.
pub(crate) async fn bell(settings: &Settings) -> Bell {
    Bell::open(settings.storage.hot_url()).await.unwrap_or_default()
}

/// Readiness is off while the store is away; an outage is logged when it begins and when it ends. A sealing key
/// that another process has changed is taken over.
pub(crate) async fn watch(store: Store, readiness: Readiness) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut away, mut told) = (None, String::new());
    // So that the first one can be seen to be more than before.
    STORE_FAILURES.add(0, ["accounts".into()]);
    loop {
        ticks.tick().await;
        let ping = store.ping().await;
        STORE_UP.set(if ping.is_ok() { 1.0 } else { 0.0 }, []);
        if ping.is_ok() {
            follow_key(&store, &mut told).await;
        }
        match ping {
            Ok(()) if away.take().is_some() => tracing::info!("the store is back"),
            Err(error) if away.is_none() => {
                tracing::error!(%error, "the store is away, so this process is not ready: {error}");
                away = Some(readiness.guard("storage"));
            }
            _ => {}
        }
    }
}

/// Says once what is wrong with the key.
async fn follow_key(store: &Store, told: &mut String) {
    match store.follow_key().await {
        Err(error @ Error::Seal(_)) if *told != error.to_string() => {
            tracing::error!(%error, "{error}; then restart this process");
            *told = error.to_string();
        }
        _ => {}
    }
}
