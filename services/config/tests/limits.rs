//! Admission by the limits and budgets of keys, however the service is reached, and over processes.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{path::Path, sync::Arc, time::Duration};

use futures_util::future::join_all;
use grok2api_config::{KeysDeps, start_keys};
use grok2api_kit::{
    clock::Clock,
    lifecycle::Tasks,
    settings::{Mode, Settings},
};
use grok2api_proto::{
    Error, Kind,
    keys::{
        self, AdmitRequest, AdmitResponse, Budget, CreateRequest, GetRequest, Key, Keys, Limits, ListRequest,
        RenewRequest, SettleRequest, Settlement, Slot, Spec, UpdateRequest, Used,
    },
};
use grok2api_storage::{Store, limiter};
use grok2api_testkit::{Backing, Ground, Reach, reach};
use rstest::rstest;
use tempfile::TempDir;
use uuid::Uuid;

/// 2025-10-09 08:53:20.
const NOW: i64 = 1_760_000_000_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Processes of the config role on one store, and on one Redis where there is one.
struct Fixture {
    services: Vec<Arc<dyn Keys>>,
    clock: Clock,
    tasks: Tasks,
    backing: Backing,
    dir: TempDir,
}

impl Fixture {
    async fn new(how: Reach, mode: Mode, processes: usize) -> Self {
        let (backing, dir) = (Backing::start(mode), tempfile::tempdir().unwrap());
        let (tasks, clock) = (Tasks::new(), Clock::manual(NOW));
        let mut fixture = Self { services: Vec::new(), clock, tasks, backing, dir };
        for _ in 0..processes {
            let service = fixture.open().await;
            fixture.services.push(reach(how, service, keys::server, keys::client, &fixture.tasks).await);
        }
        fixture
    }

    async fn open(&self) -> Arc<dyn Keys> {
        let settings = settings(&self.backing, self.dir.path());
        let store = Store::open(&settings).await.unwrap();
        let limiter = match settings.storage.hot_url() {
            Some(url) => limiter::redis(url, self.clock.clone()).await.unwrap(),
            None => limiter::memory(self.clock.clone()),
        };
        let deps = KeysDeps {
            keys: store.client_keys(),
            budgets: store.budgets(),
            limiter,
            prefix: "sk-test-".into(),
            clock: self.clock.clone(),
            tasks: self.tasks.clone(),
        };
        start_keys(deps).await.unwrap()
    }

    async fn key(&self, limits: Limits, budgets: &[Budget]) -> Key {
        let spec =
            Spec { name: "a".into(), limits: Some(limits), budgets: budgets.into(), ..Spec::default() };
        let request = CreateRequest { spec: Some(spec), author: "test".into() };
        self.services[0].create(request).await.unwrap().key.unwrap()
    }

    async fn change(&self, key: &Key, change: impl FnOnce(&mut Spec)) -> Key {
        let Key { id, spec, version, .. } = self.read(key).await;
        let mut spec = spec.unwrap();
        change(&mut spec);
        let request =
            UpdateRequest { id, spec: Some(spec), expected_version: version, author: "test".into() };
        self.services[0].update(request).await.unwrap()
    }

    async fn read(&self, key: &Key) -> Key {
        self.services[0].get(GetRequest { id: key.id.clone() }).await.unwrap()
    }

    async fn admit(&self, key: &Key, tokens: u64) -> (AdmitResponse, Settlement) {
        admit(&*self.services[0], key, tokens).await
    }

    /// The code of the refusal, or how to settle it.
    async fn ask(&self, key: &Key) -> Result<Settlement, String> {
        match self.admit(key, 0).await {
            (AdmitResponse { refused: None, .. }, settlement) => Ok(settlement),
            (AdmitResponse { refused: Some(refusal), .. }, _) => Err(refusal.code),
        }
    }

    async fn settle(&self, settlement: &Settlement, used: Option<(u64, u64)>) {
        let used = used.map(|(tokens, units)| Used { tokens, units });
        let settlements = vec![Settlement { used, ..settlement.clone() }];
        self.services[0].settle(SettleRequest { settlements }).await.unwrap();
    }

