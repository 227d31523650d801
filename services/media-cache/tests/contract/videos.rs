//! What a keeper of video jobs must do, however it is reached.

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{
    Kind,
    video::{self, GetRequest, Job, JobDetails, ListRequest, ListSilentRequest, VideoJobs},
};
use grok2api_storage::Store;
use grok2api_testkit::{Ground, Reach, Standing, reach};
use rstest::rstest;

async fn jobs(how: Reach, standing: &Standing, clock: Clock, tasks: &Tasks) -> Arc<dyn VideoJobs> {
    let store = Store::open(&standing.settings).await.unwrap();
    let service = grok2api_media_cache::videos::start(store.videos(), clock, tasks);
    reach(how, service, video::server, video::client, tasks).await
}

fn job(id: &str, client: &str) -> Job {
    let details = JobDetails { prompt: "a cat".into(), request: vec![1, 2].into(), ..JobDetails::default() };
    Job { id: id.into(), client: client.into(), open: true, details: Some(details), ..Job::default() }
}

fn of(id: &str, client: &str) -> GetRequest {
    GetRequest { id: id.into(), client: client.into() }
}

#[rstest]
#[tokio::test]
async fn a_job_is_kept_changed_by_one_and_seen_by_its_client(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let (standing, tasks) = (ground.store(), Tasks::new());
    let jobs = jobs(ground.reach(), &standing, Clock::manual(1000), &tasks).await;
    let kept = jobs.insert(job("video_1", "a")).await.unwrap();
    assert_eq!(
        (kept.version, kept.created_at, kept.details.as_ref().unwrap().prompt.as_str()),
        (1, 1000, "a cat")
    );
    assert_eq!(jobs.insert(job("video_1", "a")).await.unwrap_err().kind, Kind::Conflict);
    assert_eq!(jobs.get(of("video_1", "a")).await.unwrap(), kept);
    for (id, client) in [("video_1", ""), ("video_2", "a")] {
        assert_eq!(jobs.get(of(id, client)).await.unwrap_err().code, "video_not_found");
        assert_eq!(jobs.remove(of(id, client)).await.unwrap_err().code, "video_not_found");
    }
    assert!(jobs.update(kept.clone()).await.unwrap().updated);
    assert!(!jobs.update(kept.clone()).await.unwrap().updated, "it has another version by now");
    jobs.insert(job("video_2", "a")).await.unwrap();
    let list = ListRequest { client: "a".into(), before: String::new(), limit: 9 };
    let ids: Vec<String> = jobs.list(list).await.unwrap().jobs.into_iter().map(|job| job.id).collect();
    assert_eq!(ids, ["video_2", "video_1"]);
    jobs.remove(of("video_1", "a")).await.unwrap();
    assert!(!jobs.update(Job { version: 2, ..kept }).await.unwrap().updated);
    tasks.shutdown().stop();
}

#[rstest]
#[tokio::test]
async fn silence_is_told_by_the_services_own_clock(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let (standing, tasks) = (ground.store(), Tasks::new());
    let silent = async |now: i64| {
        let later = jobs(ground.reach(), &standing, Clock::manual(now), &tasks).await;
        later.list_silent(ListSilentRequest { for_ms: 30_000, limit: 9 }).await.unwrap().jobs.len()
    };
    let jobs = jobs(ground.reach(), &standing, Clock::manual(1000), &tasks).await;
    let kept = jobs.insert(job("video_1", "")).await.unwrap();
    assert_eq!((silent(31_000).await, silent(31_001).await), (0, 1));
    jobs.update(Job { open: false, ..kept }).await.unwrap();
    assert_eq!(silent(99_000).await, 0, "what has ended has nothing to say");
    tasks.shutdown().stop();
}

#[rstest]
#[tokio::test]
async fn however_many_are_old_they_are_forgotten_at_once(
    #[values(Ground::Direct, Ground::TcpMariaDb, Ground::TcpRedis)] ground: Ground,
) {
    const WEEK: i64 = 7 * 24 * 3_600_000;
    let (standing, tasks) = (ground.store(), Tasks::new());
    let kept = Store::open(&standing.settings).await.unwrap().videos();
    for number in 0..250 {
        let old = grok2api_storage::videos::Job {
            id: format!("video_{number:04}"),
            client: String::new(),
            open: number == 7,
            alive_at: 0,
            created_at: number,
            version: 1,
            details: Vec::new(),
        };
        assert!(kept.insert(&old).await.unwrap());
    }
    let _jobs = jobs(ground.reach(), &standing, Clock::manual(WEEK + 249), &tasks).await;
    let left = async {
        loop {
            let left = kept.page("", None, 500).await.unwrap();
            if left.len() <= 2 {
                return left;
            }
            tokio::task::yield_now().await;
        }
    };
    let left = tokio::time::timeout(std::time::Duration::from_secs(20), left).await;
    let left: Vec<String> = left.expect("within the hour").into_iter().map(|job| job.id).collect();
    assert_eq!(left, ["video_0249", "video_0007"], "the one that goes on, and the one that is young");
    tasks.shutdown().stop();
}
