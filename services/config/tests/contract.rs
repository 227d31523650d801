//! What a config service must do, however it is reached.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a helper fails the test")]

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use grok2api_config::{Deps, REVISIONS, start};
use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{
    Error, Kind, Stream,
    config::{
        self, Change, Config, GetRequest, ListParametersRequest, ListRevisionsRequest, Revision,
        RollbackRequest, RuntimeConfig, UpdateRequest, WatchRequest,
    },
};
use grok2api_storage::{Store, bell::Bell};
use grok2api_testkit::{Backing, Ground, Standing, reach};
use rstest::rstest;

const NOW: i64 = 1_760_000_000_000;

struct Fixture {
    config: Arc<dyn Config>,
    clock: Clock,
    tasks: Tasks,
    standing: Standing,
}

impl Fixture {
    async fn new(ground: Ground) -> Self {
        let (standing, tasks, clock) = (ground.store(), Tasks::new(), Clock::manual(NOW));
        let config = reach(
            ground.reach(),
            open(&standing, &clock, &tasks).await,
            config::server,
            config::client,
            &tasks,
        )
        .await;
        Self { config, clock, tasks, standing }
    }

    async fn update(&self, changes: &[(&str, &str)]) -> Result<Revision, Error> {
        self.config.update(update(changes)).await
    }

    async fn watch(&self) -> Stream<Revision> {
        self.config.watch(WatchRequest {}).await.unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

async fn open(standing: &Standing, clock: &Clock, tasks: &Tasks) -> Arc<dyn Config> {
    asking(standing, REVISIONS, clock, tasks).await
}

/// A service that asks the store so often.
async fn asking(standing: &Standing, every: Duration, clock: &Clock, tasks: &Tasks) -> Arc<dyn Config> {
    let settings = Store::open(&standing.settings).await.unwrap().settings();
    let bell = Bell::open(standing.settings.storage.hot_url()).await.unwrap();
    start(Deps { settings, bell, every, clock: clock.clone(), tasks: tasks.clone() }).await.unwrap()
}

fn update(changes: &[(&str, &str)]) -> UpdateRequest {
    let changes: HashMap<String, String> =
        changes.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    UpdateRequest { changes, expected_revision: None, author: "admin".to_owned() }
}

fn parameters(revision: Revision) -> RuntimeConfig {
    revision.config.unwrap()
}

async fn next(revisions: &mut Stream<Revision>) -> Revision {
    let next = tokio::time::timeout(Duration::from_secs(20), revisions.next()).await;
    next.expect("a revision in time").expect("a revision").expect("no error")
}

#[rstest]
#[tokio::test]
async fn a_fresh_store_is_at_revision_0_with_the_defaults(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let revision = fixture.config.get(GetRequest {}).await.unwrap();
    assert_eq!((revision.number, revision.created_at), (0, 0));
    let config = parameters(revision);
    assert_eq!((config.image_cache_max_size_mb, config.stream_total_timeout), (512, 600));
    assert!(config.temporary && config.x_statsig_id.starts_with("ZTpUeXBl"));
}

#[rstest]
#[tokio::test]
async fn an_update_changes_what_it_names_and_keeps_the_rest(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let first = fixture.update(&[("image_mode", "\"base64\""), ("temporary", "false")]).await.unwrap();
    assert_eq!((first.number, first.author.as_str(), first.created_at), (1, "admin", NOW));
    fixture.clock.advance(Duration::from_secs(1));
    let second = fixture.update(&[("temporary", "null"), ("max_attempts", "5")]).await.unwrap();
    assert_eq!((second.number, second.created_at), (2, NOW + 1000));
    let config = parameters(fixture.config.get(GetRequest {}).await.unwrap());
    assert_eq!((config.image_mode.as_str(), config.temporary, config.max_attempts), ("base64", true, 5));
}

#[rstest]
#[tokio::test]
async fn an_update_that_changes_nothing_makes_no_revision(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    assert_eq!(fixture.update(&[("temporary", "true"), ("api_key", "null")]).await.unwrap().number, 0);
    fixture.update(&[("api_key", "\"k\"")]).await.unwrap();
    assert_eq!(fixture.update(&[("api_key", "\"k\"")]).await.unwrap().number, 1);
}

#[rstest]
#[tokio::test]
async fn one_mistake_refuses_the_whole_update(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    for (name, text, code) in [
        ("max_attempts", "0", "invalid_parameter"),
        ("nonsense", "1", "unknown_parameter"),
        ("temporary", "", "invalid_parameter"),
    ] {
        let error = fixture.update(&[("image_mode", "\"base64\""), (name, text)]).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_ref()), (Kind::InvalidRequest, code));
        assert_eq!(error.param.as_deref(), Some(name));
    }
    let revision = fixture.config.get(GetRequest {}).await.unwrap();
    assert_eq!((revision.number, parameters(revision).image_mode.as_str()), (0, "url"));
}

