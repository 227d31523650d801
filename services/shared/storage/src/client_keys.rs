//! Client keys in domain terms, and the trait every store of them implements.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Result, actions::Action};

/// Keeps client keys. None is ever deleted: usage records name them for ever. What is written of a key is in the log of
/// actions in the same step: there is never one without the other.
#[async_trait]
pub trait ClientKeys: Send + Sync + 'static {
    /// How often the store was away from this handle so far. Each time it may have lost what was seen before, so
    /// whoever follows it reads everything anew.
    fn interruptions(&self) -> u64 {
        0
    }

    /// Counts the writes of all processes, uses aside; cheap enough to ask a few times a second.
    async fn version(&self) -> Result<u64>;

    /// Every key written after that version, with the version they bring one to.
    async fn changed_since(&self, version: u64) -> Result<Changes>;

    /// One key.
    async fn get(&self, id: Uuid) -> Result<Option<ClientKey>>;

    /// The key whose secret has this digest.
    async fn find(&self, digest: &Digest) -> Result<Option<ClientKey>>;

    /// Adds a key.
    ///
    /// # Errors
    /// [`Taken`](crate::Error::Taken) when a key has that id or digest.
    async fn insert(&self, key: &ClientKey, log: &Action) -> Result<()>;

    /// Writes everything but id, digest, creation and last use. Returns the row's new version.
    ///
    /// # Errors
    /// [`Conflict`](crate::Error::Conflict) unless `key.version` is the row's.
    async fn update(&self, key: &ClientKey, log: &Action) -> Result<u64>;

    /// Notes uses, each with its time in epoch milliseconds; neither unknown keys nor older times change anything.
    async fn used(&self, uses: &[(Uuid, i64)]) -> Result<()>;
}

/// SHA-256 of a key's secret. A secret has too much entropy to be guessed from it.
pub type Digest = [u8; 32];

/// What was written since a version.
#[derive(Debug)]
pub struct Changes {
    /// Ask for what comes after this the next time.
    pub version: u64,
    /// In no particular order.
    pub keys: Vec<ClientKey>,
}

/// One client key as it is kept. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// UUIDv7.
    pub id: Uuid,
    /// Of its secret, which is kept nowhere.
    pub digest: Digest,
    /// What people see of the secret: `sk-g2a-…abcd`.
    pub masked: String,
    /// When it was made.
    pub created_at: i64,
    /// When a gateway last let it pass.
    pub last_used_at: Option<i64>,
    /// When it was given up, which is for ever.
    pub revoked_at: Option<i64>,
    /// What its owner may do.
    pub spec: Spec,
    /// Counts this row's writes, uses aside; an update must name the newest.
    pub version: u64,
}

/// What the operator says of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Whose it is.
    pub name: String,
    /// For people.
    pub note: String,
    /// Refused for now.
    pub disabled: bool,
    /// Refused from then on, epoch milliseconds.
    pub expires_at: Option<i64>,
    /// Public names of the models it may ask; empty for all.
    pub models: BTreeSet<String>,
    /// Where it may be used from; empty for everywhere.
    pub addresses: BTreeSet<IpNet>,
    /// Accounts with one of these tags serve it; empty for all accounts.
    pub account_tags: BTreeSet<String>,
    /// How fast it may ask.
    pub limits: Limits,
    /// How much it may use up.
    pub budgets: Vec<Budget>,
}

/// How fast a key may ask; absent for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests that begin within a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens in and out within a minute.
    pub tokens_per_minute: Option<u64>,
    /// Requests at the same time.
    pub concurrency: Option<u64>,
}

/// How much a key may use up within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What is counted.
    pub unit: Unit,
    /// From when to when.
    pub period: Period,
    /// How many.
    pub amount: u64,
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Requests.
    Requests,
    /// Tokens in and out.
    Tokens,
    /// The upstream's query credits.
    Units,
}

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// A day of UTC.
    Day,
    /// A week of UTC, from Monday.
    Week,
    /// A month of UTC.
    Month,
    /// For ever.
    Lifetime,
}

/// The digest that recognises a secret.
pub fn digest(secret: &[u8]) -> Digest {
    Sha256::digest(secret).into()
}

pub(crate) fn impossible(id: impl ToString, reason: impl ToString) -> crate::Error {
    crate::Error::ImpossibleRow { table: "client_keys", id: id.to_string(), reason: reason.to_string() }
}
