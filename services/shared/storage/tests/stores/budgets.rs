//! What every store of budgets does. Each test gets two handles on one empty store, as two processes have them.

use futures_util::future::join_all;
use grok2api_kit::settings::Mode;
use grok2api_storage::{
    Store,
    budgets::{Budgets, Reservation, Reserved, Settlement, Spent, Used},
    client_keys::{Budget, Period, Unit},
};
use uuid::Uuid;

use crate::support::Stand;

/// 2025-10-09, a Thursday.
const NOW: i64 = 1_760_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    macro_rules! run {
        ($($name:ident),* $(,)?) => { $(
            let (one, other) = stand.two().await;
            $name(&*one.budgets(), &*other.budgets()).await;
        )* };
    }
    run! {
        what_is_reserved_is_counted_in_every_period,
        a_settlement_counts_what_was_used_once,
        what_is_given_back_is_counted_no_more,
        a_budget_with_nothing_left_refuses,
        every_period_begins_anew,
        a_crowd_gets_exactly_the_budget,
        who_is_settled_first_is_not_counted,
        what_is_old_is_forgotten,
    }
    counters_outlive_the_process(&stand).await;
    if mode != Mode::File {
        counters_outlive_the_store(stand).await;
    }
}

fn budget(amount: u64, unit: Unit, period: Period) -> Budget {
    Budget { unit, period, amount }
}

fn request(key: Uuid, at: i64, tokens: u64) -> Reservation {
    Reservation { id: Uuid::now_v7(), key, at, tokens }
}

fn settled(reservation: &Reservation, used: Option<(u64, u64)>) -> Settlement {
    let used = used.map(|(tokens, units)| Used { tokens, units });
    Settlement { id: reservation.id, key: reservation.key, used, now: reservation.at + 5_000 }
}

/// Requests, tokens and units by day, week, month and ever.
fn counted(spent: &Spent) -> [[u64; 3]; 4] {
    Period::ALL.map(|period| {
        [Unit::Requests, Unit::Tokens, Unit::Units].map(|unit| spent.by(&budget(0, unit, period)))
    })
}

async fn what_is_reserved_is_counted_in_every_period(one: &dyn Budgets, other: &dyn Budgets) {
    let (key, another) = (Uuid::now_v7(), Uuid::now_v7());
    let all = [budget(9, Unit::Requests, Period::Day)];
    let first = request(key, NOW, 7);
    let Reserved::Counted(spent) = one.reserve(&first, &all).await.unwrap() else { panic!() };
    assert_eq!(counted(&spent), [[1, 7, 0]; 4]);
    let Reserved::Counted(spent) = other.reserve(&request(key, NOW, 0), &all).await.unwrap() else {
        panic!()
    };
    assert_eq!(counted(&spent), [[2, 7, 0]; 4]);
    let Reserved::Counted(spent) = other.reserve(&first, &all).await.unwrap() else { panic!() };
    assert_eq!(counted(&spent), [[2, 7, 0]; 4], "the same request is counted once");
    assert_eq!(counted(&one.spent(another, NOW).await.unwrap()), [[0; 3]; 4]);
}

async fn a_settlement_counts_what_was_used_once(one: &dyn Budgets, other: &dyn Budgets) {
    let key = Uuid::now_v7();
    let (first, second) = (request(key, NOW, 7), request(key, NOW, 0));
    for reservation in [&first, &second] {
        one.reserve(reservation, &[]).await.unwrap();
    }
    let settlements = [settled(&first, Some((30, 2))), settled(&second, Some((4, 0)))];
    other.settle(&settlements).await.unwrap();
    one.settle(&settlements).await.unwrap();
    other.settle(&[settled(&first, None)]).await.unwrap();
    assert_eq!(counted(&one.spent(key, NOW).await.unwrap()), [[2, 34, 2]; 4]);
}

async fn what_is_given_back_is_counted_no_more(one: &dyn Budgets, other: &dyn Budgets) {
    let key = Uuid::now_v7();
    let last = [budget(1, Unit::Requests, Period::Lifetime)];
    let first = request(key, NOW, 7);
    one.reserve(&first, &last).await.unwrap();
    let refused = other.reserve(&request(key, NOW, 0), &last).await.unwrap();
    assert!(matches!(refused, Reserved::UsedUp(_)), "{refused:?}");
    other.settle(&[settled(&first, None)]).await.unwrap();
    assert_eq!(counted(&one.spent(key, NOW).await.unwrap()), [[0; 3]; 4]);
    assert!(matches!(one.reserve(&request(key, NOW, 0), &last).await.unwrap(), Reserved::Counted(_)));
}

async fn a_budget_with_nothing_left_refuses(one: &dyn Budgets, _: &dyn Budgets) {
    for unit in [Unit::Requests, Unit::Tokens, Unit::Units] {
        for period in Period::ALL {
            let key = Uuid::now_v7();
            let budgets = [budget(100, Unit::Requests, Period::Day), budget(1, unit, period)];
            let first = request(key, NOW, 0);
            assert!(matches!(one.reserve(&first, &budgets).await.unwrap(), Reserved::Counted(_)));
            one.settle(&[settled(&first, Some((1, 1)))]).await.unwrap();
            let second = one.reserve(&request(key, NOW, 0), &budgets).await.unwrap();
            let Reserved::UsedUp(spent) = second else { panic!("{unit:?} {period:?}: {second:?}") };
            assert_eq!(spent.used_up(&budgets, NOW), Some(&budgets[1]));
            // What was spent is kept when the operator changes the budget.
            let more = [budget(2, unit, period)];
            assert!(matches!(one.reserve(&request(key, NOW, 0), &more).await.unwrap(), Reserved::Counted(_)));
        }
    }
}

