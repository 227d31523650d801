//! What callers ask of the pool, and what they are given.

use grok2api_proto::{Error, pool::Outcome};
use grok2api_storage::accounts::{Tier, Token};
use uuid::Uuid;

/// How long a lease lives unless it is renewed.
pub(crate) const LEASE_MS: i64 = 30_000;

/// What a caller wants to lease.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) request_id: String,
    pub(crate) owner: String,
    pub(crate) class: String,
    pub(crate) rate_limit_name: String,
    pub(crate) cost: u32,
    pub(crate) minimum_tier: Tier,
    pub(crate) tags: Vec<String>,
    pub(crate) exclude: Vec<Uuid>,
    /// The only account that may serve.
    pub(crate) account: Option<Uuid>,
    /// The conversation's key.
    pub(crate) affinity: Option<String>,
    /// It begins with this turn.
    pub(crate) begins: bool,
}

/// A lease, and whom it is of.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) lease: Uuid,
    pub(crate) account: Uuid,
    pub(crate) token: Token,
    pub(crate) tier: Tier,
    pub(crate) expires_at: i64,
}

/// Why there is no lease.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) error: Error,
    /// A free slot would help.
    pub(crate) busy: bool,
    /// An account could serve once its row is written.
    pub(crate) unwritten: bool,
}

/// How a lease ended.
#[derive(Clone, Debug)]
pub(crate) struct Settlement {
    pub(crate) outcome: Outcome,
    pub(crate) charged: bool,
    /// What a charged turn cost, if not what was reserved.
    pub(crate) units: Option<u32>,
    pub(crate) retry_after_ms: Option<i64>,
    pub(crate) cause: String,
}

/// What a lease took from its window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spent {
    /// What had been reserved.
    Reserved,
    /// The upstream charged another amount.
    Known(u32),
}

impl Wanted {
    /// The conversation to follow: one that begins now is bound, not looked up.
    pub(crate) fn followed(&self) -> Option<&str> {
        self.affinity.as_deref().filter(|_| !self.begins)
    }
}

impl Settlement {
    /// What is taken from the window, if anything.
    pub(crate) fn spent(&self) -> Option<Spent> {
        self.charged.then_some(self.units.map_or(Spent::Reserved, Spent::Known))
    }
}