    async fn spent(&self, key: &Key) -> Vec<u64> {
        self.read(key).await.budgets.iter().map(|state| state.spent).collect()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

fn settings(backing: &Backing, dir: &Path) -> Settings {
    let mut given = vec![("G2A_DATA_DIR", dir.display().to_string())];
    given.extend(backing.environment());
    Settings::load(None, given.into_iter().map(|(name, value)| (name.to_owned(), value))).unwrap()
}

async fn admit(service: &dyn Keys, key: &Key, tokens: u64) -> (AdmitResponse, Settlement) {
    let request = format!("turn_{}", Uuid::now_v7().simple());
    let ask = AdmitRequest { key: key.id.clone(), request: request.clone(), tokens };
    let answer = service.admit(ask).await.unwrap();
    let AdmitResponse { limits, budgets, .. } = answer;
    (answer, Settlement { key: key.id.clone(), request, used: None, limits, budgets })
}

fn budget(amount: u64, unit: &str, period: &str) -> Budget {
    Budget { unit: unit.into(), period: period.into(), amount }
}

fn per_minute(requests: u64) -> Limits {
    Limits { requests_per_minute: Some(requests), ..Limits::default() }
}

#[rstest]
#[tokio::test]
async fn a_minutes_requests_are_limited_and_told(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground.reach(), ground.mode(), 1).await;
    let limits = Limits { tokens_per_minute: Some(50), ..per_minute(3) };
    let key = fixture.key(limits, &[]).await;
    let (first, settlement) = fixture.admit(&key, 20).await;
    let told = (first.requests.unwrap(), first.tokens.unwrap());
    assert_eq!((told.0.limit, told.0.remaining, told.1.limit, told.1.remaining), (3, 2, 50, 30));
    assert!((60_000..=60_100).contains(&told.0.reset_ms), "{told:?}");
    assert_eq!((first.refused, first.limits, first.budgets, first.holds_slot), (None, true, false, false));
    fixture.settle(&settlement, Some((60, 1))).await;
    let (refused, _) = fixture.admit(&key, 0).await;
    let refusal = refused.refused.unwrap();
    assert_eq!((refusal.code.as_str(), refused.tokens.unwrap().remaining), ("rate_limit_exceeded", 0));
    assert!(refusal.message.contains("tokens per minute: limit 50, used 60"), "{}", refusal.message);
    fixture.clock.advance(Duration::from_millis(refusal.wait_ms.unwrap()));
    for _ in 0..3 {
        fixture.ask(&key).await.unwrap();
    }
    let (refused, _) = fixture.admit(&key, 0).await;
    let message = refused.refused.unwrap().message;
    assert!(message.contains("requests per minute: limit 3, used 3; try again in 60."), "{message}");
}

#[rstest]
#[tokio::test]
async fn places_at_the_same_time_come_free_by_settling_and_by_silence(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground.reach(), ground.mode(), 1).await;
    let key = fixture.key(Limits { concurrency: Some(2), ..Limits::default() }, &[]).await;
    let (first, second) = (fixture.ask(&key).await.unwrap(), fixture.ask(&key).await.unwrap());
    assert_eq!(fixture.ask(&key).await.unwrap_err(), "concurrency_limit_exceeded");
    let standing = fixture.services[0].standing(GetRequest { id: key.id.clone() }).await.unwrap();
    assert_eq!(standing.in_flight, 2);
    fixture.settle(&first, Some((1, 1))).await;
    fixture.ask(&key).await.unwrap();
    fixture.clock.advance(Duration::from_secs(20));
    let slot = Slot { key: key.id.clone(), request: second.request };
    fixture.services[0].renew(RenewRequest { slots: vec![slot] }).await.unwrap();
    fixture.clock.advance(Duration::from_secs(10));
    fixture.ask(&key).await.unwrap();
    assert_eq!(fixture.ask(&key).await.unwrap_err(), "concurrency_limit_exceeded", "one was renewed");
}

#[rstest]
#[tokio::test]
async fn budgets_are_reserved_settled_given_back_and_shown(
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let fixture = Fixture::new(how, mode, 1).await;
    let budgets =
        [budget(2, "requests", "day"), budget(100, "tokens", "month"), budget(9, "units", "lifetime")];
    let key = fixture.key(per_minute(100), &budgets).await;
    let (first, second) = (fixture.ask(&key).await.unwrap(), fixture.ask(&key).await.unwrap());
    let (refused, _) = fixture.admit(&key, 0).await;
    let refusal = refused.refused.unwrap();
    assert_eq!(refusal.code, "insufficient_quota");
    assert!(refusal.message.contains("budget of 2 requests for the day is used up"), "{}", refusal.message);
    // To midnight.
    assert_eq!(refusal.wait_ms, Some((15 * 3600 + 6 * 60 + 40) * 1000));
    assert_eq!(
        refused.requests.unwrap().remaining,
        98,
        "who is turned away is none of the minute's requests"
    );
    fixture.settle(&first, Some((30, 4))).await;
    fixture.settle(&first, Some((30, 4))).await;
    assert_eq!(fixture.spent(&key).await, [2, 30, 4]);
    fixture.settle(&second, None).await;
    assert_eq!(fixture.spent(&key).await, [1, 30, 4]);
    let third = fixture.ask(&key).await.unwrap();
    fixture.settle(&third, Some((80, 1))).await;
    fixture.clock.advance(DAY);
    assert_eq!(fixture.ask(&key).await.unwrap_err(), "insufficient_quota", "the month's tokens are used up");
    let listed = fixture.services[0].list(ListRequest {}).await.unwrap().keys.remove(0);
    let shown: Vec<_> = listed.budgets.iter().map(|state| (state.spent, state.resets_at.is_some())).collect();
    assert_eq!(shown, [(0, true), (110, true), (5, false)]);
}