async fn every_period_begins_anew(one: &dyn Budgets, _: &dyn Budgets) {
    let key = Uuid::now_v7();
    let reserve = async |at: i64| {
        let Reserved::Counted(spent) = one.reserve(&request(key, at, 0), &[]).await.unwrap() else {
            panic!()
        };
        counted(&spent).map(|[requests, ..]| requests)
    };
    assert_eq!(reserve(NOW).await, [1, 1, 1, 1]);
    assert_eq!(reserve(NOW + DAY).await, [1, 2, 2, 2]);
    assert_eq!(reserve(NOW + 4 * DAY).await, [1, 1, 3, 3]);
    assert_eq!(reserve(NOW + 30 * DAY).await, [1, 1, 1, 4]);
    // What began before midnight is settled where it was counted.
    let late = request(key, NOW + 30 * DAY, 5);
    one.reserve(&late, &[]).await.unwrap();
    one.settle(&[Settlement { now: NOW + 31 * DAY, ..settled(&late, Some((8, 0))) }]).await.unwrap();
    assert_eq!(counted(&one.spent(key, NOW + 30 * DAY).await.unwrap())[0], [2, 8, 0]);
    assert_eq!(counted(&one.spent(key, NOW + 31 * DAY).await.unwrap())[0], [0, 0, 0]);
}

async fn a_crowd_gets_exactly_the_budget(one: &dyn Budgets, other: &dyn Budgets) {
    let key = Uuid::now_v7();
    let budgets = [budget(150, Unit::Requests, Period::Lifetime), budget(1_000, Unit::Requests, Period::Day)];
    let caller = async |number: usize| {
        let mut counted = 0;
        for turn in 0..8 {
            let store = if (number + turn).is_multiple_of(2) { one } else { other };
            // Every fourth gives it back, for another to have.
            let used = (!(number + turn).is_multiple_of(4)).then_some((3, 1));
            let served = serve(store, key, &budgets, used).await;
            counted += u64::from(served && used.is_some());
        }
        counted
    };
    let mut counts: u64 = join_all((0..40).map(caller)).await.into_iter().sum();
    assert!((100..=150).contains(&counts), "{counts}");
    // Callers may have been refused for what others gave back afterwards.
    while serve(one, key, &budgets, Some((3, 1))).await {
        counts += 1;
    }
    assert_eq!(counts, 150);
    let spent = counted(&one.spent(key, NOW).await.unwrap())[3];
    assert_eq!(spent, [counts, 3 * counts, counts]);
}

/// A request from its reservation to what it used; whether it was let in.
async fn serve(store: &dyn Budgets, key: Uuid, budgets: &[Budget], used: Option<(u64, u64)>) -> bool {
    let reservation = request(key, NOW, 3);
    let Reserved::Counted(_) = store.reserve(&reservation, budgets).await.unwrap() else { return false };
    store.settle(&[settled(&reservation, used)]).await.unwrap();
    true
}

async fn who_is_settled_first_is_not_counted(one: &dyn Budgets, other: &dyn Budgets) {
    let key = Uuid::now_v7();
    let late = request(key, NOW, 3);
    other.settle(&[settled(&late, None)]).await.unwrap();
    other.settle(&[settled(&late, None)]).await.unwrap();
    assert_eq!(one.reserve(&late, &[]).await.unwrap(), Reserved::Ended);
    assert_eq!(counted(&one.spent(key, NOW).await.unwrap()), [[0; 3]; 4]);
}

async fn what_is_old_is_forgotten(one: &dyn Budgets, _: &dyn Budgets) {
    let key = Uuid::now_v7();
    one.reserve(&request(key, NOW, 3), &[]).await.unwrap();
    let young = request(key, NOW, 3);
    one.reserve(&young, &[]).await.unwrap();
    one.sweep(NOW + DAY).await.unwrap();
    one.settle(&[settled(&young, Some((5, 0)))]).await.unwrap();
    assert_eq!(counted(&one.spent(key, NOW).await.unwrap()), [[2, 8, 0]; 4]);
    one.sweep(NOW + 100 * DAY).await.unwrap();
    assert_eq!(counted(&one.spent(key, NOW).await.unwrap())[3], [2, 8, 0], "a lifetime is for ever");
}

async fn counters_outlive_the_process(stand: &Stand) {
    let (settings, key) = (stand.settings().await, Uuid::now_v7());
    let open = request(key, NOW, 3);
    let store = Store::open(&settings).await.unwrap();
    store.budgets().reserve(&open, &[]).await.unwrap();
    store.close().await;
    let again = Store::open(&settings).await.unwrap();
    assert_eq!(counted(&again.budgets().spent(key, NOW).await.unwrap()), [[1, 3, 0]; 4]);
    again.budgets().settle(&[settled(&open, Some((9, 1)))]).await.unwrap();
    assert_eq!(counted(&again.budgets().spent(key, NOW).await.unwrap()), [[1, 9, 1]; 4]);
}

async fn counters_outlive_the_store(mut stand: Stand) {
    let (settings, key) = (stand.settings().await, Uuid::now_v7());
    let store = Store::open(&settings).await.unwrap();
    for _ in 0..10 {
        store.budgets().reserve(&request(key, NOW, 3), &[]).await.unwrap();
    }
    stand.server.kill();
    assert!(store.budgets().reserve(&request(key, NOW, 3), &[]).await.is_err());
    stand.server.start_again();
    let again = Store::open(&settings).await.unwrap();
    assert_eq!(counted(&again.budgets().spent(key, NOW).await.unwrap()), [[10, 30, 0]; 4]);
}
