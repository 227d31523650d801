//! What every ledger must do. Each function wants an empty one.

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{
    Error, Store,
    ledger::{
        Attempt, Dimension, Filter, Grain, Keep, Ledger, Outcome, Query, Range, Row, Series, Totals, first_id,
    },
};
use uuid::Uuid;

use crate::support::{Stand, command, sql};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// The start of a day.
const NOW: i64 = 20_000 * DAY;
const KEEP: Keep = Keep { days: 90, rows: 1_000 };

fn id(at: i64, number: u32) -> Uuid {
    Uuid::from_u128(first_id(at).as_u128() | (7 << 76) | (2 << 62) | u128::from(number))
}

fn row(at: i64, number: u32, account: &str) -> Row {
    let attempt = |account: &str, outcome: &str| Attempt {
        account: account.into(),
        outcome: outcome.into(),
        cause: if outcome == "success" { String::new() } else { "the upstream's \"limit\" 限".into() },
        duration_ms: 40,
        units: 1,
    };
    Row {
        id: id(at, number),
        request_id: format!("req-{number}"),
        endpoint: "/v1/chat/completions".into(),
        model: if number.is_multiple_of(2) { "grok-4-fast" } else { "grok-3-fast" }.into(),
        client_key: format!("key-{}", number % 3),
        attempts: vec![attempt("tried-in-vain", "rate_limited"), attempt(account, "success")],
        first_output_ms: Some(300),
        duration_ms: 1_300,
        prompt_tokens: 10,
        completion_tokens: 20,
        reasoning_tokens: 5,
        tokens_estimated: true,
        units: 4,
        images: 2,
        videos: 1,
        outcome: Outcome::Success,
        http_status: 200,
        stream: true,
        error_code: String::new(),
        error_message: String::new(),
    }
}

fn failed(at: i64, number: u32, outcome: Outcome) -> Row {
    Row {
        attempts: Vec::new(),
        first_output_ms: None,
        completion_tokens: 0,
        stream: false,
        outcome,
        http_status: 502,
        error_code: "upstream_error".into(),
        error_message: "it 'failed'; \\ \"x\"".into(),
        ..row(at, number, "")
    }
}

fn numbers(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.request_id.trim_start_matches("req-")).collect()
}

async fn sums(store: &dyn Ledger, dimension: Dimension, from: i64, to: i64, width: i64) -> Vec<Series> {
    let range = Range::new(from, to, width).unwrap();
    store.series(&Query { dimension, range, only: None, top: 10 }).await.unwrap()
}

/// What one request adds up to, and many.
fn totals(rows: &[Row]) -> Totals {
    rows.iter().fold(Totals::default(), |mut sum, row| {
        sum.add(&Totals::of(row));
        sum
    })
}

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    rows_come_back_as_they_were_given(&*stand.fresh().await.ledger()).await;
    a_row_is_written_and_counted_once(&*stand.fresh().await.ledger()).await;
    pages_follow_each_other_and_filters_hold(&*stand.fresh().await.ledger()).await;
    filters_hold_together_over_all_pages(&*stand.fresh().await.ledger()).await;
    sums_are_those_of_the_rows(&*stand.fresh().await.ledger()).await;
    the_most_asked_come_first(&*stand.fresh().await.ledger()).await;
    what_is_too_old_goes(&*stand.fresh().await.ledger()).await;
    what_is_too_much_goes(&*stand.fresh().await.ledger()).await;
    let (one, other) = stand.two().await;
    writers_side_by_side_agree(&*one.ledger(), &*other.ledger()).await;
}

async fn rows_come_back_as_they_were_given(store: &dyn Ledger) {
    let rows = [row(NOW, 1, "account"), failed(NOW + 1, 2, Outcome::Upstream)];
    assert_eq!(store.record(&rows, 0, NOW).await.unwrap(), 2);
    for row in &rows {
        assert_eq!(store.get(row.id).await.unwrap().as_ref(), Some(row));
    }
    let page = store.page(&Filter::default(), None, 10).await.unwrap();
    assert_eq!(page, [rows[1].clone(), rows[0].clone()]);
    assert_eq!(store.get(id(NOW, 3)).await.unwrap(), None);
}

