//! Videos as OpenAI tells of them.

use grok2api_proto::video::Job;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// One video.
#[derive(Debug, Serialize, ToSchema)]
pub struct Video {
    #[schema(pattern = "^video_")]
    id: String,
    #[schema(schema_with = words::video)]
    object: &'static str,
    model: String,
    #[schema(schema_with = words::video_status)]
    status: &'static str,
    /// Per cent.
    #[schema(maximum = 100)]
    progress: u32,
    /// Seconds since the epoch.
    created_at: i64,
    #[schema(required)]
    completed_at: Option<i64>,
    #[schema(schema_with = words::nothing, required)]
    expires_at: Option<i64>,
    prompt: String,
    /// As asked.
    size: String,
    /// As asked.
    seconds: String,
    #[schema(schema_with = words::nothing, required)]
    remixed_from_video_id: Option<String>,
    #[schema(required)]
    error: Option<Failure>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VideoError)]
struct Failure {
    code: String,
    message: String,
}

/// Part of a client's videos.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VideoList)]
pub struct List {
    #[schema(schema_with = words::list)]
    object: &'static str,
    data: Vec<Video>,
    #[schema(required)]
    first_id: Option<String>,
    #[schema(required)]
    last_id: Option<String>,
    has_more: bool,
}

/// What is left of a video that was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VideoDeleted)]
pub struct Deleted {
    id: String,
    #[schema(schema_with = words::video_deleted)]
    object: &'static str,
    deleted: bool,
}

impl From<Job> for Video {
    fn from(job: Job) -> Self {
        let details = job.details.unwrap_or_default();
        let failed = !details.error_code.is_empty();
        let status = match (job.open, failed, details.begun) {
            (true, _, false) => "queued",
            (true, _, true) => "in_progress",
            (false, true, _) => "failed",
            (false, false, _) => "completed",
        };
        Self {
            id: job.id,
            object: "video",
            model: details.model,
            status,
            progress: details.percent,
            created_at: job.created_at / 1000,
            completed_at: (!job.open && !failed).then_some(details.ended_at / 1000),
            expires_at: None,
            prompt: details.prompt,
            size: details.size,
            seconds: details.seconds,
            remixed_from_video_id: None,
            error: failed.then_some(Failure { code: details.error_code, message: details.error_message }),
        }
    }
}

impl List {
    /// A page of at most `limit`; one more says that more follow.
    pub fn new(jobs: Vec<Job>, limit: usize) -> Self {
        let has_more = jobs.len() > limit;
        let data: Vec<Video> = jobs.into_iter().take(limit).map(Video::from).collect();
        let id = |video: Option<&Video>| video.map(|video| video.id.clone());
        Self { object: "list", first_id: id(data.first()), last_id: id(data.last()), data, has_more }
    }
}

impl Deleted {
    /// The video of that id.
    pub fn new(id: String) -> Self {
        Self { id, object: "video.deleted", deleted: true }
    }
}
