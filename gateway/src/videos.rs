//! Videos are made behind the request that asked for them.
//!
//! Each job is kept by [`VideoJobs`], which all gateways share. Whoever works on one gives a sign of life every few
//! seconds. One without is taken up by another process: it is made when nothing was sent yet, and has failed when
//! something was, since a video that may have been begun is never begun again. A job that is deleted meanwhile takes its
//! turn along at the next sign of life.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{
    Error, Kind, Result,
    chat::{Chat, ChatRequest, chat_event::Kind as Event},
    video::{Job, ListSilentRequest, VideoJobs},
};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    ClientKeys,
    running::cancelled,
    usage::{Record, Recorder},
};

/// As the ledger knows the requests for videos.
pub(crate) const ENDPOINT: &str = "/v1/videos";

const SIGN_OF_LIFE: Duration = Duration::from_secs(3);
/// Ten signs missed.
const SILENCE: Duration = Duration::from_secs(30);
const SWEEP: Duration = Duration::from_secs(10);
const SWEPT_AT_ONCE: u32 = 20;
const WRITE_WAITS: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Makes videos.
#[derive(Clone)]
pub struct Videos {
    /// What is asked for, and what became of it.
    pub(crate) jobs: Arc<dyn VideoJobs>,
    chat: Arc<dyn Chat>,
    usage: Recorder,
    client_keys: ClientKeys,
    tasks: Tasks,
    /// What this process works on.
    mine: Arc<Mutex<HashSet<String>>>,
    /// When the store last failed, as far as is known here.
    trouble: Arc<Mutex<Option<Instant>>>,
}

/// How the work on a job ended.
enum Ended {
    Made(String),
    Failed(Error),
    /// It was deleted, or failed by somebody who heard nothing of it for long.
    Lost,
}

