//! A ledger of some size, and how long its questions take: `LEDGER_ROWS=10000000 cargo bench -p grok2api-storage`.
//!
//! It is filled through [`Ledger::record`], in large batches, with ninety days of requests up to now: so rows, indexes
//! and sums are what the product writes. `LEDGER_STORES=file,mysql` chooses the stores. Each question is asked
//! several times; the slowest counts, and one over the limit fails the bench.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench tells what it found, or fails; its tasks are its own"
)]

#[path = "ledger/beside.rs"]
mod beside;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use grok2api_kit::{clock::Clock, settings::Settings};
use grok2api_storage::{
    Store,
    ledger::{Attempt, Dimension, Filter, Keep, Ledger, Outcome, Query, Range, Row, first_id},
};
use grok2api_testkit::MariaDb;
use uuid::Uuid;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const SPAN: i64 = 90 * DAY;
const BATCH: u64 = 20_000;
const MODELS: u64 = 8;
const KEYS: u64 = 200;
const ACCOUNTS: u64 = 1_000;
/// Of a hundred requests, those of the first key: most, as a product behind one key has them.
const MAIN: u64 = 60;
/// One request in so many fails inside of the product.
const RARE: u64 = 400_000;
/// Of one answer.
const LIMIT: Duration = Duration::from_millis(200);
const TIMES: u32 = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rows = variable("LEDGER_ROWS").map_or(100_000, |rows| rows.parse().unwrap());
    let stores = variable("LEDGER_STORES").unwrap_or_else(|| "file,mysql".to_owned());
    let mut late = 0;
    for mode in stores.split(',') {
        late += runtime.block_on(bench(mode, rows));
    }
    assert_eq!(late, 0, "{late} answers took longer than {LIMIT:?}");
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Fills a store of that mode and asks it; how many answers were late.
async fn bench(mode: &str, rows: u64) -> u32 {
    let data = tempfile::tempdir().unwrap();
    let server = (mode == "mysql").then(MariaDb::start);
    let url = server.as_ref().map(MariaDb::url).unwrap_or_default();
    let given = [
        ("STORAGE_MODE", mode.to_owned()),
        ("DATABASE_URL", url),
        ("G2A_DATA_DIR", data.path().display().to_string()),
    ];
    let settings = Settings::load(None, given.map(|(name, value)| (name.to_owned(), value))).unwrap();
    let store = Store::open(&settings).await.unwrap();
    let (ledger, now) = (store.ledger(), Clock::system().now_ms());
    fill(mode, &ledger, rows, now).await;
    // `LEDGER_ONLY=writes` asks nothing.
    let asks = variable("LEDGER_ONLY").is_none_or(|only| only != "writes");
    let late =
        if asks { questions(mode, &ledger, now).await + pages(mode, &ledger, rows, now).await } else { 0 };
    upkeep(mode, &ledger, rows, now).await;
    beside::admissions(mode, &store, rows, now).await;
    store.close().await;
    late
}

