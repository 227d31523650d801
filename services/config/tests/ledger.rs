//! What the usage ledger must do, however it is reached.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{sync::Arc, time::Duration};

use grok2api_config::ledger::{Deps, open, start};
use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{
    Error, Kind,
    config::RuntimeConfig,
    ledger::{
        self, AggregateRequest, Attempt, Entry, GetRequest, GroupBy, Ledger, Outcome, QueryRequest,
        RecordRequest,
    },
};
use grok2api_storage::Store;
use grok2api_testkit::{Ground, Reach, Standing, reach, runtime_config};
use rstest::rstest;

const DAY: i64 = 24 * 60 * 60 * 1000;
/// The start of a day.
const NOW: i64 = 20_000 * DAY;

struct Fixture {
    ledger: Arc<dyn Ledger>,
    tasks: Tasks,
    _standing: Standing,
}

impl Fixture {
    async fn new(ground: Ground) -> Self {
        let (standing, tasks) = (ground.store(), Tasks::new());
        let service = start(Deps {
            ledger: Store::open(&standing.settings).await.unwrap().ledger(),
            runtime: Runtime::fixed(runtime_config()),
            clock: Clock::manual(NOW),
            tasks: tasks.clone(),
        });
        let ledger = reach(ground.reach(), service, ledger::server, ledger::client, &tasks).await;
        Self { ledger, tasks, _standing: standing }
    }

    async fn record(&self, entries: &[Entry]) -> u32 {
        self.ledger.record(RecordRequest { entries: entries.to_vec(), lost: 2 }).await.unwrap().recorded
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

fn entry(at: i64, number: u32) -> Entry {
    let digits = (u128::try_from(at).unwrap() << 80) | (7 << 76) | (2 << 62) | u128::from(number);
    let tried = |account: &str, outcome: &str| Attempt {
        account: account.into(),
        outcome: outcome.into(),
        cause: String::new(),
        duration_ms: 20,
        units: 1,
    };
    Entry {
        id: format!("turn_{digits:032x}"),
        request_id: format!("req-{number}"),
        started_at: at,
        endpoint: "/v1/chat/completions".into(),
        model: "grok-4-fast".into(),
        client_key: "key".into(),
        account: "b".into(),
        attempts: vec![tried("a", "rate_limited"), tried("b", "success")],
        first_output_ms: Some(400),
        duration_ms: 2_400,
        prompt_tokens: 10,
        completion_tokens: 100,
        reasoning_tokens: 40,
        tokens_estimated: true,
        units: 2,
        images: 1,
        videos: 1,
        outcome: Outcome::Success.into(),
        http_status: 200,
        stream: true,
        error_code: String::new(),
        error_message: String::new(),
    }
}

#[rstest]
#[tokio::test]
async fn entries_come_back_page_by_page(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let entries: Vec<Entry> = (0..5).map(|number| entry(NOW - 10 + i64::from(number), number)).collect();
    assert_eq!(fixture.record(&entries).await, 5);
    assert_eq!(fixture.record(&entries).await, 0);
    let first = fixture.ledger.query(QueryRequest { limit: 3, ..Default::default() }).await.unwrap();
    assert_eq!(first.entries, [entries[4].clone(), entries[3].clone(), entries[2].clone()]);
    let next = QueryRequest { limit: 3, cursor: first.next_cursor, ..Default::default() };
    let second = fixture.ledger.query(next).await.unwrap();
    assert_eq!(second.entries, [entries[1].clone(), entries[0].clone()]);
    assert_eq!(second.next_cursor, "");
    let one = fixture.ledger.get(GetRequest { id: entries[1].id.clone() }).await.unwrap();
    assert_eq!(one, entries[1]);
}

#[rstest]
#[tokio::test]
async fn sums_are_told_in_all_and_by_group(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let failure = Entry {
        outcome: Outcome::Timeout.into(),
        first_output_ms: None,
        completion_tokens: 0,
        ..entry(NOW - 7, 9)
    };
    fixture.record(&[entry(NOW - 9, 1), entry(NOW - 8, 2), failure]).await;
    let ask = AggregateRequest { from: NOW - 3_600_000, to: NOW + 1, ..Default::default() };
    let all = fixture.ledger.aggregate(ask.clone()).await.unwrap();
    assert_eq!((all.series.len(), all.series[0].name.as_str(), all.from), (1, "", NOW - 3_600_000));
    let [bucket] = &all.series[0].buckets[..] else { panic!("one bucket") };
    assert_eq!((bucket.requests, bucket.units, bucket.lost, bucket.completion_tokens), (3, 6, 2, 200));
    let outcomes: Vec<_> = bucket.outcomes.iter().map(|one| (one.outcome(), one.count)).collect();
    assert_eq!(outcomes, [(Outcome::Success, 2), (Outcome::Timeout, 1)]);
    assert_eq!(bucket.output_ms, 4_000);
    let first = bucket.first_output.clone().unwrap();
    assert_eq!((first.count, first.sum_ms, first.counts.len()), (2, 800, 20));
    assert!((256..=410).contains(&first.p95_ms.unwrap()));
    for (group_by, name) in [(GroupBy::Model, "grok-4-fast"), (GroupBy::Key, "key"), (GroupBy::Account, "b")]
    {
        let grouped = AggregateRequest { group_by: group_by.into(), ..ask.clone() };
        let told = fixture.ledger.aggregate(grouped.clone()).await.unwrap().series;
        assert_eq!((told.len(), told[0].name.as_str(), told[0].buckets[0].requests), (1, name, 3));
        let other = AggregateRequest { only: Some("other".into()), ..grouped };
        assert!(fixture.ledger.aggregate(other).await.unwrap().series.is_empty());
    }
    let nothing = AggregateRequest { from: 1, to: 2, width: DAY, ..Default::default() };
    let nothing = fixture.ledger.aggregate(nothing).await.unwrap();
    assert_eq!((nothing.series.len(), nothing.series[0].buckets.len()), (1, 0));
}

#[rstest]
#[tokio::test]
async fn what_cannot_be_answered_is_refused_at_the_parameter(
    #[values(Ground::Direct, Ground::Wired, Ground::Tcp, Ground::TcpMariaDb, Ground::TcpRedis)]
    ground: Ground,
) {
    let fixture = Fixture::new(ground).await;
    let refused = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind, Kind::InvalidRequest);
        error.param.unwrap()
    };
    let query = async |request: QueryRequest| refused(fixture.ledger.query(request).await.map(drop));
    assert_eq!(query(QueryRequest { cursor: "turn_x".into(), ..Default::default() }).await, "cursor");
    assert_eq!(query(QueryRequest { limit: 501, ..Default::default() }).await, "limit");
    assert_eq!(query(QueryRequest { from: 5, to: 5, ..Default::default() }).await, "to");
    let whole = AggregateRequest { from: NOW - DAY, to: NOW, ..Default::default() };
    let sums = async |request: AggregateRequest| refused(fixture.ledger.aggregate(request).await.map(drop));
    assert_eq!(sums(AggregateRequest { to: NOW - DAY, ..whole.clone() }).await, "to");
    assert_eq!(sums(AggregateRequest { width: 1_000, ..whole.clone() }).await, "width");
    assert_eq!(sums(AggregateRequest { from: NOW - 4 * DAY, width: 60_000, ..whole.clone() }).await, "width");
    let long_ago =
        AggregateRequest { from: NOW - 4 * DAY, to: NOW - 3 * DAY, width: 60_000, ..whole.clone() };
    assert_eq!(sums(long_ago).await, "from");
    assert_eq!(sums(AggregateRequest { only: Some("x".into()), ..whole.clone() }).await, "only");
    assert_eq!(sums(AggregateRequest { top: 201, ..whole.clone() }).await, "top");
    assert_eq!(sums(AggregateRequest { group_by: 9, ..whole }).await, "group_by");
    let random = Entry { id: "turn_11111111111141118111111111111111".into(), ..entry(NOW, 1) };
    let record = |entries| fixture.ledger.record(RecordRequest { entries, lost: 0 });
    assert_eq!(refused(record(vec![random]).await.map(drop)), "entries.id");
    let unfinished = Entry { outcome: 0, ..entry(NOW, 1) };
    assert_eq!(refused(record(vec![unfinished]).await.map(drop)), "entries.outcome");
    assert_eq!(refused(record(vec![entry(NOW, 1); 1_001]).await.map(drop)), "entries");
    let missing = fixture.ledger.get(GetRequest { id: entry(NOW, 1).id }).await.unwrap_err();
    assert_eq!((missing.kind, missing.code.as_ref()), (Kind::NotFound, "entry_not_found"));
}

