//! Sessions of the console, and the trait every store of them implements.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Error, Result};

/// Keeps sessions. An expired one stays until it is purged; the caller compares the times.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// The session whose id has this digest.
    async fn get(&self, digest: &Digest) -> Result<Option<Session>>;

    /// All sessions of an admin, the newest first.
    async fn of(&self, admin: Uuid) -> Result<Vec<Session>>;

    /// Adds a session.
    ///
    /// # Errors
    /// [`Taken`](crate::Error::Taken) when there is one with that digest.
    async fn insert(&self, session: &Session) -> Result<()>;

    /// Notes that it was seen, and until when it lasts now. Returns whether it is there.
    async fn seen(&self, digest: &Digest, now_ms: i64, expires_at: i64) -> Result<bool>;

    /// Ends a session. Returns whether it was there.
    async fn revoke(&self, digest: &Digest) -> Result<bool>;

    /// Ends all sessions of an admin. Returns how many.
    async fn revoke_all(&self, admin: Uuid) -> Result<u64>;

    /// Forgets what expired before that time. Returns how many.
    async fn purge(&self, expired_before_ms: i64) -> Result<u64>;
}

/// SHA-256 of a session's id, which is known to the browser only.
pub type Digest = [u8; 32];

/// One session as it is kept. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Of its id.
    pub digest: Digest,
    /// Whose it is.
    pub admin: Uuid,
    /// When it began.
    pub created_at: i64,
    /// When it ends by itself.
    pub expires_at: i64,
    /// When it was last used.
    pub last_seen_at: i64,
    /// Where it began, for people.
    pub address: String,
    /// With what, for people.
    pub user_agent: String,
}

pub(crate) fn impossible(digest: &str, reason: impl ToString) -> Error {
    // The whole digest would let a reader of the log tell which session it is; its beginning finds the row.
    let id = digest.chars().take(8).collect();
    Error::ImpossibleRow { table: "sessions", id, reason: reason.to_string() }
}
