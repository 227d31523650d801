//! Accounts: eligibility, lease, settle, cool down, refresh.
mod account;
mod classes;
mod eligible;
mod housekeeping;
mod order;
mod policy;
mod pool;
mod refresh;
mod service;
mod shared;
mod token;
mod view;
mod window;

use std::sync::Arc;

use grok2api_kit::{clock::Clock, egress, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{Result, pool::TokenPool};
use grok2api_storage::accounts::Accounts;

use crate::{service::Service, shared::Shared};

/// What the pool is built on.
pub struct Deps {
    /// Where accounts are kept.
    pub accounts: Arc<dyn Accounts>,
    /// `account_concurrency` is read from it at every lease.
    pub runtime: Runtime,
    /// The way to the upstream, for reading true quotas; without it (command line) none are read.
    pub egress: Option<egress::Gateway>,
    /// Tells the time.
    pub clock: Clock,
    /// Owns the pool's background work; draining it and waiting writes everything out.
    pub tasks: Tasks,
}

/// Loads the accounts and starts the pool.
///
/// # Errors
/// When the accounts cannot be loaded.
pub async fn start(deps: Deps) -> Result<Arc<dyn TokenPool>> {
    let (egress, tasks) = (deps.egress.clone(), deps.tasks.clone());
    let shared = Shared::load(deps).await?;
    housekeeping::spawn(shared.clone(), &tasks);
    if let Some(egress) = egress {
        refresh::spawn(shared.clone(), egress, &tasks);
    }
    Ok(Arc::new(Service(shared)))
}
