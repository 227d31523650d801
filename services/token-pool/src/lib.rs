//! The pool of account tokens: who may serve a request, what it costs, and who is to blame.
//!
//! # How it is laid out
//!
//! A functional core without IO, in which the time and the ids are arguments:
//!
//! | module | holds |
//! |---|---|
//! | `token` | what people paste, made a token |
//! | `window` | the ledger of one quota window: reserve, spend, refund, read, reset |
//! | `account` | one account: status, windows, strikes; how blame and readings land on it |
//! | `eligible`, `order` | the one rule of who may serve, and the one order of trying |
//! | `policy` | outcome → scope → effect, as a table that fits one screen |
//! | `roster` | all accounts; an index that finds the best in O(log n); explanations; refusals; events |
//! | `pool` | leases, conversations, the firewall and the queue of readings over a roster, in memory |
//! | `import` | texts of accounts: lines, JSON, JSON lines, the seed's file |
//!
//! Around it: `hot`, the one trait of what replicas must agree on, with two implementations that pass the same tests
//! (`hot::memory`, a `pool` under a lock; `hot::redis`, scripts and a copy); `shared` (the hot state and one writer to
//! the store), `service` (validate, ask, map), `housekeeping` (once a second), `refresh` (true quotas from the
//! upstream).
//!
//! # What holds
//!
//! - Units are reserved at the lease and spent or refunded at the settle: reserved + spent ≤ granted, always. In the
//!   store, reserved units count as spent, and without Redis no more than a quarter of a window is taken that the store
//!   does not know of. After a process was killed, so much of every window counts as spent until it is read: it may lose
//!   units, but never sells them twice.
//! - A reading of the upstream cannot tell which units in flight it has counted. It is taken as if it had counted
//!   none, and repeated once nothing is in flight: too careful for a moment, exact at rest.
//! - A lease lives 30 s unless it is renewed. The units of an expired one stay spent: whoever held it may have used
//!   it.
//! - Every cooldown and closed window has an end. Only "invalid" and "banned" wait for a person.
//! - One request penalises at most two accounts, at most half of the pool rests for one kind of failure, and the last
//!   usable account is never rested.
//! - What an explanation says is what a lease does: both use the same rule and the same order.
//!
//! # Decisions
//!
//! - *A 429 closes a window beside its ledger.* It says when to come back, not how many units are left; the numbers
//!   come from the reading that a 429 asks for. When the upstream named no time and reports units after all, the
//!   window opens again after a minute.
//! - *A reset is an estimate.* The upstream tells the length of a window, not its end, so the end is taken to be one
//!   length after the first unit we spent, or after the first reading. At that time the window counts as full and is
//!   read at once. One with fewer units than the dearest request costs is also read every 15 minutes, since it may
//!   have refilled long before.
//! - *Blame for one incident falls once*: a failure of a lease that began before the account was last blamed does not
//!   escalate.
//! - *The other process wins where it wrote.* Without Redis, the command line and the server share the database. A row
//!   that changed there is merged field by field against what was last seen: what the other changed is taken over, the
//!   rest stays as it is here. Units are counted by whoever uses them: of the other's only a newer reading counts, less
//!   what it cannot have seen.
//! - *What the operator says goes to the store first*, what happens by use is written behind. So a change of tier, tags
//!   or priority is never lost to another process, and a lease never waits for the store.
//! - *A window that is not full is read once it is used after a start*: whoever wrote it may have died before its last
//!   units were written.
//! - *The first turn of a conversation binds, the later ones follow.* Requests that merely begin alike would otherwise
//!   all meet on one account.
//! - *A refusal looks at every account* to name the reason and the earliest recovery, once as long as no account
//!   changes. Only a pool that cannot serve pays for that.

mod account;
#[doc(hidden)]
pub mod bench;
mod classes;
mod eligible;
mod hot;
mod housekeeping;
mod import;
mod order;
mod policy;
mod pool;
mod reading;
mod refresh;
mod roster;
mod service;
mod shared;
mod token;
mod told;
mod unreadable;
mod view;
mod wanted;
mod window;

use std::sync::Arc;

use grok2api_kit::{clock::Clock, egress, lifecycle::Tasks, readiness::Readiness, runtime::Runtime};
use grok2api_proto::{Result, pool::TokenPool};
use grok2api_storage::accounts::Accounts;

use crate::{
    hot::{Hot, Memory, PREFIX, Redis},
    service::Service,
    shared::Shared,
};

/// What the pool is built on.
pub struct Deps {
    /// Where accounts are kept.
    pub accounts: Arc<dyn Accounts>,
    /// `account_concurrency` is read from it at every lease.
    pub runtime: Runtime,
    /// The way to the upstream, for reading true quotas; without it (command line) none are read.
    pub egress: Option<egress::Gateway>,
    /// Where replicas of the pool share what is hot, `redis://host:port/0`; without it, it lives in this process, which
    /// must then be the only one.
    pub redis: Option<String>,
    /// Whoever kept these accounts in its memory before has written down all that it did; nobody need have kept them.
    /// Else as much as a crash forgets is taken to be spent of every window, until that is read.
    pub intact: bool,
    /// Goes off while the shared state is away.
    pub readiness: Readiness,
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
    let (egress, readiness, tasks) = (deps.egress.clone(), deps.readiness.clone(), deps.tasks.clone());
    let hot: Arc<dyn Hot> = match &deps.redis {
        Some(url) => Arc::new(Redis::connect(url, PREFIX, deps.clock.clone(), tasks.clone()).await?),
        None => Arc::new(Memory::new(deps.clock.clone())),
    };
    let shared = Shared::load(deps, hot).await?;
    housekeeping::spawn(&shared, readiness, &tasks);
    told::tell(&shared);
    if let Some(egress) = egress {
        refresh::spawn(shared.clone(), egress, &tasks);
    }
    Ok(Arc::new(Service(shared)))
}