async fn fill(mode: &str, ledger: &Arc<dyn Ledger>, rows: u64, now: i64) {
    let begun = Instant::now();
    for from in (0..rows).step_by(usize::try_from(BATCH).unwrap()) {
        let batch: Vec<Row> = (from..rows.min(from + BATCH)).map(|number| row(number, rows, now)).collect();
        // Larger than the product's batches, so without its limit of time for one call.
        while ledger.record(&batch, 0, now).await.is_err() {}
        if from % 1_000_000 == 0 {
            println!("{mode}: {from} rows after {} s", begun.elapsed().as_secs());
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{mode}: filled with {rows} rows in {seconds:.0} s");
}

/// Scatters numbers.
fn mixed(number: u64, salt: u64) -> u64 {
    let mut mixed = (number ^ salt.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^= mixed >> 29;
    mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
}

fn at(number: u64, rows: u64, now: i64) -> i64 {
    now - SPAN + i64::try_from(u128::from(number) * u128::try_from(SPAN).unwrap() / u128::from(rows)).unwrap()
}

fn key(number: u64) -> String {
    let key = if mixed(number, 9) % 100 < MAIN { 0 } else { mixed(number, 4) % KEYS };
    format!("key-{key:032x}")
}

fn row(number: u64, rows: u64, now: i64) -> Row {
    let outcome = match mixed(number, 1) % 100 {
        _ if number % RARE == 7 => Outcome::Internal,
        0..3 => Outcome::Upstream,
        3..5 => Outcome::ClientCancelled,
        5 => Outcome::RateLimited,
        _ => Outcome::Success,
    };
    let first = 200 + mixed(number, 2) % 4_000;
    Row {
        id: Uuid::from_u128(
            first_id(at(number, rows, now)).as_u128() | (7 << 76) | (2 << 62) | u128::from(number),
        ),
        request_id: format!("req_{number:032x}"),
        endpoint: "/v1/chat/completions".to_owned(),
        model: format!("grok-{}", mixed(number, 3) % MODELS),
        client_key: key(number),
        attempts: vec![Attempt {
            account: format!("01900000-0000-7000-8000-{:012x}", mixed(number, 5) % ACCOUNTS),
            outcome: "success".to_owned(),
            cause: String::new(),
            duration_ms: first,
            units: 1,
        }],
        first_output_ms: Some(first),
        duration_ms: first + mixed(number, 6) % 20_000,
        prompt_tokens: mixed(number, 7) % 3_000,
        completion_tokens: mixed(number, 8) % 1_000,
        reasoning_tokens: 0,
        tokens_estimated: true,
        units: 1,
        images: 0,
        videos: 0,
        outcome,
        http_status: 200,
        stream: true,
        error_code: String::new(),
        error_message: String::new(),
    }
}

/// The slowest of some times, in words; 1 when it is late.
async fn time<T>(mode: &str, what: &str, mut ask: impl AsyncFnMut() -> T) -> u32 {
    let mut slowest = Duration::ZERO;
    for _ in 0..TIMES {
        let begun = Instant::now();
        ask().await;
        slowest = slowest.max(begun.elapsed());
    }
    println!("{mode}: {what:<40} {:>7.1} ms", slowest.as_secs_f64() * 1000.0);
    u32::from(slowest > LIMIT)
}

async fn questions(mode: &str, ledger: &Arc<dyn Ledger>, now: i64) -> u32 {
    let mut late = 0;
    let ranges = [("1 h", HOUR, MINUTE), ("24 h", DAY, HOUR), ("7 d", 7 * DAY, HOUR), ("90 d", SPAN, DAY)];
    for (name, span, width) in ranges {
        for dimension in Dimension::ALL {
            for (shape, width) in [("one step", 0), ("a line", width)] {
                let range = Range::new(now - span, now, width).unwrap();
                let query = Query { dimension, range, only: None, top: 20 };
                let what = format!("{name}, {dimension:?}, {shape}");
                late += time(mode, &what, async || {
                    assert!(!ledger.series(&query).await.unwrap().is_empty());
                })
                .await;
            }
        }
    }
    late
}

async fn pages(mode: &str, ledger: &Arc<dyn Ledger>, rows: u64, now: i64) -> u32 {
    let any = Filter::default;
    let account = Some(row(7, rows, now).account().to_owned());
    let (key, model) = (Some(row(7, rows, now).client_key), Some(row(7, rows, now).model));
    let deep = Some(row(rows / 50, rows, now).id);
    let main = Some(format!("key-{:032x}", 0));
    let rare = Some(Outcome::Internal);
    let filters = [
        ("first page", any(), None),
        ("deep page", any(), deep),
        ("of an account", Filter { account: account.clone(), ..any() }, None),
        ("of an account, deep", Filter { account: account.clone(), ..any() }, deep),
        ("of a key", Filter { client_key: key.clone(), ..any() }, None),
        ("of a model, deep", Filter { model: model.clone(), ..any() }, deep),
        ("failures", Filter { outcome: Some(Outcome::Upstream), ..any() }, None),
        (
            "failures of a model",
            Filter { outcome: Some(Outcome::Upstream), model: model.clone(), ..any() },
            deep,
        ),
        ("of the main key", Filter { client_key: main.clone(), ..any() }, None),
        (
            "of the main key, failures",
            Filter { client_key: main.clone(), outcome: Some(Outcome::Upstream), ..any() },
            None,
        ),
        ("of the main key, rare", Filter { client_key: main.clone(), outcome: rare, ..any() }, None),
        (
            "of the main key and a model, rare",
            Filter { client_key: main.clone(), model: model.clone(), outcome: rare, ..any() },
            None,
        ),
        (
            "of the main key, never",
            Filter { client_key: main, outcome: Some(Outcome::Refused), ..any() },
            None,
        ),
        ("of a model, rare", Filter { model: model.clone(), outcome: rare, ..any() }, None),
        (
            "of a model, successes, deep",
            Filter { model: model.clone(), outcome: Some(Outcome::Success), ..any() },
            deep,
        ),
        ("of an account, rare", Filter { account: account.clone(), outcome: rare, ..any() }, None),
        ("rare", Filter { outcome: rare, ..any() }, None),
        ("of account, key and model", Filter { account, client_key: key, model, ..any() }, None),
        ("of a day", Filter { from: Some(now - 40 * DAY), to: Some(now - 39 * DAY), ..any() }, None),
    ];
    let mut late = 0;
    for (name, filter, before) in filters {
        late += time(mode, &format!("page, {name}"), async || {
            ledger.page(&filter, before, 50).await.unwrap();
        })
        .await;
    }
    late
}

/// What the product itself does all the time: a batch of the gateway's, and a step of retention.
async fn upkeep(mode: &str, ledger: &Arc<dyn Ledger>, rows: u64, now: i64) {
    let mut number = rows;
    time(mode, "record 200 rows", async || {
        let batch: Vec<Row> = (number..number + 200).map(|number| row(number, rows, now)).collect();
        number += 200;
        ledger.record(&batch, 0, now).await.unwrap();
    })
    .await;
    let keep = Keep { days: 90, rows: rows - rows / 10 };
    time(mode, "prune 1000 rows", async || {
        ledger.prune(keep, now, 1_000).await.unwrap();
    })
    .await;
}