async fn a_row_is_written_and_counted_once(store: &dyn Ledger) {
    let rows: Vec<Row> = (0..700).map(|number| row(NOW + i64::from(number), number, "account")).collect();
    assert_eq!(store.record(&rows[..450], 3, NOW).await.unwrap(), 450);
    assert_eq!(store.record(&rows[..450], 3, NOW).await.unwrap(), 0);
    assert_eq!(store.record(&[&rows[400..], &rows[600..]].concat(), 0, NOW).await.unwrap(), 250);
    assert_eq!(store.record(&[], 3, NOW).await.unwrap(), 0);
    let [all] = &sums(store, Dimension::All, NOW, NOW + 1, DAY).await[..] else { panic!("one series") };
    let [(start, found)] = &all.steps[..] else { panic!("one step") };
    assert_eq!((*start, found.requests(), found.unrecorded()), (NOW, 700, 3));
    assert_eq!(found.units(), 4 * 700);
}

async fn pages_follow_each_other_and_filters_hold(store: &dyn Ledger) {
    let mut rows: Vec<Row> =
        (0..8).map(|number| row(NOW + i64::from(number), number, ["a", "b"][number as usize / 4])).collect();
    rows.push(failed(NOW + 8, 8, Outcome::Timeout));
    store.record(&rows, 0, NOW).await.unwrap();
    let page = async |filter: Filter, before, limit| {
        numbers(&store.page(&filter, before, limit).await.unwrap()).join(" ")
    };
    let any = Filter::default;
    assert_eq!(page(any(), None, 3).await, "8 7 6");
    assert_eq!(page(any(), Some(rows[6].id), 3).await, "5 4 3");
    assert_eq!(page(any(), Some(rows[0].id), 3).await, "");
    assert_eq!(page(Filter { from: Some(NOW + 2), to: Some(NOW + 4), ..any() }, None, 9).await, "3 2");
    let account = |name: &str| Filter { account: Some(name.into()), ..any() };
    assert_eq!(page(account("a"), None, 9).await, "3 2 1 0");
    assert_eq!(page(account(""), None, 9).await, "8");
    assert_eq!(page(account("nobody"), None, 9).await, "");
    let model = Filter { model: Some("grok-3-fast".into()), ..account("b") };
    assert_eq!(page(model.clone(), None, 9).await, "7 5");
    assert_eq!(page(model, Some(rows[7].id), 9).await, "5");
    let key = Filter { client_key: Some("key-2".into()), ..any() };
    assert_eq!(page(key.clone(), None, 2).await, "8 5");
    assert_eq!(page(Filter { outcome: Some(Outcome::Timeout), ..key.clone() }, None, 9).await, "8");
    assert_eq!(page(Filter { outcome: Some(Outcome::Success), ..key }, None, 9).await, "5 2");
    assert_eq!(page(Filter { outcome: Some(Outcome::Timeout), ..any() }, None, 9).await, "8");
}

/// Every set of filters, in small pages: what a look at every row would find.
async fn filters_hold_together_over_all_pages(store: &dyn Ledger) {
    let mut rows: Vec<Row> = (0..90)
        .map(|number| {
            let mut row =
                row(NOW + i64::from(number % 60), number, ["a", "b", "c"][number as usize * 7 % 11 % 3]);
            row.outcome = Outcome::ALL[number as usize * 5 % 17 % 9];
            row
        })
        .collect();
    store.record(&rows, 0, NOW).await.unwrap();
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    let one = &rows[40];
    let maybe = |wanted: bool, name: &str| wanted.then(|| name.to_owned());
    for set in 0..32_u32 {
        let is = |bit: u32| set & (1 << bit) != 0;
        let filter = Filter {
            from: is(0).then_some(NOW + 10),
            to: is(0).then_some(NOW + 50),
            model: maybe(is(1), &one.model),
            client_key: maybe(is(2), &one.client_key),
            account: maybe(is(3), one.account()),
            outcome: is(4).then_some(one.outcome),
        };
        let wants = |row: &&Row| {
            (!is(0) || (NOW + 10..NOW + 50).contains(&row.started_at()))
                && (!is(1) || row.model == one.model)
                && (!is(2) || row.client_key == one.client_key)
                && (!is(3) || row.account() == one.account())
                && (!is(4) || row.outcome == one.outcome)
        };
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = store.page(&filter, before, 7).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            found.extend(page);
        }
        let wanted: Vec<Row> = rows.iter().filter(wants).cloned().collect();
        assert_eq!(numbers(&found), numbers(&wanted), "{filter:?}");
        assert!(!found.is_empty());
    }
}

