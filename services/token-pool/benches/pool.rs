//! Lease and settle in memory. The target is 5 µs at 50,000 accounts, growing no faster than the logarithm of their
//! number.

use criterion::{Criterion, criterion_group, criterion_main};
use grok2api_token_pool::bench::Turns;

fn turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lease + settle");
    for accounts in [10, 1_000, 50_000] {
        let mut pool = Turns::new(accounts);
        group.bench_function(format!("{accounts} accounts"), |bencher| {
            bencher.iter(|| assert!(pool.turn(), "an account is there"));
        });
    }
    group.finish();
}

criterion_group!(benches, turns);
criterion_main!(benches);
