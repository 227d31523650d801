//! [`VideoJobs`] whose details are sealed in the store below: they hold what somebody asked for, and a picture of theirs.

use std::sync::Arc;

use super::{Job, VideoJobs};
use crate::{
    Result,
    seal::{KeyId, Sealer},
};

pub(crate) struct SealedJobs {
    below: Arc<dyn VideoJobs>,
    sealer: Sealer,
}

impl SealedJobs {
    pub(crate) fn over(below: Arc<dyn VideoJobs>, sealer: Sealer) -> Arc<dyn VideoJobs> {
        Arc::new(Self { below, sealer })
    }

    fn seal(&self, job: &Job) -> Result<Job> {
        let Job { id, client, open, alive_at, created_at, version, details } = job;
        Ok(Job {
            id: id.clone(),
            client: client.clone(),
            open: *open,
            alive_at: *alive_at,
            created_at: *created_at,
            version: *version,
            details: self.sealer.seal(id.as_bytes(), details)?,
        })
    }

    fn open(&self, job: Job) -> Result<Job> {
        // One that was written before they were sealed: no message begins as a sealed value does.
        if KeyId::of(&job.details).is_none() {
            return Ok(job);
        }
        Ok(Job { details: self.sealer.open(job.id.as_bytes(), &job.details)?, ..job })
    }

    /// One that was damaged holds up none of the others.
    fn open_all(&self, jobs: Vec<Job>) -> Vec<Job> {
        let open = |job: Job| {
            let id = job.id.clone();
            let opened = self.open(job);
            opened.inspect_err(|error| tracing::warn!("the video {id} is left out: {error}")).ok()
        };
        jobs.into_iter().filter_map(open).collect()
    }
}

#[async_trait::async_trait]
impl VideoJobs for SealedJobs {
    async fn insert(&self, job: &Job) -> Result<bool> {
        self.below.insert(&self.seal(job)?).await
    }

    async fn get(&self, id: &str) -> Result<Option<Job>> {
        self.below.get(id).await?.map(|job| self.open(job)).transpose()
    }

    async fn update(&self, job: &Job) -> Result<bool> {
        self.below.update(&self.seal(job)?).await
    }

    async fn page(&self, client: &str, before: Option<&str>, limit: u32) -> Result<Vec<Job>> {
        Ok(self.open_all(self.below.page(client, before, limit).await?))
    }

    async fn silent(&self, since: i64, limit: u32) -> Result<Vec<Job>> {
        Ok(self.open_all(self.below.silent(since, limit).await?))
    }

    async fn remove(&self, id: &str) -> Result<bool> {
        self.below.remove(id).await
    }

    async fn purge(&self, made_before: i64, limit: u32) -> Result<u64> {
        self.below.purge(made_before, limit).await
    }
}
