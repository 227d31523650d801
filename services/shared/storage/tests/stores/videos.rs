//! What every store of video jobs must do. Each function wants an empty one.

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{
    Error, Resealed, Store,
    videos::{Job, VideoJobs},
};

use crate::support::{KEY, OTHER_KEY, Stand, command, sql, with_another_key};

const SECRET: &str = "the words of a client";

fn job(id: &str, client: &str, alive_at: i64) -> Job {
    Job {
        id: id.into(),
        client: client.into(),
        open: true,
        alive_at,
        created_at: alive_at,
        version: 1,
        details: vec![0, 255, 10],
    }
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    a_job_comes_back_as_it_was_given(&*stand.fresh().await.videos()).await;
    one_of_several_changes_wins(&*stand.fresh().await.videos()).await;
    clients_see_their_own_newest_first(&*stand.fresh().await.videos()).await;
    the_longest_silent_comes_first(&*stand.fresh().await.videos()).await;
    what_ended_long_ago_is_forgotten(&*stand.fresh().await.videos()).await;
    processes_share_the_jobs(&stand).await;
    nobody_reads_them_without_the_key(&stand).await;
    a_new_key_seals_them_too(&stand).await;
    one_of_before_they_were_sealed_is_read(&stand).await;
}

async fn a_job_comes_back_as_it_was_given(jobs: &dyn VideoJobs) {
    let given = Job { details: vec![7; 1 << 20], ..job("video_1", "键", 5) };
    assert!(jobs.insert(&given).await.unwrap());
    assert!(!jobs.insert(&given).await.unwrap(), "the id is taken");
    assert_eq!(jobs.get("video_1").await.unwrap(), Some(given));
    assert_eq!(jobs.get("VIDEO_1").await.unwrap(), None);
    assert!(jobs.remove("video_1").await.unwrap());
    assert!(!jobs.remove("video_1").await.unwrap());
    assert_eq!(jobs.get("video_1").await.unwrap(), None);
    assert!(jobs.page("键", None, 9).await.unwrap().is_empty());
    assert!(jobs.silent(100, 9).await.unwrap().is_empty());
}

async fn one_of_several_changes_wins(jobs: &dyn VideoJobs) {
    let first = job("video_1", "a", 5);
    jobs.insert(&first).await.unwrap();
    let change = |by: u8| Job { details: vec![by], alive_at: 50, ..first.clone() };
    let (one, two) = (change(1), change(2));
    let (one, two) = tokio::join!(jobs.update(&one), jobs.update(&two));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one != two, "exactly one wins");
    let stored = jobs.get("video_1").await.unwrap().unwrap();
    assert_eq!((stored.version, stored.alive_at), (2, 50));
    assert_eq!(stored.details, [if one { 1 } else { 2 }]);
    assert!(!jobs.update(&first).await.unwrap());
    jobs.remove("video_1").await.unwrap();
    assert!(!jobs.update(&stored).await.unwrap(), "what is gone does not come back");
    assert_eq!(jobs.get("video_1").await.unwrap(), None);
}

async fn clients_see_their_own_newest_first(jobs: &dyn VideoJobs) {
    for (id, client) in
        [("video_2", "a"), ("video_1", "a"), ("video_3", "b"), ("video_4", "a"), ("video_5", "")]
    {
        jobs.insert(&job(id, client, 5)).await.unwrap();
    }
    assert_eq!(ids(&jobs.page("a", None, 2).await.unwrap()), ["video_4", "video_2"]);
    assert_eq!(ids(&jobs.page("a", Some("video_2"), 2).await.unwrap()), ["video_1"]);
    assert_eq!(ids(&jobs.page("", None, 9).await.unwrap()), ["video_5"]);
    assert!(jobs.page("A", None, 2).await.unwrap().is_empty());
}

async fn the_longest_silent_comes_first(jobs: &dyn VideoJobs) {
    for (id, alive_at) in [("video_1", 30), ("video_2", 10), ("video_3", 20), ("video_4", 40)] {
        jobs.insert(&job(id, "a", alive_at)).await.unwrap();
    }
    assert_eq!(ids(&jobs.silent(40, 9).await.unwrap()), ["video_2", "video_3", "video_1"]);
    assert_eq!(ids(&jobs.silent(40, 1).await.unwrap()), ["video_2"]);
    jobs.update(&Job { alive_at: 50, ..job("video_2", "a", 10) }).await.unwrap();
    jobs.update(&Job { open: false, ..job("video_3", "a", 20) }).await.unwrap();
    assert_eq!(ids(&jobs.silent(45, 9).await.unwrap()), ["video_1", "video_4"]);
}

async fn what_ended_long_ago_is_forgotten(jobs: &dyn VideoJobs) {
    for (id, made) in [("video_1", 10), ("video_2", 20), ("video_3", 30), ("video_4", 5)] {
        jobs.insert(&job(id, "a", made)).await.unwrap();
        if id != "video_4" {
            jobs.update(&Job { open: false, ..job(id, "a", made) }).await.unwrap();
        }
    }
    assert_eq!(jobs.purge(30, 1).await.unwrap(), 1);
    assert_eq!(jobs.purge(30, 9).await.unwrap(), 1);
    assert_eq!(jobs.purge(30, 9).await.unwrap(), 0);
    assert_eq!(ids(&jobs.page("a", None, 9).await.unwrap()), ["video_4", "video_3"], "open ones stay");
}

