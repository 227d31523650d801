//! What every limiter does: one in memory, and two handles on one Redis, as two processes have them.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use grok2api_kit::clock::Clock;
use grok2api_storage::{
    client_keys::Limits,
    limiter::{self, Admission, Ask, Limit, Limiter, SLOT_MS, Settlement, Slot},
};
use grok2api_testkit::RedisServer;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use uuid::Uuid;

const NOW: i64 = 1_760_000_000_000;

struct Pair {
    one: Arc<dyn Limiter>,
    other: Arc<dyn Limiter>,
    clock: Clock,
    /// Held so that it runs.
    _server: Option<RedisServer>,
}

impl Pair {
    fn memory() -> Self {
        let clock = Clock::manual(NOW);
        let one = limiter::memory(clock.clone());
        Self { other: one.clone(), one, clock, _server: None }
    }

    async fn redis() -> Self {
        let (server, clock) = (RedisServer::start(), Clock::manual(NOW));
        let handle = async || limiter::redis(&server.url(), clock.clone()).await.unwrap();
        let (one, other) = (handle().await, handle().await);
        Self { one, other, clock, _server: Some(server) }
    }

    fn pass(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    /// Whether it was admitted by the second handle.
    async fn ask(&self, key: Uuid, limits: &Limits) -> Result<Uuid, Limit> {
        let id = Uuid::now_v7();
        match self.other.admit(&Ask { key, id, tokens: 10 }, limits).await.unwrap().refused {
            None => Ok(id),
            Some(limit) => Err(limit),
        }
    }
}

#[tokio::test]
async fn in_memory_the_contract_is_kept() {
    contract(Pair::memory()).await;
}

#[tokio::test]
async fn in_redis_the_contract_is_kept() {
    contract(Pair::redis().await).await;
}

async fn contract(pair: Pair) {
    requests_of_a_minute(&pair).await;
    tokens_are_counted_when_they_are_known(&pair).await;
    who_is_turned_away_later_is_counted_no_more(&pair).await;
    slots_are_held_until_they_are_settled_or_silent(&pair).await;
    a_request_is_counted_and_settled_once(&pair).await;
    limits_may_change_at_any_time(&pair).await;
    a_crowd_gets_no_more_than_the_limit(&pair).await;
}

fn requests(per_minute: u64) -> Limits {
    Limits { requests_per_minute: Some(per_minute), ..Limits::default() }
}

async fn requests_of_a_minute(pair: &Pair) {
    let (key, limits) = (Uuid::now_v7(), requests(3));
    let began = pair.clock.now_ms();
    for _ in 0..3 {
        pair.ask(key, &limits).await.unwrap();
        pair.pass(1_000);
    }
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Requests));
    assert!(pair.ask(Uuid::now_v7(), &limits).await.is_ok(), "another key has its own");
    let gauges = pair.one.gauges(key, &limits).await.unwrap();
    assert_eq!((gauges.now, gauges.requests.used), (began + 3_000, 3));
    // Slices of a tenth of a second: a minute after the end of the first one.
    assert_eq!(gauges.requests.frees_at, began - began % 100 + 60_100);
    assert_eq!(gauges.requests.empty_at, gauges.requests.frees_at + 2_000);
    pair.pass(57_099);
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Requests));
    pair.pass(1);
    pair.ask(key, &limits).await.unwrap();
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Requests));
    pair.pass(120_000);
    let gauges = pair.one.gauges(key, &limits).await.unwrap();
    assert_eq!((gauges.requests.used, gauges.requests.frees_at, gauges.requests.empty_at), (0, 0, 0));
}

async fn tokens_are_counted_when_they_are_known(pair: &Pair) {
    let (key, limits) = (Uuid::now_v7(), Limits { tokens_per_minute: Some(25), ..Limits::default() });
    let used = async || pair.one.gauges(key, &limits).await.unwrap().tokens.used;
    let first = pair.ask(key, &limits).await.unwrap();
    let second = pair.ask(key, &limits).await.unwrap();
    assert_eq!(used().await, 20, "what is known beforehand");
    pair.pass(30_000);
    let settlements = [
        Settlement { key, id: first, tokens: Some(18), counts: true },
        Settlement { key, id: second, tokens: None, counts: true },
    ];
    pair.one.settle(&settlements).await.unwrap();
    assert_eq!(used().await, 18, "all of the first and nothing of the second");
    pair.ask(key, &limits).await.unwrap();
    assert_eq!((pair.ask(key, &limits).await, used().await), (Err(Limit::Tokens), 28));
    pair.pass(60_100);
    assert_eq!(used().await, 0);
}

async fn who_is_turned_away_later_is_counted_no_more(pair: &Pair) {
    let (key, limits) = (Uuid::now_v7(), requests(1));
    let id = pair.ask(key, &limits).await.unwrap();
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Requests));
    pair.one.settle(&[Settlement { key, id, tokens: None, counts: false }]).await.unwrap();
    pair.ask(key, &limits).await.unwrap();
}