async fn sums_are_those_of_the_rows(store: &dyn Ledger) {
    let ago = |millis: i64, number| row(NOW - millis, number, "a");
    let rows = [ago(1, 1), ago(61_000, 2), ago(7_200_000, 3), ago(3 * DAY, 4), ago(40 * DAY, 5)];
    let failure = failed(NOW - 2, 6, Outcome::RateLimited);
    store.record(&[&rows[..], std::slice::from_ref(&failure)].concat(), 0, NOW).await.unwrap();
    let series = async |from, to, width| {
        let found = sums(store, Dimension::All, from, to, width).await.pop();
        found.map(|series| series.steps).unwrap_or_default()
    };
    let last_minute = totals(&[rows[0].clone(), failure.clone()]);
    let minutes = series(NOW - 3_600_000, NOW, 60_000).await;
    assert_eq!(minutes, [(NOW - 120_000, totals(&rows[1..2])), (NOW - 60_000, last_minute.clone())]);
    let mut lately = last_minute.clone();
    lately.add(&totals(&rows[1..2]));
    let halves = series(NOW - 3_600_000, NOW, 1_800_000).await;
    assert_eq!(halves, [(NOW - 1_800_000, lately.clone())]);
    let hours = series(NOW - DAY, NOW, 3_600_000).await;
    assert_eq!(hours, [(NOW - 7_200_000, totals(&rows[2..3])), (NOW - 3_600_000, lately)]);
    let whole = totals(&[&rows[..], &[failure]].concat());
    assert_eq!(series(NOW - 90 * DAY, NOW, 0).await, [(NOW - 90 * DAY, whole.clone())]);
    assert_eq!(whole.ended(Outcome::Success), 5);
    assert_eq!((whole.first_output().count(), whole.duration().count()), (5, 6));
    // What is kept no longer was never written.
    assert!(series(NOW - 41 * DAY, NOW - 39 * DAY, 3_600_000).await.is_empty());
    assert_eq!(series(NOW - 41 * DAY, NOW - 39 * DAY, DAY).await.len(), 1);
}

async fn the_most_asked_come_first(store: &dyn Ledger) {
    let mut rows = Vec::new();
    for (account, count) in [("few", 2), ("many", 10), ("some", 5)] {
        let from = u32::try_from(rows.len()).unwrap();
        rows.extend((from..from + count).map(|number| row(NOW + i64::from(number), number, account)));
    }
    store.record(&rows, 0, NOW).await.unwrap();
    let range = Range::new(NOW, NOW + 1, 0).unwrap();
    assert_eq!((range.grain, range.width), (Grain::Minute, 60_000));
    let query = Query { dimension: Dimension::Account, range, only: None, top: 2 };
    let found = store.series(&query).await.unwrap();
    let told: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.steps[0].1.requests())).collect();
    assert_eq!(told, [("many", 10), ("some", 5)]);
    let only = async |name: &str| {
        let query = Query { only: Some(name.into()), ..query.clone() };
        store.series(&query).await.unwrap().iter().map(|one| one.steps[0].1.requests()).sum::<u64>()
    };
    assert_eq!((only("few").await, only("nobody").await), (2, 0));
    let models = sums(store, Dimension::Model, NOW, NOW + 1, 0).await;
    assert_eq!(
        models.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["grok-4-fast", "grok-3-fast"]
    );
    assert_eq!(sums(store, Dimension::ClientKey, NOW, NOW + 1, 0).await.len(), 3);
}

/// Prunes until there is nothing left to do; in how many steps.
async fn prune(store: &dyn Ledger, keep: Keep, now: i64) -> u32 {
    let mut steps = 0;
    while store.prune(keep, now, 7).await.unwrap() > 0 {
        steps += 1;
    }
    steps
}

