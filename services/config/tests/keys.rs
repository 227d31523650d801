//! What a service of client keys must do, however it is reached.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a helper fails the test")]

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use grok2api_config::{KeysDeps, start_keys};
use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{
    Error, Kind, Stream,
    keys::{
        self, AuthenticateRequest, Budget, Changes, CreateRequest, CreateResponse, Facts, GetRequest, Key,
        Keys, Limits, ListRequest, RevokeRequest, Spec, UpdateRequest, Use, UsedRequest, WatchRequest,
    },
};
use grok2api_storage::{Store, actions::Actions, client_keys::digest, limiter};
use grok2api_testkit::{Ground, Standing, reach};
use rstest::rstest;

const NOW: i64 = 1_760_000_000_000;

struct Fixture {
    keys: Arc<dyn Keys>,
    actions: Arc<dyn Actions>,
    clock: Clock,
    tasks: Tasks,
    standing: Standing,
}

impl Fixture {
    async fn new(ground: Ground) -> Self {
        let (standing, tasks, clock) = (ground.store(), Tasks::new(), Clock::manual(NOW));
        let (service, actions) = open(&standing, &clock, &tasks).await;
        let keys = reach(ground.reach(), service, keys::server, keys::client, &tasks).await;
        Self { keys, actions, clock, tasks, standing }
    }

    async fn create(&self, spec: Spec) -> Result<(Key, String), Error> {
        let request = CreateRequest { spec: Some(spec), author: "admin".into() };
        self.keys.create(request).await.map(|CreateResponse { key, secret }| (key.unwrap(), secret))
    }

    async fn update(&self, key: &Key, change: impl FnOnce(&mut Spec)) -> Result<Key, Error> {
        let mut spec = key.spec.clone().unwrap();
        change(&mut spec);
        let (id, expected_version) = (key.id.clone(), key.version);
        let request = UpdateRequest { id, spec: Some(spec), expected_version, author: "admin".into() };
        self.keys.update(request).await
    }

    async fn revoke(&self, key: &Key) -> Result<Key, Error> {
        self.keys.revoke(RevokeRequest { id: key.id.clone(), author: "admin".into() }).await
    }

    async fn authenticate(&self, secret: &str) -> Result<Facts, Error> {
        let digest = digest(secret.as_bytes()).to_vec().into();
        self.keys.authenticate(AuthenticateRequest { digest }).await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

async fn open(standing: &Standing, clock: &Clock, tasks: &Tasks) -> (Arc<dyn Keys>, Arc<dyn Actions>) {
    let store = Store::open(&standing.settings).await.unwrap();
    let actions = store.actions();
    let (clock, tasks) = (clock.clone(), tasks.clone());
    let deps = KeysDeps {
        keys: store.client_keys(),
        budgets: store.budgets(),
        limiter: limiter::memory(clock.clone()),
        prefix: standing.settings.keys.prefix.clone(),
        clock,
        tasks,
    };
    (start_keys(deps).await.unwrap(), actions)
}

fn named(name: &str) -> Spec {
    Spec { name: name.into(), ..Spec::default() }
}

fn budget(amount: u64, unit: &str, period: &str) -> Budget {
    Budget { unit: unit.into(), period: period.into(), amount }
}

async fn next(changes: &mut Stream<Changes>) -> Vec<Facts> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
        let keys = next.expect("a change in time").expect("a change").expect("no error").keys;
        if !keys.is_empty() {
            return keys;
        }
    }
}

