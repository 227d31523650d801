//! Videos that clients asked for and that take longer than a request: what must outlive the process that makes them.

mod sealed;

pub(crate) use sealed::SealedJobs;

use crate::Result;

/// One video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Begins with its time, so ids are in the order of making.
    pub id: String,
    /// Who asked: only they see it. Empty when nobody is told apart.
    pub client: String,
    /// It has not ended.
    pub open: bool,
    /// Epoch milliseconds: the last sign of whoever works on it.
    pub alive_at: i64,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Grows by one with every change.
    pub version: u64,
    /// The rest, as the service writes it; sealed in the store.
    pub details: Vec<u8>,
}

/// Keeps the jobs. Every call fails only when the store does, or on an impossible row.
#[async_trait::async_trait]
pub trait VideoJobs: Send + Sync + 'static {
    /// Adds a job; whether its id was free.
    async fn insert(&self, job: &Job) -> Result<bool>;

    /// The job of that id.
    async fn get(&self, id: &str) -> Result<Option<Job>>;

    /// Replaces a job that still has this version; the stored one is then one higher. Nothing is written, and the
    /// answer is `false`, when somebody else was first or it is gone. Id, client and time of making never change.
    async fn update(&self, job: &Job) -> Result<bool>;

    /// At most `limit` jobs of a client, the newest first, made before `before`.
    async fn page(&self, client: &str, before: Option<&str>, limit: u32) -> Result<Vec<Job>>;

    /// At most `limit` open jobs without a sign of life since that time, the longest silent first.
    async fn silent(&self, since: i64, limit: u32) -> Result<Vec<Job>>;

    /// Forgets a job; whether it was known.
    async fn remove(&self, id: &str) -> Result<bool>;

    /// Forgets jobs that ended and were made before that time, at most `limit`; how many there were.
    async fn purge(&self, made_before: i64, limit: u32) -> Result<u64>;
}