#[rstest]
#[tokio::test]
async fn an_expected_revision_that_is_not_the_newest_is_a_conflict(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let request = UpdateRequest { expected_revision: Some(0), ..update(&[("max_attempts", "4")]) };
    assert_eq!(fixture.config.update(request).await.unwrap().number, 1);
    let late = UpdateRequest { expected_revision: Some(0), ..update(&[("max_attempts", "5")]) };
    let error = fixture.config.update(late).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Kind::Conflict, "revision_conflict"));
    assert_eq!(parameters(fixture.config.get(GetRequest {}).await.unwrap()).max_attempts, 4);
}

#[rstest]
#[tokio::test]
async fn concurrent_updates_of_different_parameters_are_all_kept(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let other = open(&fixture.standing, &fixture.clock, &fixture.tasks).await;
    let (a, b, c, d) = tokio::join!(
        fixture.update(&[("max_attempts", "5")]),
        fixture.update(&[("image_mode", "\"base64\"")]),
        other.update(update(&[("temporary", "false")])),
        other.update(update(&[("role_markers", "false")])),
    );
    let mut numbers: Vec<u64> = [a, b, c, d].into_iter().map(|revision| revision.unwrap().number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let config = parameters(fixture.config.get(GetRequest {}).await.unwrap());
    assert_eq!((config.max_attempts, config.image_mode.as_str()), (5, "base64"));
    assert!(!config.temporary && !config.role_markers);
}

#[rstest]
#[tokio::test]
async fn a_watcher_sees_the_newest_at_once_and_then_every_later_one(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    fixture.update(&[("max_attempts", "4")]).await.unwrap();
    let mut revisions = fixture.watch().await;
    assert_eq!(next(&mut revisions).await.number, 1);
    for attempts in 5..8_u32 {
        fixture.update(&[("max_attempts", &attempts.to_string())]).await.unwrap();
        assert_eq!(parameters(next(&mut revisions).await).max_attempts, attempts);
    }
}

#[rstest]
#[tokio::test]
async fn a_watcher_sees_what_another_process_wrote(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let mut revisions = fixture.watch().await;
    assert_eq!(next(&mut revisions).await.number, 0);
    let other = open(&fixture.standing, &fixture.clock, &fixture.tasks).await;
    other.update(update(&[("base_url", "\"https://g.example\"")])).await.unwrap();
    assert_eq!(parameters(next(&mut revisions).await).base_url, "https://g.example");
}

/// Nobody asks the store within the time of this test.
#[rstest]
#[case::mysql(Ground::TcpMariaDb)]
#[case::redis(Ground::TcpRedis)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_redis_a_change_elsewhere_is_heard_of_and_not_asked_for(#[case] ground: Ground) {
    let (mut standing, tasks, clock) = (ground.store(), Tasks::new(), Clock::manual(NOW));
    let seldom = Duration::from_secs(3600);
    let one = asking(&standing, seldom, &clock, &tasks).await;
    let other = asking(&standing, seldom, &clock, &tasks).await;
    let mut heard = other.watch(WatchRequest {}).await.unwrap();
    assert_eq!(next(&mut heard).await.number, 0);
    for number in 1..4 {
        one.update(update(&[("account_concurrency", &number.to_string())])).await.unwrap();
        assert_eq!(next(&mut heard).await.number, number);
    }
    one.rollback(RollbackRequest { number: 1, expected_revision: 3, author: "anna".into() }).await.unwrap();
    assert_eq!(next(&mut heard).await.number, 4);
    // What nobody could tell is found when the Redis is back.
    if let Backing::MariaDb(_, redis) = &mut standing.backing {
        tokio::task::block_in_place(|| redis.kill());
        one.update(update(&[("account_concurrency", "9")])).await.unwrap();
        tokio::task::block_in_place(|| redis.start_again());
        assert_eq!(parameters(next(&mut heard).await).account_concurrency, 9);
    }
    tasks.shutdown().stop();
}

