//! One turn of the pool, lease and settle, over its size: in memory, and on a Redis server beside it. The targets are
//! 5 µs in memory at 50,000 accounts, growing no faster than the logarithm of their number, and two round trips. What
//! is asked of memory is checked, and the bench fails beyond it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot be set up has failed, and one that runs says what it found"
)]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group};
use grok2api_testkit::RedisServer;
use grok2api_token_pool::bench::{RedisTurns, Turns};

const SIZES: [u32; 3] = [10, 1_000, 50_000];
/// Of a turn in memory with 50,000 accounts; `G2A_BENCH_LIMIT_US` is another for slower machines.
const LIMIT_US: f64 = 5.0;
/// A pool that does not fit into the processor's caches may take so many times as long as the logarithm says.
const CACHES: f64 = 2.0;
/// Turns between two writings of rows: a turn is a millisecond there, and the product gathers for a fifth of a second.
const GATHERED: u64 = 200;

fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lease + settle");
    for accounts in SIZES {
        let mut turns = Turns::new(accounts);
        group.bench_function(BenchmarkId::from_parameter(accounts), |bencher| {
            bencher.iter_custom(|count| time(&mut turns, count));
        });
    }
}

/// So many turns, without the rows that are written behind them.
fn time(turns: &mut Turns, count: u64) -> Duration {
    let (mut taken, mut left) = (Duration::ZERO, count);
    while left > 0 {
        let begun = Instant::now();
        let some = left.min(GATHERED);
        assert!((0..some).all(|_| turns.turn()));
        taken += begun.elapsed();
        turns.write_behind();
        left -= some;
    }
    taken
}

/// The rows of that many turns, to and from the writer: this shares the pool's lock with the turns.
fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rows of 200 turns");
    for accounts in SIZES {
        let mut turns = Turns::new(accounts);
        group.bench_function(BenchmarkId::from_parameter(accounts), |bencher| {
            bencher.iter_custom(|count| (0..count).map(|_| time_rows(&mut turns)).sum());
        });
    }
}

fn time_rows(turns: &mut Turns) -> Duration {
    assert!((0..GATHERED).all(|_| turns.turn()));
    let begun = Instant::now();
    assert!(turns.write_behind() > 0);
    begun.elapsed()
}

fn refusal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refusal");
    for accounts in SIZES {
        let mut turns = Turns::new(accounts);
        group.bench_function(BenchmarkId::new("nothing changes", accounts), |bencher| {
            bencher.iter(|| assert!(turns.refusal()));
        });
        // What is known of a refusal is forgotten with every change.
        group.bench_function(BenchmarkId::new("after a turn of others", accounts), |bencher| {
            bencher.iter(|| assert!(turns.turn() && turns.refusal()));
        });
        group.bench_function(BenchmarkId::new("with one tried", accounts), |bencher| {
            bencher.iter(|| assert!(turns.refusal_of_another()));
        });
    }
}

fn redis(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lease + settle on Redis");
    for accounts in SIZES {
        let server = RedisServer::start();
        let mut turns = RedisTurns::new(&server.url(), accounts).unwrap();
        group.bench_function(BenchmarkId::from_parameter(accounts), |bencher| {
            bencher.iter(|| assert!(turns.turn()));
        });
    }
}

/// Microseconds of one turn in pools of these sizes: the least of some batches, so that what else the machine
/// does counts little, and by turns, so that it counts for all.
fn microseconds<const N: usize>(sizes: [u32; N]) -> [f64; N] {
    const BATCHES: u32 = 30;
    const TURNS: u32 = 25_000;
    let mut pools = sizes.map(Turns::new);
    let mut least = [f64::INFINITY; N];
    for _ in 0..BATCHES {
        for (turns, least) in pools.iter_mut().zip(&mut least) {
            let batch = time(turns, TURNS.into()).as_secs_f64() * 1e6 / f64::from(TURNS);
            *least = least.min(batch);
        }
    }
    least
}

/// Fails when a turn in memory takes longer than it may, or grows faster with the accounts.
fn check() {
    let limit = std::env::var("G2A_BENCH_LIMIT_US").map_or(LIMIT_US, |text| text.parse().unwrap());
    let [few, many] = [1_000, 50_000];
    let [of_few, of_many] = microseconds([few, many]);
    let most = f64::from(many).ln() / f64::from(few).ln() * CACHES;
    let growth = of_many / of_few;
    let told = format!("{of_few:.2} µs with {few} accounts, {of_many:.2} µs with {many}");
    assert!(of_many <= limit, "{told}; the limit is {limit} µs (G2A_BENCH_LIMIT_US)");
    assert!(growth <= most, "{told}: {growth:.2} times as long, and {most:.2} times is the most");
    println!("checked: {told}");
}

criterion_group!(benches, memory, rows, refusal, redis);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    // Not when tests are merely listed or tried out.
    if std::env::args().any(|argument| argument == "--bench") {
        check();
    }
}