async fn processes_share_the_jobs(stand: &Stand) {
    let (one, two) = stand.two().await;
    one.videos().insert(&job("video_1", "a", 5)).await.unwrap();
    let seen = two.videos().get("video_1").await.unwrap().unwrap();
    assert!(two.videos().update(&seen).await.unwrap());
    assert!(!one.videos().update(&seen).await.unwrap());
}

/// Details behind the store's back.
async fn write_details(settings: &Settings, id: &str, details: &[u8]) {
    if settings.storage.mode == Mode::Redis {
        let key = format!("{{g2a}}:videos:job:{id}");
        command(settings, redis::cmd("HSET").arg(key).arg("details").arg(details)).await;
    } else {
        sql(settings, &format!("UPDATE video_jobs SET details = x'{}' WHERE id = '{id}'", hex(details)))
            .await;
    }
}

/// Whether a job holds these words for everybody to read.
async fn tells(settings: &Settings, store: &Store, id: &str, words: &str) -> bool {
    if settings.storage.mode == Mode::Redis {
        let kept =
            command(settings, redis::cmd("HGET").arg(format!("{{g2a}}:videos:job:{id}")).arg("details"))
                .await;
        let redis::Value::BulkString(kept) = kept else { panic!("not kept") };
        return String::from_utf8_lossy(&kept).contains(words);
    }
    let words = hex(words.as_bytes()).to_uppercase();
    let found = format!(
        "UPDATE video_jobs SET alive_at = -1 WHERE id = '{id}' AND INSTR(HEX(details), '{words}') > 0"
    );
    sql(settings, &found).await;
    store.videos().get(id).await.unwrap().unwrap().alive_at == -1
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn nobody_reads_them_without_the_key(stand: &Stand) {
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    let jobs = store.videos();
    let given = Job { details: SECRET.into(), ..job("video_1", "a", 5) };
    jobs.insert(&given).await.unwrap();
    assert!(!tells(&settings, &store, "video_1", SECRET).await);
    jobs.update(&given).await.unwrap();
    assert!(!tells(&settings, &store, "video_1", SECRET).await);
    assert!(with_another_key(&settings).await.is_err());

    jobs.insert(&job("video_2", "a", 5)).await.unwrap();
    write_details(&settings, "video_2", &store.sealer().seal(b"video_1", b"moved").unwrap()).await;
    assert!(matches!(jobs.get("video_2").await, Err(Error::Seal(_))));
    assert_eq!(ids(&jobs.page("a", None, 9).await.unwrap()), ["video_1"], "it holds up no other");
    assert_eq!(ids(&jobs.silent(9, 9).await.unwrap()), ["video_1"]);
}

async fn a_new_key_seals_them_too(stand: &Stand) {
    let settings = stand.settings().await;
    let given = [job("video_1", "a", 5), Job { open: false, ..job("video_2", "a", 5) }];
    let before = Store::open(&settings).await.unwrap();
    for given in &given {
        before.videos().insert(given).await.unwrap();
    }
    let mut changed = settings.clone();
    (changed.seal.key, changed.seal.old_keys) = (OTHER_KEY.to_owned(), KEY.to_owned());
    // The check and the jobs.
    assert_eq!(Store::open(&changed).await.unwrap().reseal(u64::MAX).await.unwrap().done, 3);
    changed.seal.old_keys.clear();
    let jobs = Store::open(&changed).await.unwrap().videos();
    for given in given {
        assert_eq!(jobs.get(&given.id).await.unwrap(), Some(given));
    }
}

async fn one_of_before_they_were_sealed_is_read(stand: &Stand) {
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    store.videos().insert(&job("video_1", "a", 5)).await.unwrap();
    write_details(&settings, "video_1", SECRET.as_bytes()).await;
    assert!(tells(&settings, &store, "video_1", SECRET).await, "the test can see it");
    let read = store.videos().get("video_1").await.unwrap().unwrap();
    assert_eq!(read.details, SECRET.as_bytes());
    let sealed = store.sealed().await.unwrap();
    assert!(sealed.iter().all(|sealed| sealed.kind != "video_jobs"), "{sealed:?}");
    assert_eq!(store.reseal(u64::MAX).await.unwrap(), Resealed::default());
    assert!(store.videos().update(&Job { alive_at: 5, ..read }).await.unwrap());
    assert!(!tells(&settings, &store, "video_1", SECRET).await);
}

/// MariaDB takes 16 MiB at once unless it is told otherwise, and hangs up on more.
#[tokio::test]
async fn a_job_that_mysql_does_not_take_is_refused_and_the_next_one_is_kept() {
    let stand = Stand::start(Mode::Mysql);
    let settings = stand.settings().await;
    let videos = Store::open(&settings).await.unwrap().videos();
    let large = Job { details: vec![7; 20 << 20], ..job("video_1", "a", 1) };
    let refused = videos.insert(&large).await;
    assert!(matches!(refused, Err(Error::TooLarge { bytes: 20_971_565, .. })), "{refused:?}");
    let told = grok2api_proto::Error::from(refused.unwrap_err());
    assert_eq!((told.kind, &*told.code), (grok2api_proto::Kind::TooLarge, "too_large_to_store"));
    let small = job("video_1", "a", 1);
    assert!(videos.insert(&small).await.unwrap());
    let refused = videos.update(&Job { details: large.details.clone(), ..small }).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
    assert!(videos.remove("video_1").await.unwrap());

    sql(&settings, "SET GLOBAL max_allowed_packet = 64 * 1024 * 1024").await;
    let videos = Store::open(&settings).await.unwrap().videos();
    assert!(videos.insert(&large).await.unwrap());
    assert!(videos.get("video_1").await.unwrap() == Some(large));
}
