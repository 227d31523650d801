//! Runtime configuration (typed parameters, validated revisions, watch), and beside it the [usage ledger](ledger).
//!
//! `parameters.toml` is the single source: it holds every parameter with its type, default, range and meaning;
//! `docs/parameters.md` is made from it. A revision stores only what differs from the defaults, so that a later
//! version's default reaches everybody who never chose another value. A change is taken whole or refused with the
//! name of the parameter at fault. Overrides that another version wrote and this one does not know are kept and
//! ignored, so that replicas of two versions can share one store.
//!
//! Replicas that share a store follow each other by asking it for its newest number twice a second; callers follow by `watch`.

mod follow;
pub mod ledger;
pub mod parameters;
mod revision;
mod service;

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{Result, config::Config};
use grok2api_storage::settings::Settings;

/// What the service needs.
pub struct Deps {
    /// The stored revisions.
    pub settings: Arc<dyn Settings>,
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
    let service =
        Arc::new(service::Service::open(deps.settings, deps.clock, deps.tasks.shutdown().clone()).await?);
    deps.tasks.spawn("config-follow", follow::run(service.clone(), deps.tasks.shutdown().clone()));
    Ok(service)
}
