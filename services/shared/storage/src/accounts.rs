//! Accounts in domain terms, and the trait every store of them implements.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Result;

/// Keeps accounts. Several processes may hold the same store; each sees the others' writes.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// How often the store was away from this handle so far. Each time it may have lost what was seen before, so
    /// whoever follows it reads everything anew.
    fn interruptions(&self) -> u64 {
        0
    }

    /// Counts the writes of all processes; cheap enough to ask once a second.
    async fn version(&self) -> Result<u64>;

    /// Every account written after that version, the removed ones included, with the version they bring one to. Rows
    /// that are damaged do not keep the others back.
    ///
    /// # Errors
    /// [`Seal`](crate::Error::Seal) when a token needs a key that is not at hand.
    async fn changed_since(&self, version: u64) -> Result<Changes>;

    /// One account, removed or not.
    async fn get(&self, id: Uuid) -> Result<Option<StoredAccount>>;

    /// Adds accounts, all or none. A token that is known already is left as it is; one that was removed, or whose row is
    /// damaged, comes back under its old id as given here. Answers in the order of `accounts`.
    async fn insert(&self, accounts: &[StoredAccount]) -> Result<Vec<Inserted>>;

    /// Writes everything but id, token and creation. Returns the row's new version.
    ///
    /// # Errors
    /// [`Conflict`](crate::Error::Conflict) unless `account.version` is the row's.
    async fn update(&self, account: &StoredAccount) -> Result<u64>;

    /// Removes an account, softly: it is no longer loaded, but its token is still recognised. Returns whether it
    /// was there.
    async fn remove(&self, id: Uuid, now_ms: i64) -> Result<bool>;

    /// Forgets the accounts that were removed before that time for good. Returns how many.
    async fn purge(&self, removed_before_ms: i64) -> Result<u64>;

    /// All accounts that are not removed.
    async fn load_all(&self) -> Result<Vec<StoredAccount>> {
        let mut changes = self.changed_since(0).await?;
        changes.accounts.retain(|account| account.deleted_at.is_none());
        Ok(changes.accounts)
    }
}

/// What was written since a version.
#[derive(Debug)]
pub struct Changes {
    /// Ask for what comes after this the next time.
    pub version: u64,
    /// In no particular order.
    pub accounts: Vec<StoredAccount>,
    /// Rows among them that nothing can be made of.
    pub unreadable: Vec<Unreadable>,
}

/// An account whose row is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, as far as it is one.
    pub id: String,
    /// What is wrong, in words.
    pub reason: String,
    /// It was removed.
    pub removed: bool,
}

/// The answer to one account of an insert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is new, or was removed before.
    Added(StoredAccount),
    /// The token was known: this is its account.
    Known(StoredAccount),
}

/// One account as it is kept. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it; what they do not say is documented")]
pub struct StoredAccount {
    pub id: Uuid,
    pub token: Token,
    pub tier: Tier,
    pub status: Status,
    pub note: String,
    pub tags: BTreeSet<String>,
    /// Higher is tried first among accounts of one tier.
    pub priority: i32,
    pub enabled: bool,
    /// The upstream's user, once known: two tokens may belong to one.
    pub user_id: Option<String>,
    /// Quota windows by class, e.g. `normal`, `heavy`.
    pub windows: BTreeMap<String, StoredWindow>,
    /// The last failures, newest last; its writer keeps it short.
    pub failures: Vec<StoredFailure>,
    pub created_at: i64,
    pub last_used_at: Option<i64>,
    pub deleted_at: Option<i64>,
    /// Counts this row's writes; an update must name the newest.
    pub version: u64,
}

/// What an account has paid for; the order is the order of price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the upstream's own names")]
pub enum Tier {
    #[default]
    Basic,
    Super,
    Heavy,
}