async fn slots_are_held_until_they_are_settled_or_silent(pair: &Pair) {
    let (key, limits) = (Uuid::now_v7(), Limits { concurrency: Some(2), ..Limits::default() });
    let first = pair.ask(key, &limits).await.unwrap();
    let second = pair.ask(key, &limits).await.unwrap();
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Concurrency));
    assert_eq!(pair.one.gauges(key, &limits).await.unwrap().in_flight, 2);
    pair.one.settle(&[Settlement { key, id: first, tokens: None, counts: true }]).await.unwrap();
    // A sign of life that was under way is too late.
    pair.one.renew(&[Slot { key, id: first }]).await.unwrap();
    let third = pair.ask(key, &limits).await.unwrap();
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Concurrency));
    let silence = u64::try_from(SLOT_MS).unwrap();
    pair.pass(silence - 1);
    pair.one.renew(&[Slot { key, id: second }]).await.unwrap();
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Concurrency));
    pair.pass(1);
    assert_eq!(pair.one.gauges(key, &limits).await.unwrap().in_flight, 1, "the third was silent for 30 s");
    // It is served all the same, and says so again.
    pair.one.renew(&[Slot { key, id: third }]).await.unwrap();
    assert_eq!(pair.ask(key, &limits).await, Err(Limit::Concurrency));
}

async fn a_request_is_counted_and_settled_once(pair: &Pair) {
    let key = Uuid::now_v7();
    let limits = Limits { tokens_per_minute: Some(1_000), concurrency: Some(1), ..requests(5) };
    let ask = Ask { key, id: Uuid::now_v7(), tokens: 10 };
    for _ in 0..3 {
        let Admission { refused, gauges } = pair.other.admit(&ask, &limits).await.unwrap();
        assert_eq!((refused, gauges.requests.used, gauges.tokens.used, gauges.in_flight), (None, 1, 10, 1));
    }
    for _ in 0..3 {
        let settlement = Settlement { key, id: ask.id, tokens: Some(70), counts: true };
        pair.one.settle(&[settlement]).await.unwrap();
    }
    let gauges = pair.one.gauges(key, &limits).await.unwrap();
    assert_eq!((gauges.requests.used, gauges.tokens.used, gauges.in_flight), (1, 70, 0));
}

async fn limits_may_change_at_any_time(pair: &Pair) {
    let key = Uuid::now_v7();
    for _ in 0..4 {
        pair.ask(key, &requests(4)).await.unwrap();
        pair.pass(1_000);
    }
    assert_eq!(pair.ask(key, &requests(2)).await, Err(Limit::Requests));
    let gauge = pair.one.gauges(key, &requests(2)).await.unwrap().requests;
    assert_eq!(gauge.frees_at, gauge.empty_at - 1_000, "three of the four must be out");
    pair.ask(key, &requests(5)).await.unwrap();
    pair.ask(key, &Limits::default()).await.unwrap();
    assert_eq!(pair.one.gauges(key, &Limits::default()).await.unwrap().requests.used, 6);
}

async fn a_crowd_gets_no_more_than_the_limit(pair: &Pair) {
    let (key, limits) = (Uuid::now_v7(), requests(100));
    let ask = |number: usize| async move {
        let limiter = if number.is_multiple_of(2) { &pair.one } else { &pair.other };
        let ask = Ask { key, id: Uuid::now_v7(), tokens: 0 };
        usize::from(limiter.admit(&ask, &limits).await.unwrap().refused.is_none())
    };
    assert_eq!(join_all((0..300).map(ask)).await.into_iter().sum::<usize>(), 100);
}

/// One step of anybody.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Ask(u64),
    Settle(usize, Option<u64>, bool),
    Renew(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u64..20_000).prop_map(Step::Pass),
        1 => (60_000_u64..70_000).prop_map(Step::Pass),
        8 => (0_u64..30).prop_map(Step::Ask),
        4 => (0_usize..20, prop::option::of(0_u64..60), prop::bool::ANY)
            .prop_map(|(at, tokens, counts)| Step::Settle(at, tokens, counts)),
        1 => (0_usize..20).prop_map(Step::Renew),
    ]
}

/// Redis and memory never differ, whatever happens.
#[test]
fn redis_and_memory_are_the_same_limiter() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let redis = runtime.block_on(Pair::redis());
    let limits = Limits { requests_per_minute: Some(12), tokens_per_minute: Some(90), concurrency: Some(5) };
    let mut runner = TestRunner::new(Config { cases: 60, ..Config::default() });
    let steps = prop::collection::vec(step(), 1..80);
    let done = runner.run(&steps, |steps| {
        runtime.block_on(async {
            let memory = limiter::memory(redis.clock.clone());
            let (key, mut ids, mut ended) = (Uuid::now_v7(), Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Pass(millis) => redis.pass(millis),
                    Step::Ask(tokens) => {
                        let ask = Ask { key, id: Uuid::now_v7(), tokens };
                        let (here, there) =
                            (memory.admit(&ask, &limits).await, redis.one.admit(&ask, &limits).await);
                        let (here, there) = (here.unwrap(), there.unwrap());
                        prop_assert_eq!(here, there);
                        if here.refused.is_none() {
                            ids.push(ask.id);
                        }
                    }
                    Step::Settle(at, tokens, counts) => {
                        let Some(id) = ids.get(at).copied() else { continue };
                        ended.push(id);
                        let settlements = [Settlement { key, id, tokens, counts }];
                        memory.settle(&settlements).await.unwrap();
                        redis.other.settle(&settlements).await.unwrap();
                    }
                    Step::Renew(at) => {
                        // How long an end is remembered is told by Redis's own clock.
                        let Some(id) = ids.get(at).copied().filter(|id| !ended.contains(id)) else {
                            continue;
                        };
                        memory.renew(&[Slot { key, id }]).await.unwrap();
                        redis.other.renew(&[Slot { key, id }]).await.unwrap();
                    }
                }
                let here = memory.gauges(key, &limits).await.unwrap();
                prop_assert_eq!(here, redis.one.gauges(key, &limits).await.unwrap());
            }
            Ok(())
        })
    });
    done.unwrap();
}