#[rstest]
#[tokio::test]
async fn a_watch_ends_when_the_service_drains(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let mut revisions = fixture.watch().await;
    next(&mut revisions).await;
    fixture.tasks.shutdown().drain();
    assert!(revisions.next().await.is_none_or(|end| end.is_err()));
}

#[rstest]
#[tokio::test]
async fn a_service_of_the_product_follows_through_its_runtime(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let mut runtime = Runtime::follow(fixture.config.clone(), &fixture.tasks).await.unwrap();
    fixture.update(&[("account_concurrency", "3")]).await.unwrap();
    assert_eq!(runtime.changed().await.config.account_concurrency, 3);
}

#[rstest]
#[tokio::test]
async fn parameters_are_listed_with_their_types(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let listed = fixture.config.list_parameters(ListParametersRequest {}).await.unwrap().parameters;
    let attempts = listed.iter().find(|parameter| parameter.name == "max_attempts").unwrap();
    assert_eq!(
        (attempts.scope.as_str(), attempts.kind.as_str(), attempts.default.as_str()),
        ("grok", "integer", "3")
    );
    assert!(attempts.description.contains("from 1 to 10") && !attempts.secret);
    assert!(listed.iter().any(|parameter| parameter.name == "admin_password" && parameter.secret));
}

#[tokio::test]
async fn revisions_outlive_the_process() {
    let fixture = Fixture::new(Ground::Direct).await;
    fixture.update(&[("image_mode", "\"base64\"")]).await.unwrap();
    fixture.tasks.shutdown().stop();
    let again = open(&fixture.standing, &fixture.clock, &Tasks::new()).await;
    assert_eq!(parameters(again.get(GetRequest {}).await.unwrap()).image_mode, "base64");
}

#[rstest]
#[tokio::test]
async fn the_history_tells_what_each_revision_changed(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    fixture.update(&[("image_mode", "\"base64\""), ("api_key", "\"sk-secret-value\"")]).await.unwrap();
    fixture.update(&[("image_mode", "null")]).await.unwrap();
    fixture.update(&[("max_attempts", "4")]).await.unwrap();
    let page = |before| fixture.config.list_revisions(ListRevisionsRequest { before, limit: 2 });
    let first = page(0).await.unwrap();
    let told = |changes: &[Change]| -> Vec<String> {
        changes.iter().map(|change| format!("{} {} {}", change.name, change.before, change.after)).collect()
    };
    assert_eq!(first.revisions.iter().map(|revision| revision.number).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(told(&first.revisions[0].changes), ["max_attempts 3 4"]);
    assert_eq!(told(&first.revisions[1].changes), ["image_mode \"base64\" \"url\""]);
    let second = page(first.next_before).await.unwrap();
    assert_eq!(
        told(&second.revisions[0].changes),
        ["api_key \"\" \"********\"", "image_mode \"url\" \"base64\""]
    );
    assert_eq!((second.revisions.len(), second.next_before), (1, 0));
}

#[rstest]
#[tokio::test]
async fn a_rollback_says_again_what_an_earlier_revision_said(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    fixture.update(&[("image_mode", "\"base64\""), ("admin_password", "\"an old one\"")]).await.unwrap();
    fixture
        .update(&[("max_attempts", "4"), ("image_mode", "null"), ("admin_password", "null")])
        .await
        .unwrap();
    let back = |number, expected_revision| {
        let author = "anna".to_owned();
        fixture.config.rollback(RollbackRequest { number, expected_revision, author })
    };
    let revision = back(1, 2).await.unwrap();
    assert_eq!((revision.number, revision.author.as_str()), (3, "anna"));
    let config = parameters(revision);
    assert_eq!((config.image_mode.as_str(), config.max_attempts), ("base64", 3));
    assert_eq!(config.admin_password, "admin", "a password does not come back");
    assert_eq!(back(3, 3).await.unwrap().number, 3, "nothing to change");
    assert_eq!(back(1, 2).await.unwrap_err().code, "revision_conflict");
    assert_eq!(back(9, 3).await.unwrap_err().code, "revision_not_found");
    assert_eq!(parameters(back(0, 3).await.unwrap()).image_mode, "url", "revision 0 is the defaults");
}
