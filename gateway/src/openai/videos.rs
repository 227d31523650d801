//! Videos as OpenAI tells of them.

use grok2api_proto::video::Job;
use serde::Serialize;

/// One video.
#[derive(Debug, Serialize)]
pub struct Video {
    id: String,
    object: &'static str,
    model: String,
    status: &'static str,
    progress: u32,
    created_at: i64,
    completed_at: Option<i64>,
    expires_at: Option<i64>,
    prompt: String,
    size: String,
    seconds: String,
    remixed_from_video_id: Option<String>,
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    code: String,
    message: String,
}

/// Part of a client's videos.
#[derive(Debug, Serialize)]
pub struct List {
    object: &'static str,
    data: Vec<Video>,
    first_id: Option<String>,
    last_id: Option<String>,
    has_more: bool,
}

/// What is left of a video that was deleted.
#[derive(Debug, Serialize)]
pub struct Deleted {
    id: String,
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
