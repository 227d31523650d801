//! One turn of the pool, lease and settle, over its size: in memory, and on a Redis server beside it. The targets are
//! 5 µs in memory at 50,000 accounts, growing no faster than the logarithm of their number, and two round trips.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use grok2api_testkit::RedisServer;
use grok2api_token_pool::bench::{RedisTurns, Turns};

const SIZES: [u32; 3] = [10, 1_000, 50_000];

fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lease + settle");
    for accounts in SIZES {
        let mut turns = Turns::new(accounts);
        group.bench_function(BenchmarkId::from_parameter(accounts), |bencher| {
            bencher.iter(|| assert!(turns.turn()));
        });
    }
}

fn refusal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("refusal");
    for accounts in SIZES {
        let mut turns = Turns::new(accounts);
        group.bench_function(BenchmarkId::from_parameter(accounts), |bencher| {
            bencher.iter(|| assert!(turns.refusal()));
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

criterion_group!(benches, memory, refusal, redis);
criterion_main!(benches);