/// Sums go when the rows go, if those are kept for less: what is gone is refused for every width that is made of it.
#[rstest]
#[case::minutes(1, 30 * 3_600_000, 3_600_000 / 2, false)]
#[case::minutes_kept(2, 30 * 3_600_000, 3_600_000 / 2, true)]
#[case::hours(3, 5 * DAY, 3_600_000, false)]
#[case::hours_kept(6, 5 * DAY, 3_600_000, true)]
#[case::hours_at_the_edge(1, DAY, 3_600_000, true)]
#[case::days(3, 30 * DAY, DAY, true)]
#[tokio::test]
async fn what_the_operators_parameters_have_taken_is_refused(
    #[case] days: u32,
    #[case] back: i64,
    #[case] width: i64,
    #[case] answered: bool,
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let (standing, tasks) = (Ground::Direct.store(), Tasks::new());
    let store = Store::open(&standing.settings).await.unwrap();
    let config = RuntimeConfig { usage_retention_days: days, ..runtime_config() };
    let service = open(store.ledger(), Runtime::fixed(config), Clock::manual(NOW + 5));
    let ledger = reach(how, service, ledger::server, ledger::client, &tasks).await;
    let ask = AggregateRequest { from: NOW + 5 - back, to: NOW + 5, width, ..Default::default() };
    match ledger.aggregate(ask).await {
        Ok(_) => assert!(answered),
        Err(error) => assert!(!answered && error.param.as_deref() == Some("from"), "{error}"),
    }
    tasks.shutdown().stop();
}

#[rstest]
#[tokio::test]
async fn old_entries_are_taken_away_by_the_operators_parameters(
    #[values(Ground::Direct, Ground::TcpMariaDb, Ground::TcpRedis)] ground: Ground,
) {
    let (standing, tasks, clock) = (ground.store(), Tasks::new(), Clock::manual(NOW));
    let store = Store::open(&standing.settings).await.unwrap();
    let before = open(store.ledger(), Runtime::fixed(runtime_config()), clock.clone());
    let entries = vec![entry(NOW - 4 * DAY, 1), entry(NOW - 2 * DAY, 2)];
    before.record(RecordRequest { entries, lost: 0 }).await.unwrap();
    let config = RuntimeConfig { usage_retention_days: 3, ..runtime_config() };
    let deps = Deps { ledger: store.ledger(), runtime: Runtime::fixed(config), clock, tasks: tasks.clone() };
    let ledger = reach(ground.reach(), start(deps), ledger::server, ledger::client, &tasks).await;
    let gone = async {
        loop {
            let left = ledger.query(QueryRequest::default()).await.unwrap().entries;
            if left.len() == 1 {
                return left;
            }
        }
    };
    let left = tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    assert_eq!(left[0].request_id, "req-2");
    tasks.shutdown().stop();
}
