//! What a service of admins must do, however it is reached and wherever it keeps them.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{sync::Arc, time::Duration};

use grok2api_config::admins::{Deps, start};
use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime, settings::Settings};
use grok2api_proto::{
    Error, Kind,
    admin::{
        self, Action, Admin, Admins, AuthenticateRequest, ChangePasswordRequest, CreateRequest,
        EndSessionsRequest, ListActionsRequest, ListRequest, ListSessionsRequest, LoginRequest,
        LoginResponse, Role, UpdateRequest,
    },
    config::{Config, GetRequest, UpdateRequest as Change},
};
use grok2api_storage::{Store, bell::Bell, board, sessions::Digest};
use grok2api_testkit::{Ground, Reach, Standing, reach};
use rstest::rstest;
use sha2::{Digest as _, Sha256};

const NOW: i64 = 1_760_000_000_000;
const HOUR: Duration = Duration::from_secs(60 * 60);

struct Fixture {
    admins: Arc<dyn Admins>,
    config: Arc<dyn Config>,
    clock: Clock,
    tasks: Tasks,
    store: Store,
    /// It ends with the fixture.
    standing: Option<Standing>,
}

impl Fixture {
    async fn new(ground: Ground) -> Self {
        Self::on(ground, "the first password").await
    }

    async fn on(ground: Ground, first_password: &str) -> Self {
        let standing = ground.store();
        let mut started = Self::at(ground.reach(), &standing.settings, first_password).await;
        started.standing = Some(standing);
        started
    }

