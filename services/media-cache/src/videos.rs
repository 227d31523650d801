//! The jobs of videos in the making, kept beside the index of what they become.

use std::{sync::Arc, time::Duration};

use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{
    Error, Kind, Result,
    video::{
        GetRequest, Job, JobDetails, ListRequest, ListResponse, ListSilentRequest, RemoveResponse,
        UpdateResponse, VideoJobs,
    },
};
use grok2api_storage::videos as stored;
use prost::Message as _;

/// Jobs are forgotten after a week; the videos are the media cache's to keep.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const PURGE_EVERY: Duration = Duration::from_secs(3600);
const PAGE: u32 = 100;

struct Service {
    jobs: Arc<dyn stored::VideoJobs>,
    clock: Clock,
}

/// Begins to serve, and to forget what is old.
pub fn start(jobs: Arc<dyn stored::VideoJobs>, clock: Clock, tasks: &Tasks) -> Arc<dyn VideoJobs> {
    let (old, now) = (jobs.clone(), clock.clone());
    tasks.spawn_background("video-jobs-purge", async move {
        let mut hour = tokio::time::interval(PURGE_EVERY);
        loop {
            hour.tick().await;
            match purge(&*old, now.now_ms() - millis(KEPT)).await {
                Ok(0) => {}
                Ok(jobs) => tracing::info!(jobs, "{jobs} old video jobs were forgotten"),
                Err(error) => tracing::warn!(%error, "old video jobs could not be forgotten: {error}"),
            }
        }
    });
    Arc::new(Service { jobs, clock })
}

/// Forgets what ended and was made before that time; how many there were.
async fn purge(jobs: &dyn stored::VideoJobs, made_before: i64) -> grok2api_storage::Result<u64> {
    let mut all = 0;
    loop {
        let some = jobs.purge(made_before, PAGE).await?;
        all += some;
        if some < PAGE.into() {
            return Ok(all);
        }
    }
}

#[tonic::async_trait]
impl VideoJobs for Service {
    async fn insert(&self, mut job: Job) -> Result<Job> {
        (job.created_at, job.version) = (self.clock.now_ms(), 1);
        if self.jobs.insert(&self.row(&job)).await? {
            return Ok(job);
        }
        Err(Error::new(Kind::Conflict, "video_exists", format!("the video {:?} exists already", job.id)))
    }

    async fn get(&self, request: GetRequest) -> Result<Job> {
        let found = self.jobs.get(&request.id).await?.filter(|job| job.client == request.client);
        found.ok_or_else(|| missing(&request.id)).and_then(job)
    }

    async fn update(&self, job: Job) -> Result<UpdateResponse> {
        Ok(UpdateResponse { updated: self.jobs.update(&self.row(&job)).await? })
    }

    async fn list(&self, request: ListRequest) -> Result<ListResponse> {
        let before = Some(request.before.as_str()).filter(|before| !before.is_empty());
        let rows = self.jobs.page(&request.client, before, request.limit.min(PAGE + 1)).await?;
        Ok(ListResponse { jobs: rows.into_iter().map(job).collect::<Result<_>>()? })
    }

    async fn list_silent(&self, request: ListSilentRequest) -> Result<ListResponse> {
        let since = self.clock.now_ms() - i64::try_from(request.for_ms).unwrap_or(i64::MAX);
        let rows = self.jobs.silent(since, request.limit.min(PAGE)).await?;
        Ok(ListResponse { jobs: rows.into_iter().map(job).collect::<Result<_>>()? })
    }

    async fn remove(&self, request: GetRequest) -> Result<RemoveResponse> {
        self.get(request.clone()).await?;
        if self.jobs.remove(&request.id).await? { Ok(RemoveResponse {}) } else { Err(missing(&request.id)) }
    }
}

impl Service {
    fn row(&self, job: &Job) -> stored::Job {
        stored::Job {
            id: job.id.clone(),
            client: job.client.clone(),
            open: job.open,
            alive_at: self.clock.now_ms(),
            created_at: job.created_at,
            version: job.version,
            details: job.details.as_ref().map(JobDetails::encode_to_vec).unwrap_or_default(),
        }
    }
}

fn job(row: stored::Job) -> Result<Job> {
    let stored::Job { id, client, open, created_at, version, details, .. } = row;
    let details = JobDetails::decode(details.as_slice()).map_err(|error| {
        tracing::error!(%error, id, "the video job {id} cannot be read: {error}");
        Error::internal("the video job cannot be read")
    })?;
    Ok(Job { id, client, open, created_at, version, details: Some(details) })
}

fn missing(id: &str) -> Error {
    Error::new(Kind::NotFound, "video_not_found", format!("there is no video {id:?}"))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
