//! Those who may use the console, and the trait every store of them implements.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Result;

/// Keeps admins. None is ever deleted: the log of actions names them for ever.
#[async_trait]
pub trait Admins: Send + Sync + 'static {
    /// All, by name.
    async fn list(&self) -> Result<Vec<Admin>>;

    /// One by id.
    async fn get(&self, id: Uuid) -> Result<Option<Admin>>;

    /// One by name, which is compared byte by byte.
    async fn find(&self, name: &str) -> Result<Option<Admin>>;

    /// Adds an admin.
    ///
    /// # Errors
    /// [`Taken`](crate::Error::Taken) when one has that id or name.
    async fn insert(&self, admin: &Admin) -> Result<()>;

    /// Writes everything but id and creation. Returns the row's new version.
    ///
    /// # Errors
    /// [`Conflict`](crate::Error::Conflict) unless `admin.version` is the row's; [`Taken`](crate::Error::Taken) when
    /// another has the name; [`LastOwner`](crate::Error::LastOwner) when no owner would be left who may come in,
    /// whoever else writes at the same time.
    async fn update(&self, admin: &Admin) -> Result<u64>;
}

/// One admin as it is kept. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// UUIDv7.
    pub id: Uuid,
    /// Unique; at most 255 bytes.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id in its text form; verified elsewhere.
    pub password_hash: String,
    /// When they were added.
    pub created_at: i64,
    /// When they last came in.
    pub last_login_at: Option<i64>,
    /// They may not come in.
    pub disabled: bool,
    /// The password is the default or somebody else's choice, so nothing is open but to set another.
    pub must_change: bool,
    /// Counts this row's writes; an update must name the newest.
    pub version: u64,
}

impl Admin {
    /// Whether they may do everything.
    pub fn rules(&self) -> bool {
        self.role == Role::Owner && !self.disabled
    }
}

/// What an admin may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, and manage accounts, keys and parameters.
    Operator,
    /// Everything, other admins too.
    Owner,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Owner];

    /// Stable name, as it is stored and typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

pub(crate) fn impossible(id: impl ToString, reason: impl ToString) -> crate::Error {
    crate::Error::ImpossibleRow { table: "admins", id: id.to_string(), reason: reason.to_string() }
}