#[tokio::test]
async fn limits_change_at_once_and_what_was_spent_is_kept() {
    let fixture = Fixture::new(Reach::Direct, Mode::File, 1).await;
    let key = fixture.key(per_minute(1), &[budget(2, "requests", "lifetime")]).await;
    fixture.ask(&key).await.unwrap();
    assert_eq!(fixture.ask(&key).await.unwrap_err(), "rate_limit_exceeded");
    fixture.change(&key, |spec| spec.limits = None).await;
    fixture.ask(&key).await.unwrap();
    assert_eq!(fixture.ask(&key).await.unwrap_err(), "insufficient_quota");
    let changed = fixture.change(&key, |spec| spec.budgets[0].amount = 3).await;
    assert_eq!(changed.budgets[0].spent, 2);
    fixture.ask(&key).await.unwrap();
    assert_eq!(fixture.ask(&key).await.unwrap_err(), "insufficient_quota");
    fixture.change(&key, |spec| spec.budgets.clear()).await;
    let (free, _) = fixture.admit(&key, 0).await;
    assert_eq!(free, AdmitResponse::default(), "there is nothing to settle");
    fixture.change(&key, |spec| spec.budgets = vec![budget(4, "requests", "month")]).await;
    assert_eq!(fixture.spent(&key).await, [3], "what was counted by another period counts in this one");
}

#[rstest]
#[tokio::test]
async fn a_budget_outlives_the_process(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let mut fixture = Fixture::new(Reach::Direct, mode, 1).await;
    let key = fixture.key(Limits::default(), &[budget(2, "requests", "month")]).await;
    let open = fixture.ask(&key).await.unwrap();
    fixture.services = vec![fixture.open().await];
    // The gateway settles what the process before had admitted.
    fixture.settle(&open, Some((7, 1))).await;
    assert_eq!(fixture.spent(&key).await, [1]);
    fixture.ask(&key).await.unwrap();
    assert_eq!(fixture.ask(&key).await.unwrap_err(), "insufficient_quota");
}

/// Two processes with the limits in Redis: together no more than one.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_budgets_are_exact_over_processes(#[values(Mode::Mysql, Mode::Redis)] mode: Mode) {
    let fixture = Fixture::new(Reach::Tcp, mode, 2).await;
    let limited = fixture.key(per_minute(60), &[]).await;
    let budgeted = fixture.key(Limits::default(), &[budget(100, "requests", "week")]).await;
    let slots = fixture.key(Limits { concurrency: Some(7), ..Limits::default() }, &[]).await;
    // Every process knows a key within a moment, or asks for it.
    let admitted = async |key: &Key, asked: usize| {
        let ask = |number: usize| admit(&*fixture.services[number % 2], key, 0);
        let answers = join_all((0..asked).map(ask)).await;
        answers.iter().filter(|(answer, _)| answer.refused.is_none()).count()
    };
    assert_eq!(admitted(&limited, 150).await, 60);
    assert_eq!(admitted(&budgeted, 250).await, 100);
    assert_eq!(admitted(&slots, 40).await, 7);
    assert_eq!(fixture.spent(&budgeted).await, [100]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let fixture = Fixture::new(Reach::Wired, Mode::File, 1).await;
    let key = fixture.key(per_minute(1), &[]).await;
    let ask = async |key: &str, request: &str| -> Error {
        let ask = AdmitRequest { key: key.into(), request: request.into(), tokens: 0 };
        fixture.services[0].admit(ask).await.unwrap_err()
    };
    assert_eq!(ask(&key.id, "turn_1").await.kind, Kind::InvalidRequest);
    let unknown = ask(&Uuid::now_v7().to_string(), &format!("turn_{}", Uuid::now_v7().simple())).await;
    assert_eq!((unknown.kind, unknown.code.as_ref()), (Kind::NotFound, "client_key_not_found"));
    let many = SettleRequest { settlements: vec![Settlement::default(); 1_001] };
    assert_eq!(fixture.services[0].settle(many).await.unwrap_err().kind, Kind::InvalidRequest);
}

#[tokio::test]
async fn while_the_store_is_away_nobody_is_admitted_and_it_comes_back() {
    let mut fixture = Fixture::new(Reach::Direct, Mode::Redis, 1).await;
    let key = fixture.key(per_minute(5), &[budget(5, "requests", "day")]).await;
    fixture.ask(&key).await.unwrap();
    fixture.backing.kill();
    let ask =
        AdmitRequest { key: key.id.clone(), request: format!("turn_{}", Uuid::now_v7().simple()), tokens: 0 };
    let error = fixture.services[0].admit(ask).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Kind::Unavailable, "storage_unavailable"));
    fixture.backing.start_again();
    let until = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        let ask = AdmitRequest {
            key: key.id.clone(),
            request: format!("turn_{}", Uuid::now_v7().simple()),
            tokens: 0,
        };
        match fixture.services[0].admit(ask).await {
            Ok(answer) => break assert_eq!(answer.refused, None),
            Err(error) => assert!(std::time::Instant::now() < until, "{error}"),
        }
    }
    let spent = fixture.spent(&key).await[0];
    assert!(spent == 2 || spent == 3, "{spent}: the one whose answer was lost may have been counted");
}