#[rstest]
#[tokio::test]
async fn a_new_key_opens_with_its_secret_which_is_shown_once(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let full = Spec {
        name: " Büro ".into(),
        note: "for tests".into(),
        expires_at: Some(NOW + 1),
        models: vec!["grok-4".into(), "grok-3".into(), "grok-4".into()],
        addresses: vec!["10.1.2.3/8".into(), "192.0.2.7".into(), "2001:db8::1".into()],
        account_tags: vec!["team".into()],
        ..Spec::default()
    };
    let (key, secret) = fixture.create(full).await.unwrap();
    assert!(secret.starts_with("sk-g2a-") && key.masked.ends_with(&secret[secret.len() - 4..]));
    assert!(!format!("{key:?}").contains(&secret));
    let spec = key.spec.clone().unwrap();
    assert_eq!((spec.name.as_str(), key.created_at, key.version), ("Büro", NOW, 1));
    assert_eq!(spec.models, ["grok-3", "grok-4"]);
    assert_eq!(spec.addresses, ["10.0.0.0/8", "192.0.2.7", "2001:db8::1"]);
    let facts = fixture.authenticate(&secret).await.unwrap();
    assert_eq!((&facts.id, &facts.models, &facts.account_tags), (&key.id, &spec.models, &spec.account_tags));
    assert_eq!(facts.addresses, ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::1/128"]);
    let request = GetRequest { id: key.id.clone() };
    assert_eq!(fixture.keys.get(request).await.unwrap(), key);
    let (other, _) = fixture.create(named("second")).await.unwrap();
    assert_eq!(fixture.keys.list(ListRequest {}).await.unwrap().keys, [key, other]);
}

#[rstest]
#[tokio::test]
async fn a_key_that_may_not_be_used_is_refused(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let (key, secret) = fixture.create(Spec { expires_at: Some(NOW + 1_000), ..named("a") }).await.unwrap();
    let refused = async |part: &str| {
        let error = fixture.authenticate(&secret).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_ref()), (Kind::Unauthenticated, "invalid_api_key"));
        assert!(error.message.contains(part), "{error}");
    };
    let off = fixture.update(&key, |spec| spec.disabled = true).await.unwrap();
    refused("switched off").await;
    let on = fixture.update(&off, |spec| spec.disabled = false).await.unwrap();
    fixture.authenticate(&secret).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    refused("expired").await;
    let longer = fixture.update(&on, |spec| spec.expires_at = None).await.unwrap();
    fixture.authenticate(&secret).await.unwrap();
    let revoked = fixture.revoke(&longer).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(NOW + 1_000));
    refused("revoked").await;
    assert_eq!(fixture.revoke(&longer).await.unwrap(), revoked, "again changes nothing");
    let error = fixture.update(&revoked, |spec| spec.note = "x".into()).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Kind::Conflict, "client_key_revoked"));
    let error = fixture.authenticate("sk-g2a-nobody").await.unwrap_err();
    assert_eq!(error.kind, Kind::Unauthenticated);
}

#[rstest]
#[case::no_name(Spec::default(), "invalid_value", "name")]
#[case::long_note(Spec { note: "x".repeat(2049), ..named("a") }, "invalid_value", "note")]
#[case::no_network(Spec { addresses: vec!["10.0.0.0/33".into()], ..named("a") }, "invalid_value", "addresses")]
#[case::empty_model(Spec { models: vec![" ".into()], ..named("a") }, "invalid_value", "models")]
#[case::no_rate(
    Spec { limits: Some(Limits { requests_per_minute: Some(0), ..Limits::default() }), ..named("a") },
    "invalid_value",
    "limits.requests_per_minute"
)]
#[case::vast(
    Spec { limits: Some(Limits { concurrency: Some(u64::MAX), ..Limits::default() }), ..named("a") },
    "invalid_value",
    "limits.concurrency"
)]
#[case::no_budget(Spec { budgets: vec![budget(0, "tokens", "day")], ..named("a") }, "invalid_value", "budgets")]
#[case::no_unit(Spec { budgets: vec![budget(1, "euro", "day")], ..named("a") }, "invalid_value", "budgets")]
#[case::no_period(Spec { budgets: vec![budget(1, "units", "year")], ..named("a") }, "invalid_value", "budgets")]
#[case::twice(
    Spec { budgets: vec![budget(1, "units", "week"), budget(2, "units", "week")], ..named("a") },
    "invalid_value",
    "budgets"
)]
#[tokio::test]
async fn what_cannot_be_kept_is_refused(#[case] spec: Spec, #[case] code: &str, #[case] param: &str) {
    let fixture = Fixture::new(Ground::Wired).await;
    let error = fixture.create(spec.clone()).await.unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, Some(param)), "{error}");
    assert_eq!(error.code, code);
    let (key, _) = fixture.create(named("good")).await.unwrap();
    let error = fixture.update(&key, |given| *given = spec).await.unwrap_err();
    assert_eq!(error.param.as_deref(), Some(param));
    assert_eq!(fixture.keys.list(ListRequest {}).await.unwrap().keys, [key], "nothing was written");
}