impl Videos {
    /// Takes up what other processes left behind, from now on.
    pub fn start(
        jobs: Arc<dyn VideoJobs>,
        chat: Arc<dyn Chat>,
        usage: Recorder,
        client_keys: ClientKeys,
        tasks: &Tasks,
    ) -> Self {
        let (tasks_too, mine, trouble) = (tasks.clone(), Arc::default(), Arc::default());
        let videos = Self { jobs, chat, usage, client_keys, tasks: tasks_too, mine, trouble };
        let sweeping = videos.clone();
        tasks.spawn_background("video-sweep", async move {
            let mut sweep = interval(SWEEP);
            sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                sweep.tick().await;
                sweeping.sweep().await;
            }
        });
        videos
    }

    /// Keeps a job and begins to work on it. The record is finished with the video.
    ///
    /// # Errors
    /// What the store of the jobs answers.
    pub(crate) async fn begin(&self, job: Job, mut record: Record) -> Result<Job> {
        let job = self.jobs.insert(job).await.inspect_err(|error| record.failed(error))?;
        record.accepted();
        self.work(job.clone(), record);
        Ok(job)
    }

    fn work(&self, job: Job, record: Record) {
        let (videos, id) = (self.clone(), job.id.clone());
        self.mine.lock().insert(id.clone());
        self.tasks.spawn("video", async move {
            videos.make(job, record).await;
            videos.mine.lock().remove(&id);
        });
    }

    /// A job's record where the one it was begun with is gone. The ledger keeps the first that is finished.
    fn resume(&self, job: &Job) -> Record {
        let mut record = self.usage.resume(ENDPOINT, turn_of(&job.id));
        record.called_by(&job.client);
        if let Some(permit) = self.client_keys.resume(&job.client, record.turn_id()) {
            record.permitted(permit, 0);
        }
        record.asked(job.details.as_ref().map_or("", |details| &details.model), false);
        record.accepted();
        record
    }

    async fn sweep(&self) {
        // While the store was away nobody could give a sign of life: those who live are given the time to.
        if self.trouble.lock().is_some_and(|last| last.elapsed() < SILENCE) {
            return;
        }
        let request = ListSilentRequest {
            for_ms: u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX),
            limit: SWEPT_AT_ONCE,
        };
        let silent = match self.jobs.list_silent(request).await {
            Ok(found) => found.jobs,
            Err(error) => {
                self.failing();
                return tracing::warn!(%error, "silent video jobs could not be listed: {error}");
            }
        };
        for job in silent {
            if self.mine.lock().contains(&job.id) {
                continue;
            }
            let record = self.resume(&job);
            if job.details.as_ref().is_some_and(|details| details.begun) {
                self.end(job, Ended::Failed(interrupted()), record).await;
            } else {
                tracing::info!(video.id = job.id, "the video {} is taken up again", job.id);
                self.work(job, record);
            }
        }
    }

    async fn make(&self, mut job: Job, mut record: Record) {
        let details = job.details.get_or_insert_default();
        let request = ChatRequest::decode(std::mem::take(&mut details.request));
        details.begun = true;
        // From here on it is ours, or another's.
        let ended = match (self.save(&mut job).await, request) {
            (Ok(true), Ok(request)) => {
                record.unless_finished(interrupted());
                self.film(&mut job, request, &mut record).await
            }
            (Ok(true), Err(_)) => Ended::Failed(Error::internal("the request of the video cannot be read")),
            (Ok(false), _) => {
                record.leave();
                return tracing::info!(video.id = job.id, "the video {} is not wanted here", job.id);
            }
            // Nothing was sent: the sweep takes it up once the store answers again.
            (Err(error), _) => {
                record.leave();
                return tracing::warn!(%error, video.id = job.id, "a video waits for its store: {error}");
            }
        };
        self.end(job, ended, record).await;
    }

    /// One turn, with signs of life.
    async fn film(&self, job: &mut Job, request: ChatRequest, record: &mut Record) -> Ended {
        let chat = self.chat.clone();
        let mut batches = stream::once(async move { chat.complete(request).await }).try_flatten().boxed();
        let mut signs = interval(SIGN_OF_LIFE);
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut media, cancel) = (String::new(), record.cancellation());
        loop {
            tokio::select! {
                () = cancel.cancelled() => return Ended::Failed(cancelled()),
                batch = batches.next() => match batch {
                    Some(Ok(batch)) => {
                        record.events(0, &batch.events);
                        for event in batch.events.into_iter().filter_map(|event| event.kind) {
                            match event {
                                Event::VideoProgress(progress) => advance(job, progress.percent),
                                Event::Video(video) => media = video.name,
                                Event::End(_) if media.is_empty() => return Ended::Failed(missing()),
                                Event::End(_) => return Ended::Made(media),
                                _ => {}
                            }
                        }
                    }
                    Some(Err(error)) => return Ended::Failed(error),
                    None => return Ended::Failed(missing()),
                },
                _ = signs.tick() => match self.save(job).await {
                    Ok(true) => {}
                    Ok(false) => return Ended::Lost,
                    Err(error) => tracing::warn!(%error, video.id = job.id, "a video's progress is not kept: {error}"),
                },
            }
        }
    }

    async fn end(&self, mut job: Job, ended: Ended, mut record: Record) {
        let details = job.details.get_or_insert_default();
        details.ended_at = Clock::system().now_ms();
        match ended {
            Ended::Lost => {
                record.failed(&Error::new(Kind::Cancelled, "video_deleted", "the video was deleted"));
                return tracing::info!(video.id = job.id, "the video {} is no longer wanted here", job.id);
            }
            Ended::Made(media) => (details.media, details.percent) = (media, 100),
            Ended::Failed(error) => {
                tracing::warn!(video.id = job.id, error.code = %error.code, "the video {} failed: {error}", job.id);
                record.turn_failed(0, &error);
                details.error_code = error.code.into_owned();
                details.error_message = error.message;
            }
        }
        drop(record);
        job.open = false;
        // It is known here alone, so it is kept until it can be written.
        let mut waits = WRITE_WAITS.into_iter();
        while let Err(error) = self.save(&mut job).await {
            let hopeless = error.kind != Kind::Unavailable || self.tasks.shutdown().is_draining();
            if hopeless && waits.len() == 0 {
                tracing::warn!(
                    video.id = job.id,
                    "the end of the video {} could not be kept: {error}",
                    job.id
                );
                return;
            }
            tokio::time::sleep(waits.next().unwrap_or(LONGEST_WAIT)).await;
        }
    }

    fn failing(&self) {
        *self.trouble.lock() = Some(Instant::now());
    }

    /// Writes the job, unless somebody else has.
    async fn save(&self, job: &mut Job) -> Result<bool> {
        let updated = self.jobs.update(job.clone()).await.inspect_err(|_| self.failing())?.updated;
        job.version += u64::from(updated);
        Ok(updated)
    }
}

fn advance(job: &mut Job, percent: u32) {
    let details = job.details.get_or_insert_default();
    // All of it is there only once the video is in the cache.
    details.percent = details.percent.max(percent.min(99));
}

/// The video that a turn makes is named after it.
pub(crate) fn id_of(turn_id: &str) -> String {
    format!("video_{}", turn_id.trim_start_matches("turn_"))
}

fn turn_of(id: &str) -> String {
    format!("turn_{}", id.trim_start_matches("video_"))
}

fn interrupted() -> Error {
    let message = "the process that made the video ended before it was finished";
    Error::new(Kind::Unavailable, "video_interrupted", message)
}

fn missing() -> Error {
    Error::new(Kind::Upstream, "upstream_video_missing", "the upstream ended without a video")
}