/// Whether an account may be used, and if not, why and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Status {
    #[default]
    Active,
    /// Rests; ends by itself.
    Cooling { until: i64, cause: String },
    /// The credential is dead.
    Invalid { since: i64, cause: String },
    /// The upstream has banned the account.
    Banned { since: i64, cause: String },
}

/// One quota window as it is kept. Units are the upstream's query credits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredWindow {
    /// Units when full; absent while unknown.
    pub total: Option<u32>,
    /// Units neither spent nor reserved; absent while unknown.
    pub remaining: Option<u32>,
    /// How long a window runs from its first unit, milliseconds; 0 while unknown.
    pub length_ms: i64,
    /// When the units come back; 0 when none is out or it is unknown.
    pub reset_at: i64,
    /// No use before this, whatever remains: the upstream said 429; 0 when open.
    pub closed_until: i64,
    /// Who says so.
    pub source: WindowSource,
    /// When the upstream was last heard of; 0 for never.
    pub observed_at: i64,
}

/// One failed turn or reading, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredFailure {
    /// Epoch milliseconds.
    pub at: i64,
    /// Stable name of the outcome, e.g. `OUTCOME_UPSTREAM_FAILED`.
    pub outcome: String,
    /// One line; redacted.
    pub cause: String,
    /// Whether it cost the account something.
    pub penalised: bool,
}

/// Where a window's numbers come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WindowSource {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// The upstream said so, less what was spent since.
    Upstream,
    /// Derived: a reset was due, or a 429 was seen.
    Local,
}

/// An account's sso token. `Debug` masks it.
#[derive(Clone)]
pub struct Token(SecretString);

impl StoredAccount {
    /// A new account: active, enabled, nothing known of its windows.
    pub fn new(id: Uuid, token: Token, tier: Tier, now_ms: i64) -> Self {
        Self {
            id,
            token,
            tier,
            status: Status::Active,
            note: String::new(),
            tags: BTreeSet::new(),
            priority: 0,
            enabled: true,
            user_id: None,
            windows: BTreeMap::new(),
            failures: Vec::new(),
            created_at: now_ms,
            last_used_at: None,
            deleted_at: None,
            version: 0,
        }
    }
}

impl Inserted {
    /// The account as it stands in the store.
    pub fn account(&self) -> &StoredAccount {
        match self {
            Self::Added(account) | Self::Known(account) => account,
        }
    }
}

impl Tier {
    /// All tiers, the cheapest first.
    pub const ALL: [Self; 3] = [Self::Basic, Self::Super, Self::Heavy];

    /// Stable name, as it is stored and typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Super => "super",
            Self::Heavy => "heavy",
        }
    }

    /// The tier of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

impl Status {
    /// As it is stored: its name, the time that belongs to it (0 for none) and the cause.
    pub(crate) fn columns(&self) -> (&'static str, i64, &str) {
        match self {
            Self::Active => ("active", 0, ""),
            Self::Cooling { until, cause } => ("cooling", *until, cause),
            Self::Invalid { since, cause } => ("invalid", *since, cause),
            Self::Banned { since, cause } => ("banned", *since, cause),
        }
    }

    /// Back from [`columns`](Self::columns).
    pub(crate) fn of(name: &str, at: i64, cause: String) -> Result<Self, String> {
        match name {
            "active" => Ok(Self::Active),
            "cooling" => Ok(Self::Cooling { until: at, cause }),
            "invalid" => Ok(Self::Invalid { since: at, cause }),
            "banned" => Ok(Self::Banned { since: at, cause }),
            other => Err(format!("unknown status {other:?}")),
        }
    }
}

impl Token {
    /// Takes a token that is normalised already.
    pub fn new(token: impl Into<String>) -> Self {
        Self(SecretString::from(token.into()))
    }

    /// The secret itself, for the cookie.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// First and last four characters.
    pub fn masked(&self) -> String {
        grok2api_proto::mask(self.expose())
    }

    /// SHA-256: recognises a token without opening a sealed one. A token has too much entropy to be guessed from it.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.masked())
    }
}