#[rstest]
#[tokio::test]
async fn an_update_of_an_old_version_is_a_conflict(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let (key, _) = fixture.create(named("a")).await.unwrap();
    fixture.update(&key, |spec| spec.note = "first".into()).await.unwrap();
    let error = fixture.update(&key, |spec| spec.note = "late".into()).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Kind::Conflict, "revision_conflict"));
    for id in ["", "nobody", "01900000-0000-7000-8000-000000000000"] {
        let error = fixture.keys.get(GetRequest { id: id.into() }).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_ref()), (Kind::NotFound, "client_key_not_found"));
    }
}

#[rstest]
#[tokio::test]
async fn a_watcher_sees_all_keys_and_what_any_process_changes(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let (key, _) = fixture.create(named("a")).await.unwrap();
    let mut changes = fixture.keys.watch(WatchRequest {}).await.unwrap();
    assert_eq!(next(&mut changes).await[0].id, key.id);
    let (second, _) = fixture.create(named("b")).await.unwrap();
    assert_eq!(next(&mut changes).await[0].id, second.id);
    let (other, _) = open(&fixture.standing, &fixture.clock, &fixture.tasks).await;
    other.revoke(RevokeRequest { id: key.id.clone(), author: "other".into() }).await.unwrap();
    let seen = next(&mut changes).await;
    assert_eq!((seen.len(), &seen[0].id, seen[0].refused), (1, &key.id, true));
    fixture.tasks.shutdown().drain();
    assert!(changes.next().await.is_none_or(|end| end.is_err()));
}

#[rstest]
#[tokio::test]
async fn uses_are_noted(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let (key, _) = fixture.create(named("a")).await.unwrap();
    let uses = [("nobody", 3), (key.id.as_str(), NOW + 5), (key.id.as_str(), NOW)];
    let uses = uses.map(|(id, at)| Use { id: id.into(), at }).to_vec();
    fixture.keys.used(UsedRequest { uses }).await.unwrap();
    let used = fixture.keys.get(GetRequest { id: key.id.clone() }).await.unwrap();
    assert_eq!((used.last_used_at, used.version), (Some(NOW + 5), key.version));
}

#[tokio::test]
async fn every_change_is_in_the_log_of_actions_without_a_secret() {
    let fixture = Fixture::new(Ground::Direct).await;
    let (key, secret) = fixture.create(named("a")).await.unwrap();
    fixture.update(&key, |spec| spec.note = "changed".into()).await.unwrap();
    fixture.revoke(&key).await.unwrap();
    let actions = fixture.actions.page(None, 9).await.unwrap();
    let what: Vec<_> = actions.iter().map(|action| action.what.as_str()).collect();
    assert_eq!(what, ["client_key.revoke", "client_key.update", "client_key.create"]);
    assert!(actions.iter().all(|action| action.actor == "admin" && action.target == key.id));
    assert_eq!(
        (&actions[1].before["spec"]["note"], &actions[1].after["spec"]["note"]),
        (&"".into(), &"changed".into())
    );
    assert!(actions[2].before.is_null() && actions[0].after["revoked_at"] == NOW);
    assert!(!format!("{actions:?}").contains(&secret));
}

/// A gateway that knew better must not come back to a replica that has heard nothing for a while.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_watches_a_replica_that_has_lost_its_store(
    #[values(Ground::TcpMariaDb, Ground::TcpRedis)] ground: Ground,
) {
    let mut fixture = Fixture::new(ground).await;
    let (key, _) = fixture.create(named("a")).await.unwrap();
    let mut changes = fixture.keys.watch(WatchRequest {}).await.unwrap();
    assert!(changes.next().await.unwrap().unwrap().whole);
    tokio::task::block_in_place(|| fixture.standing.backing.kill());
    let end = tokio::time::timeout(Duration::from_secs(20), changes.next()).await.expect("it ends in time");
    assert!(end.is_none_or(|end| end.is_err()));
    let refused = fixture.keys.watch(WatchRequest {}).await.err().expect("refused");
    assert_eq!((refused.kind, refused.code.as_ref()), (Kind::Unavailable, "storage_unavailable"));
    tokio::task::block_in_place(|| fixture.standing.backing.start_again());
    let again = async {
        loop {
            if let Ok(mut changes) = fixture.keys.watch(WatchRequest {}).await {
                return changes.next().await.unwrap().unwrap();
            }
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(20), again).await.expect("it comes back");
    assert_eq!((all.whole, all.keys.len(), all.keys[0].id.as_str()), (true, 1, key.id.as_str()));
}
