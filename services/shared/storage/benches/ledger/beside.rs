//! What recording costs those who are being served: a request of a key with a budget is counted in the same store.

use std::time::{Duration, Instant};

use grok2api_storage::{
    Store,
    budgets::{Reservation, Reserved},
    client_keys::{Budget, Period, Unit},
    ledger::Row,
};
use tokio::sync::watch;
use uuid::Uuid;

use super::row;

const ADMISSIONS: usize = 1_000;
/// Requests come one after the other, with a pause.
const PAUSE: Duration = Duration::from_millis(2);
/// Of the gateway's.
const BATCH: u64 = 200;

/// How long admissions take alone, beside a ledger that is written without a break, and at a thousand requests a second.
pub(super) async fn admissions(mode: &str, store: &Store, rows: u64, now: i64) {
    admit(mode, "alone", store, now).await;
    let paces = [
        ("recording a batch a fifth of a second", Duration::from_millis(200)),
        ("recording without a break", Duration::ZERO),
    ];
    let mut from = rows;
    for (name, pace) in paces {
        let (stop, mut stopped) = watch::channel(false);
        let ledger = store.ledger();
        let recording = tokio::spawn(async move {
            let (mut number, mut slowest, mut batches) = (from, Duration::ZERO, 0_u32);
            while !*stopped.borrow() {
                let batch: Vec<_> =
                    (number..number + BATCH).map(|number| of_now(number, rows, now)).collect();
                number += BATCH;
                let begun = Instant::now();
                ledger.record(&batch, 0, now).await.unwrap();
                slowest = slowest.max(begun.elapsed());
                batches += 1;
                tokio::time::timeout(pace, stopped.changed()).await.ok();
            }
            (number, slowest, batches)
        });
        admit(mode, name, store, now).await;
        stop.send(true).unwrap();
        let (number, slowest, batches) = recording.await.unwrap();
        from = number;
        println!(
            "{mode}: {batches} batches beside it, the slowest in {:.1} ms",
            slowest.as_secs_f64() * 1000.0
        );
    }
}

/// A request that is over now.
fn of_now(number: u64, rows: u64, now: i64) -> Row {
    Row { id: Uuid::now_v7(), ..row(number, rows, now) }
}

async fn admit(mode: &str, beside: &str, store: &Store, now: i64) {
    let (budgets, key) = (store.budgets(), Uuid::now_v7());
    let budget = [Budget { unit: Unit::Requests, period: Period::Lifetime, amount: u64::MAX / 2 }];
    let mut times = Vec::with_capacity(ADMISSIONS);
    for _ in 0..ADMISSIONS {
        let reservation = Reservation { id: Uuid::now_v7(), key, at: now, tokens: 10 };
        let begun = Instant::now();
        let reserved = budgets.reserve(&reservation, &budget).await.unwrap();
        times.push(begun.elapsed());
        assert!(matches!(reserved, Reserved::Counted(_)));
        tokio::time::sleep(PAUSE).await;
    }
    times.sort_unstable();
    let at = |share: usize| times[(ADMISSIONS - 1) * share / 1000].as_secs_f64() * 1000.0;
    println!(
        "{mode}: admission, {beside}: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, slowest {:.1} ms",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}
