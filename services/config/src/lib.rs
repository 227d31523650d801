//! Runtime configuration (typed parameters, validated revisions, watch), and beside it the [usage ledger](ledger).
//!
//! `parameters.toml` is the single source: it holds every parameter with its type, default, range and meaning;
//! `docs/parameters.md` is made from it. A revision stores only what differs from the defaults, so that a later
//! version's default reaches everybody who never chose another value. A change is taken whole or refused with the
//! name of the parameter at fault. Overrides that another version wrote and this one does not know are kept and
//! ignored, so that replicas of two versions can share one store.
//!
//! Replicas that share a store follow each other: where there is a Redis, whoever writes a revision rings a bell in it, and
//! who hears that asks the store; who has just begun to listen, also after the Redis was away, asks too. Everybody asks twice a
//! second besides, which is all there is without a Redis. Callers follow by `watch`.
//!
//! The keys of the API's clients live here too, as a service of their own ([`start_keys`]): they are followed the same
//! way, four times a second, so that a key revoked at one replica is refused at every gateway within one.
//!
//! Requests that clients repeat under one key are kept here as well ([`idempotency`]), and responses that they come back to
//! ([`responses`]): this role has what replicas share.
//! So do those who run the product ([`admins`]) and the view of what is running ([`live`]). A gateway keeps no session: it asks
//! for each request of the console, so one that was ended is refused everywhere at once.

pub mod admins;
mod aging;
pub mod capture;
mod follow;
mod history;
pub mod idempotency;
mod keys;
pub mod ledger;
pub mod live;
pub mod parameters;
pub mod responses;
mod revision;
mod service;

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{Result, config::Config, keys::Keys};
use grok2api_storage::{
    bell::{Bell, Listener, Topic},
    budgets::Budgets,
    client_keys::ClientKeys,
    limiter::Limiter,
    settings::Settings,
};
use tokio::time::Duration;

/// How often the store is asked for a newer revision in the product, whether or not somebody has told of one.
pub const REVISIONS: Duration = Duration::from_millis(500);
/// How often it is asked for changed keys.
const KEYS: Duration = Duration::from_millis(250);
/// How often counters are looked through for what is long over.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// What the service needs.
pub struct Deps {
    /// The stored revisions.
    pub settings: Arc<dyn Settings>,
    /// Tells other replicas of a new one, and hears of theirs.
    pub bell: Bell,
    /// How often the store is asked all the same.
    pub every: Duration,
    /// Dates the revisions.
    pub clock: Clock,
    /// Owns the task that follows the store.
    pub tasks: Tasks,
}

/// Reads the newest revision and begins to follow the store.
///
/// # Errors
/// `storage_unavailable` when the newest revision cannot be read.
pub async fn start(deps: Deps) -> Result<Arc<dyn Config>> {
    let Deps { settings, bell, every, clock, tasks } = deps;
    let (shutdown, rung) = (tasks.shutdown().clone(), bell.listen(Topic::Configuration));
    let service = Arc::new(service::Service::open(settings, bell, clock, shutdown.clone()).await?);
    let followed = service.clone();
    let following = follow::run("configuration", every, rung, shutdown, move || {
        let followed = followed.clone();
        async move { followed.follow().await }
    });
    tasks.spawn("config-follow", following);
    Ok(service)
}

/// What the service of client keys needs.
pub struct KeysDeps {
    /// The stored keys.
    pub keys: Arc<dyn ClientKeys>,
    /// What keys have used up of their budgets.
    pub budgets: Arc<dyn Budgets>,
    /// How fast keys ask.
    pub limiter: Arc<dyn Limiter>,
    /// What secrets begin with: the setting `keys.prefix`.
    pub prefix: String,
    /// Dates the changes.
    pub clock: Clock,
    /// Owns the task that follows the store.
    pub tasks: Tasks,
}

/// Reads all client keys and begins to follow the store.
///
/// # Errors
/// `storage_unavailable` when they cannot be read.
pub async fn start_keys(deps: KeysDeps) -> Result<Arc<dyn Keys>> {
    let (tasks, shutdown) = (deps.tasks.clone(), deps.tasks.shutdown().clone());
    let service = Arc::new(keys::Service::open(deps).await?);
    let swept = service.clone();
    let sweeping = follow::run("budgets", SWEEP, Listener::default(), shutdown.clone(), move || {
        let swept = swept.clone();
        async move { swept.sweep().await }
    });
    tasks.spawn_background("budgets-sweep", sweeping);
    let followed = service.clone();
    let following = follow::run("client keys", KEYS, Listener::default(), shutdown, move || {
        let followed = followed.clone();
        async move { followed.follow().await }
    });
    tasks.spawn("keys-follow", following);
    Ok(service)
}
