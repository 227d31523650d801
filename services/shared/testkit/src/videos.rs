//! Video jobs in memory.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use grok2api_proto::{
    Error, Kind, Result,
    video::{
        GetRequest, Job, ListRequest, ListResponse, ListSilentRequest, RemoveResponse, UpdateResponse,
        VideoJobs,
    },
};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Keeps jobs with the time of their last sign of life, by tokio's clock.
#[derive(Default)]
pub struct FakeVideoJobs {
    jobs: Mutex<BTreeMap<String, (Job, Instant)>>,
    away: AtomicBool,
}

impl FakeVideoJobs {
    /// Whether every call fails from now on.
    pub fn be_away(&self, away: bool) {
        self.away.store(away, Ordering::Relaxed);
    }

    fn there(&self) -> Result<()> {
        match self.away.load(Ordering::Relaxed) {
            true => Err(Error::new(Kind::Unavailable, "storage_unavailable", "the store is away")),
            false => Ok(()),
        }
    }

    /// All jobs, the oldest first.
    pub fn all(&self) -> Vec<Job> {
        self.jobs.lock().values().map(|(job, _)| job.clone()).collect()
    }
}

#[tonic::async_trait]
impl VideoJobs for FakeVideoJobs {
    async fn insert(&self, mut job: Job) -> Result<Job> {
        self.there()?;
        (job.created_at, job.version) = (1_735_689_600_000, 1);
        self.jobs.lock().insert(job.id.clone(), (job.clone(), Instant::now()));
        Ok(job)
    }

    async fn get(&self, request: GetRequest) -> Result<Job> {
        self.there()?;
        let found = self.jobs.lock().get(&request.id).map(|(job, _)| job.clone());
        let found = found.filter(|job| job.client == request.client);
        found.ok_or_else(|| Error::new(Kind::NotFound, "video_not_found", "there is no such video"))
    }

    async fn update(&self, mut job: Job) -> Result<UpdateResponse> {
        self.there()?;
        let mut jobs = self.jobs.lock();
        let Some(entry) = jobs.get_mut(&job.id).filter(|(known, _)| known.version == job.version) else {
            return Ok(UpdateResponse { updated: false });
        };
        job.version += 1;
        *entry = (job, Instant::now());
        Ok(UpdateResponse { updated: true })
    }

    async fn list(&self, request: ListRequest) -> Result<ListResponse> {
        self.there()?;
        let jobs = self.jobs.lock();
        let seen = |job: &&Job| {
            job.client == request.client && (request.before.is_empty() || job.id < request.before)
        };
        let jobs = jobs.values().rev().map(|(job, _)| job).filter(seen).take(request.limit as usize);
        Ok(ListResponse { jobs: jobs.cloned().collect() })
    }

    async fn list_silent(&self, request: ListSilentRequest) -> Result<ListResponse> {
        self.there()?;
        let silence = Duration::from_millis(request.for_ms);
        let jobs = self.jobs.lock();
        let silent = jobs.values().filter(|(job, at)| job.open && at.elapsed() > silence);
        Ok(ListResponse { jobs: silent.map(|(job, _)| job.clone()).collect() })
    }

    async fn remove(&self, request: GetRequest) -> Result<RemoveResponse> {
        self.there()?;
        self.get(request.clone()).await?;
        self.jobs.lock().remove(&request.id);
        Ok(RemoveResponse {})
    }
}