async fn what_is_too_old_goes(store: &dyn Ledger) {
    let rows: Vec<Row> = (0..30).map(|number| row(NOW + i64::from(number), number, "a")).collect();
    store.record(&rows, 0, NOW).await.unwrap();
    let fresh = row(NOW + 100 * DAY, 99, "b");
    store.record(std::slice::from_ref(&fresh), 0, NOW + 100 * DAY).await.unwrap();
    assert!(prune(store, KEEP, NOW + 100 * DAY).await > 3, "in small steps");
    assert_eq!(store.page(&Filter::default(), None, 99).await.unwrap(), [fresh]);
    assert_eq!(
        store.page(&Filter { account: Some("a".into()), ..Filter::default() }, None, 9).await.unwrap(),
        []
    );
    let days = sums(store, Dimension::All, NOW, NOW + 101 * DAY, DAY).await;
    assert_eq!(days[0].steps.len(), 1);
    for width in [60_000, 3_600_000] {
        assert!(sums(store, Dimension::Account, NOW, NOW + DAY, width).await.is_empty());
    }
    assert_eq!(prune(store, KEEP, NOW + 100 * DAY).await, 0);
}

async fn what_is_too_much_goes(store: &dyn Ledger) {
    let rows: Vec<Row> = (0..30).map(|number| row(NOW + i64::from(number), number, "a")).collect();
    store.record(&rows, 0, NOW).await.unwrap();
    prune(store, Keep { rows: 12, ..KEEP }, NOW).await;
    assert_eq!(store.page(&Filter::default(), None, 99).await.unwrap().len(), 12);
    assert_eq!(store.get(rows[17].id).await.unwrap(), None);
    assert!(store.get(rows[18].id).await.unwrap().is_some());
    // The sums of what went stay.
    assert_eq!(sums(store, Dimension::All, NOW, NOW + 1, DAY).await[0].steps[0].1.requests(), 30);
}

/// Two processes that are given the same rows, again and again, while a third takes old ones away.
async fn writers_side_by_side_agree(one: &dyn Ledger, other: &dyn Ledger) {
    let rows: Vec<Row> = (0..400).map(|number| row(NOW + i64::from(number), number, "a")).collect();
    let write = async |store: &dyn Ledger, size: usize| {
        let mut new = 0;
        for batch in rows.chunks(size) {
            new += store.record(batch, 0, NOW).await.unwrap();
            store.prune(KEEP, NOW, 10).await.unwrap();
        }
        new
    };
    let (first, second, third) = tokio::join!(write(one, 50), write(other, 50), write(other, 30));
    assert_eq!(first + second + third, 400);
    let found = sums(one, Dimension::Account, NOW, NOW + 1, DAY).await;
    assert_eq!(found[0].steps[0].1, totals(&rows));
    assert_eq!(other.page(&Filter::default(), None, 999).await.unwrap().len(), 400);
}

#[rstest::rstest]
#[tokio::test]
async fn impossible_rows_are_named(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    for (damage, reason) in [
        ("outcome = 77", "outcome 77"),
        ("duration_ms = -1", "duration_ms -1"),
        ("attempts = '[1]'", "attempts"),
        ("model = 999", "model has no name"),
    ] {
        let settings: Settings = stand.settings().await;
        let store = Store::open(&settings).await.unwrap().ledger();
        let known = row(NOW, 1, "a");
        store.record(std::slice::from_ref(&known), 0, NOW).await.unwrap();
        if mode == Mode::Redis {
            let key = format!("{{g2a}}:ledger:row:{}", known.id.simple());
            command(&settings, redis::cmd("HSET").arg(key).arg("row").arg("{}")).await;
        } else {
            sql(&settings, &format!("UPDATE ledger SET {damage}")).await;
        }
        let error = store.get(known.id).await.unwrap_err();
        assert!(matches!(&error, Error::ImpossibleRow { table: "ledger", .. }), "{error}");
        assert!(mode == Mode::Redis || error.to_string().contains(reason), "{error}");
    }
}