    async fn at(how: Reach, settings: &Settings, first_password: &str) -> Self {
        let (tasks, clock) = (Tasks::new(), Clock::manual(NOW));
        let store = Store::open(settings).await.unwrap();
        let config = grok2api_config::Deps {
            settings: store.settings(),
            bell: Bell::default(),
            every: grok2api_config::REVISIONS,
            clock: clock.clone(),
            tasks: tasks.clone(),
        };
        let config = grok2api_config::start(config).await.unwrap();
        let service = start(Deps {
            admins: store.admins(),
            sessions: store.sessions(),
            actions: store.actions(),
            board: board::open(settings.storage.hot_url()).await.unwrap(),
            config: config.clone(),
            runtime: Runtime::follow(config.clone(), &tasks).await.unwrap(),
            first_password: first_password.to_owned(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        let admins = reach(how, service.await.unwrap(), admin::server, admin::client, &tasks).await;
        Self { admins, config, clock, tasks, store, standing: None }
    }

    async fn login(&self, name: &str, password: &str) -> Result<LoginResponse, Error> {
        let request = LoginRequest {
            name: name.into(),
            password: password.into(),
            address: "192.0.2.1".into(),
            user_agent: "test".into(),
        };
        self.admins.login(request).await
    }

    async fn owner(&self) -> LoginResponse {
        self.login("admin", "the first password").await.unwrap()
    }

    async fn authenticate(&self, token: &str) -> Result<admin::Session, Error> {
        self.admins.authenticate(AuthenticateRequest { digest: digest(token).to_vec().into() }).await
    }

    async fn create(&self, name: &str, role: Role) -> Result<Admin, Error> {
        let request = CreateRequest {
            name: name.into(),
            role: role.into(),
            password: "a password for now".into(),
            author: "admin".into(),
            password_is_theirs: false,
        };
        self.admins.create(request).await
    }

    async fn actions(&self) -> Vec<String> {
        let listed = self.admins.list_actions(ListActionsRequest::default()).await.unwrap();
        listed
            .actions
            .iter()
            .map(|action| format!("{} {} {}", action.actor, action.what, action.target))
            .collect()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

fn change(admin: &Admin) -> UpdateRequest {
    UpdateRequest {
        id: admin.id.clone(),
        expected_version: admin.version,
        author: "admin".into(),
        ..UpdateRequest::default()
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code.into_owned()
}

#[rstest]
#[tokio::test]
async fn a_session_opens_until_it_expires_or_is_ended(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let begun = fixture.owner().await;
    assert_eq!(begun.token.len(), 43);
    let session = fixture.authenticate(&begun.token).await.unwrap();
    let admin = session.admin.clone().unwrap();
    assert_eq!((admin.name.as_str(), admin.role()), ("admin", Role::Owner));
    assert!(!admin.must_change_password);
    assert_eq!((session.created_at, session.expires_at), (NOW, NOW + 24 * 60 * 60 * 1000));
    assert_eq!((session.address.as_str(), session.user_agent.as_str()), ("192.0.2.1", "test"));
    assert_eq!(code(fixture.authenticate("another").await), "SESSION_INVALID");
    let kept = fixture.store.sessions().of(admin.id.parse().unwrap()).await.unwrap();
    assert_eq!(kept[0].digest, digest(&begun.token), "only a digest is kept");

    fixture.clock.advance(HOUR);
    assert_eq!(fixture.authenticate(&begun.token).await.unwrap().last_seen_at, NOW + 60 * 60 * 1000);
    let other = fixture.owner().await;
    let digests = vec![digest(&begun.token).to_vec().into()];
    let end = EndSessionsRequest { admin_id: admin.id.clone(), digests, ..Default::default() };
    assert_eq!(fixture.admins.end_sessions(end).await.unwrap().ended, 1);
    assert_eq!(code(fixture.authenticate(&begun.token).await), "SESSION_INVALID");
    fixture.clock.advance(24 * HOUR);
    assert_eq!(code(fixture.authenticate(&other.token).await), "SESSION_EXPIRED");
    let listed = fixture.admins.list_sessions(ListSessionsRequest { admin_id: admin.id }).await.unwrap();
    assert!(listed.sessions.is_empty(), "expired ones are not shown");
}

#[rstest]
#[tokio::test]
async fn a_wrong_password_an_unknown_name_and_a_disabled_admin_look_alike(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let bob = fixture.create("bob", Role::Viewer).await.unwrap();
    fixture.admins.update(UpdateRequest { disabled: Some(true), ..change(&bob) }).await.unwrap();
    let mut told = Vec::new();
    for (name, password) in [("admin", "wrong"), ("nobody", "wrong"), ("bob", "a password for now")] {
        let error = fixture.login(name, password).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_ref()), (Kind::Unauthenticated, "wrong_login"));
        told.push(error.message);
    }
    told.dedup();
    assert_eq!(told.len(), 1);
}

#[rstest]
#[tokio::test]
async fn many_failures_close_a_name_and_an_open_session_stays(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let begun = fixture.owner().await;
    for _ in 0..10 {
        assert_eq!(code(fixture.login("admin", "wrong").await), "wrong_login");
    }
    let error = fixture.login("admin", "the first password").await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Kind::RateLimited, "LOGIN_THROTTLED"));
    assert!(error.retry_after.is_some());
    fixture.authenticate(&begun.token).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_new_password_of_ones_own_ends_all_sessions_and_begins_one(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let (begun, other) = (fixture.owner().await, fixture.owner().await);
    let change = |current: &str, new: &str| {
        let digest = digest(&begun.token).to_vec().into();
        let (current_password, new_password) = (current.to_owned(), new.to_owned());
        fixture.admins.change_password(ChangePasswordRequest { digest, current_password, new_password })
    };
    assert_eq!(code(change("wrong", "a second password").await), "wrong_password");
    assert_eq!(code(change("the first password", "short").await), "weak_password");
    let renewed = change("the first password", "a second password").await.unwrap();
    for ended in [&begun.token, &other.token] {
        assert_eq!(code(fixture.authenticate(ended).await), "SESSION_INVALID");
    }
    fixture.authenticate(&renewed.token).await.unwrap();
    assert_eq!(code(fixture.login("admin", "the first password").await), "wrong_login");
    fixture.login("admin", "a second password").await.unwrap();
    assert!(fixture.actions().await.contains(&"admin admin.password admin".to_owned()));
}

#[rstest]
#[tokio::test]
async fn admins_are_made_and_changed_and_an_owner_always_stays(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let owner = fixture.owner().await.session.unwrap().admin.unwrap();
    let anna = fixture.create("anna", Role::Operator).await.unwrap();
    assert!(anna.must_change_password && anna.role() == Role::Operator);
    assert_eq!(code(fixture.create("anna", Role::Viewer).await), "name_taken");
    assert_eq!(code(fixture.create(" anna", Role::Viewer).await), "invalid_value");
    let begun = fixture.login("anna", "a password for now").await.unwrap();
    assert!(begun.session.unwrap().admin.unwrap().must_change_password);

    let owner =
        fixture.admins.list(ListRequest {}).await.unwrap().admins.into_iter().find(|a| a.id == owner.id);
    let owner = owner.unwrap();
    for refused in [
        UpdateRequest { disabled: Some(true), ..change(&owner) },
        UpdateRequest { role: Role::Viewer.into(), ..change(&owner) },
    ] {
        assert_eq!(code(fixture.admins.update(refused).await), "last_owner");
    }
    let anna =
        fixture.admins.list(ListRequest {}).await.unwrap().admins.into_iter().find(|a| a.id == anna.id);
    let promote = UpdateRequest { role: Role::Owner.into(), ..change(&anna.unwrap()) };
    let anna = fixture.admins.update(promote.clone()).await.unwrap();
    assert_eq!(anna.role(), Role::Owner);
    assert_eq!(code(fixture.authenticate(&begun.token).await), "SESSION_INVALID", "a new role ends sessions");
    assert_eq!(code(fixture.admins.update(promote).await), "revision_conflict");
    fixture.admins.update(UpdateRequest { disabled: Some(true), ..change(&owner) }).await.unwrap();
    assert_eq!(code(fixture.login("admin", "the first password").await), "wrong_login");
    let actions = fixture.actions().await;
    assert_eq!(
        actions.iter().filter(|action| action.starts_with("admin admin.update")).count(),
        2,
        "{actions:?}"
    );
}

#[rstest]
#[tokio::test]
async fn the_log_of_actions_is_paged_from_the_newest(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    for number in 0..5 {
        let action = Action {
            actor: "anna".into(),
            what: "media.clear".into(),
            target: number.to_string(),
            after: format!("{{\"deleted\":{number}}}"),
            ..Action::default()
        };
        fixture.admins.log(action).await.unwrap();
    }
    let (mut targets, mut before) = (Vec::new(), String::new());
    loop {
        let page = fixture.admins.list_actions(ListActionsRequest { before, limit: 2 }).await.unwrap();
        targets.extend(page.actions.into_iter().map(|action| {
            assert_eq!((action.at, action.before.as_str()), (NOW, "null"));
            (action.target, action.after)
        }));
        before = page.next_cursor;
        if before.is_empty() {
            break;
        }
    }
    assert_eq!(targets.len(), 5);
    assert_eq!(targets[0], ("4".into(), "{\"deleted\":4}".into()));
    assert_eq!(targets[4].0, "0");
}

#[tokio::test]
async fn without_a_password_of_its_own_the_first_owner_has_to_set_one() {
    let fixture = Fixture::on(Ground::Direct, "").await;
    let begun = fixture.login("admin", "admin").await.unwrap();
    assert!(begun.session.unwrap().admin.unwrap().must_change_password);
}

#[rstest]
#[tokio::test]
async fn what_the_parameters_say_of_the_owner_is_taken_over(
    #[values(Ground::Direct, Ground::TcpMariaDb, Ground::TcpRedis)] ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let begun = fixture.owner().await;
    let pairs = [("admin_username", "\"root\""), ("admin_password", "\"from the parameters\"")];
    let changes = pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let update = Change { changes, expected_revision: None, author: "test".into() };
    fixture.config.update(update).await.unwrap();
    let revision = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let revision = fixture.config.get(GetRequest {}).await.unwrap();
            if revision.number == 2 {
                break revision.config.unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(revision.await.unwrap().admin_password, "admin", "it does not stay there");
    fixture.login("root", "from the parameters").await.unwrap();
    assert_eq!(code(fixture.login("admin", "the first password").await), "wrong_login");
    assert_eq!(code(fixture.authenticate(&begun.token).await), "SESSION_INVALID");
}

#[rstest]
#[tokio::test]
async fn replicas_that_start_first_at_once_make_one_owner(
    #[values(Ground::Direct, Ground::TcpMariaDb, Ground::TcpRedis)] ground: Ground,
) {
    let standing = ground.store();
    let start = || Fixture::at(ground.reach(), &standing.settings, "the first password");
    let (one, two, three) = tokio::join!(start(), start(), start());
    for replica in [&one, &two, &three] {
        assert_eq!(replica.admins.list(ListRequest {}).await.unwrap().admins.len(), 1);
        replica.owner().await;
    }
}
