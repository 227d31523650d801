//! What clients are told while a store is away, and that all comes back by itself.

use std::time::{Duration, Instant};

use grok2api_kit::settings::Mode;
use grok2api_proto::{
    keys::{Budget, CreateRequest, Spec},
    ledger::QueryRequest,
};
use grok2api_testkit::Backing;
use rstest::rstest;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::{
    full::is_refused_for_now,
    support::{Answer, Product, Shape},
};

const SOON: Duration = Duration::from_secs(30);
const CHAT: &str = "[[sim:say=hello]]";

/// A key without a budget, and one whose requests are counted in the durable store before they are served.
async fn keys(product: &Product) -> (String, String) {
    let create = async |name: &str, budgets: Vec<Budget>| {
        let spec = Spec { name: name.into(), budgets, ..Spec::default() };
        let request = CreateRequest { spec: Some(spec), author: "test".into() };
        product.gateway().services.keys.create(request).await.unwrap().secret
    };
    let budget = Budget { unit: "requests".into(), period: "lifetime".into(), amount: 1_000 };
    let keys = (create("plain", Vec::new()).await, create("budgeted", vec![budget]).await);
    // Every gateway knows them within a second.
    for key in [&keys.0, &keys.1] {
        while product.ask_with(key, "grok-3-fast", CHAT).await.status == 401 {}
    }
    keys
}

async fn ask(product: &Product, key: &str) -> Answer {
    product.ask_with(key, "grok-3-fast", CHAT).await
}

async fn until_waiting_for(product: &Product, wanted: &[&str]) {
    let began = Instant::now();
    loop {
        let (status, told) = product.readyz().await;
        let names = told["waiting_for"].as_array().cloned().unwrap_or_default();
        if status == 503 && wanted.iter().all(|name| names.contains(&Value::from(*name))) {
            return;
        }
        assert!(began.elapsed() < SOON, "waiting for {wanted:?}, but it says {told}");
    }
}

async fn until_ready(product: &Product) {
    let began = Instant::now();
    while product.readyz().await.0 != 200 {
        assert!(began.elapsed() < SOON, "it does not come back: {:?}", product.readyz().await);
    }
}

/// Every turn that was served is in the ledger in the end.
async fn until_recorded(product: &Product, served: usize) {
    let began = Instant::now();
    loop {
        let request = QueryRequest { limit: 500, ..QueryRequest::default() };
        let entries = product.gateway().services.ledger.query(request).await.unwrap().entries;
        let found = entries.iter().filter(|entry| entry.http_status == 200).count();
        if found >= served {
            return;
        }
        assert!(began.elapsed() < SOON, "{found} of {served} are recorded");
    }
}

/// Without the durable store: accounts, keys and parameters are known and leases are in Redis, so chats go on; what is
/// counted in it is refused for now.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mysql_chats_go_on_and_what_it_must_count_is_refused_for_now(
    #[values(Shape::Whole, Shape::Split)] shape: Shape,
) {
    let backing = Backing::start(Mode::Mysql);
    let mut product = Product::on_store(shape, &["sim-heavy-1", "sim-heavy-2"], backing).await;
    let (plain, budgeted) = keys(&product).await;
    let mut served = 2;

    block_in_place(|| product.backing.kill());
    let answer = ask(&product, &plain).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    served += 1;
    is_refused_for_now(&ask(&product, &budgeted).await, "limits_unavailable");
    if shape == Shape::Whole {
        until_waiting_for(&product, &["storage"]).await;
    }

    block_in_place(|| product.backing.start_again());
    until_ready(&product).await;
    let began = Instant::now();
    while ask(&product, &budgeted).await.status != 200 {
        assert!(began.elapsed() < SOON, "it does not recover");
    }
    until_recorded(&product, served + 1).await;
    product.stop().await;
}

/// Without the Redis of the pool nothing can be leased.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_redis_of_the_pool_chats_are_refused_for_now(
    #[values(Mode::Mysql, Mode::Redis)] mode: Mode,
    #[values(Shape::Whole, Shape::Split)] shape: Shape,
) {
    let mut product = Product::on_store(shape, &["sim-heavy-1"], Backing::start(mode)).await;
    let (plain, _) = keys(&product).await;
    let away: &[&str] = if mode == Mode::Redis { &["storage", "token-pool"] } else { &["token-pool"] };

    block_in_place(|| redis(&mut product).kill());
    is_refused_for_now(&ask(&product, &plain).await, "storage_unavailable");
    if shape == Shape::Whole {
        until_waiting_for(&product, away).await;
    }

    block_in_place(|| redis(&mut product).start_again());
    until_ready(&product).await;
    let began = Instant::now();
    loop {
        let answer = ask(&product, &plain).await;
        if answer.status == 200 {
            break assert_eq!(answer.content(), "hello");
        }
        // One that keeps nothing has to be told of the accounts again.
        assert!(answer.status == 503 && began.elapsed() < SOON, "{} {}", answer.status, answer.text);
    }
    product.stop().await;
}

fn redis(product: &mut Product) -> &mut grok2api_testkit::RedisServer {
    match &mut product.backing {
        Backing::MariaDb(_, redis) | Backing::Redis(redis) => redis,
        Backing::File => panic!("there is none"),
    }
}
