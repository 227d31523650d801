//! The usage ledger, served.
//!
//! It stands beside the configuration because both are what an operator asks of the product and neither is on the way
//! of a request: the gateway hands its rows over in batches, behind the client's back. What is kept and how is the
//! store's; here messages are checked and turned into the domain's terms, and old rows are taken away.

mod messages;
mod prune;
mod service;

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::ledger::Ledger;
use grok2api_storage::ledger as storage;

pub(crate) use messages::id as turn;

/// What the service needs.
pub struct Deps {
    /// Rows and sums.
    pub ledger: Arc<dyn storage::Ledger>,
    /// How much is kept: `usage_retention_days` and `usage_max_rows`.
    pub runtime: Runtime,
    /// Tells what is old.
    pub clock: Clock,
    /// Owns the task that takes old rows away.
    pub tasks: Tasks,
}

/// Serves the ledger, and begins to take away what is too old or too much.
pub fn start(deps: Deps) -> Arc<dyn Ledger> {
    let Deps { ledger, runtime, clock, tasks } = deps;
    let pruning = prune::run(ledger.clone(), runtime, clock.clone());
    tasks.spawn_background("ledger-prune", pruning);
    open(ledger, clock)
}

/// Serves the ledger as it is, for a command that ends soon.
pub fn open(ledger: Arc<dyn storage::Ledger>, clock: Clock) -> Arc<dyn Ledger> {
    Arc::new(service::Service { ledger, clock })
}
