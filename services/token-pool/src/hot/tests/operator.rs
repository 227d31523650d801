//! What the operator sees and does: histories, events, refreshes, twins.

use grok2api_proto::pool::{EventKind, Outcome, PoolEvent};
use grok2api_storage::accounts::{Status, StoredAccount, Tier};
use rstest::rstest;
use uuid::Uuid;

use super::fixture::*;
use crate::{
    classes::ClassId,
    policy::{HISTORY, IDLE_MS, LONGEST_READ_PAUSE_MS, READ_PAUSE_MS},
    reading::{Asked, ReadEnd},
    roster::{Limits, Roster},
    wanted::{LEASE_MS, Wanted},
    window::Reading,
};

const SECOND: i64 = 1000;
const FULL: Reading = Reading { total: 80, remaining: 80, length_ms: 3_600_000 };

fn of_user(number: u128, user: &str) -> StoredAccount {
    StoredAccount { user_id: Some(user.into()), ..stored(number, Tier::Basic, Some(window(80))) }
}

fn kinds(events: &[PoolEvent]) -> Vec<EventKind> {
    events.iter().map(PoolEvent::kind).collect()
}

#[rstest]
fn failures_are_remembered_whether_they_cost_something_or_not(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, None)]);
    for outcome in [Outcome::Success, Outcome::ClientCancelled, Outcome::RequestRefused] {
        let lease = pool.lease(&wanted(1)).unwrap();
        pool.settle(&lease, &failed(outcome));
    }
    assert!(pool.account(1).failures.is_empty(), "nobody failed");
    for _ in 0..=HISTORY {
        let lease = pool.lease(&wanted(1)).unwrap();
        pool.settle(&lease, &failed(Outcome::UpstreamFailed));
        pool.now += SECOND;
    }
    let failures = &pool.account(1).failures;
    assert_eq!(failures.len(), HISTORY, "the oldest is forgotten");
    assert!(failures.iter().all(|failure| !failure.penalised), "the last usable account is spared");
    assert_eq!(failures[0].outcome, "OUTCOME_UPSTREAM_FAILED");
    let row = pool.look(|roster| roster.row(id(1))).unwrap();
    assert_eq!(row.failures.len(), HISTORY, "they are kept");
}

#[rstest]
fn half_of_the_pool_rests_for_one_kind_of_failure_and_no_more(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, (1..=10).map(|number| stored(number, Tier::Basic, Some(window(80)))));
    for number in 0..10 {
        let request_id = format!("request-{number}");
        let lease = pool.lease(&Wanted { request_id, ..wanted(1) }).unwrap();
        pool.settle(&lease, &failed(Outcome::UpstreamFailed));
    }
    let rests = |pool: &mut Fixture| (1..=10).filter(|number| pool.state(*number) != "active").count();
    assert_eq!(rests(&mut pool), 5, "it is the upstream that fails");
    let lease = pool.lease(&Wanted { request_id: "another".into(), ..wanted(1) }).unwrap();
    pool.settle(&lease, &failed(Outcome::TransportFailed));
    assert_eq!(rests(&mut pool), 6, "another kind of failure is another matter");
}

#[rstest]
fn a_restart_knows_what_accounts_rest_for(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, (1..=4).map(|number| stored(number, Tier::Basic, Some(window(80)))));
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::UpstreamFailed));
    let rows: Vec<_> = (1..=4).filter_map(|number| pool.look(|roster| roster.row(id(number)))).collect();
    let again = Fixture::on(on, rows);
    assert_eq!(again.account(lease.account).resting_for(), Some(Outcome::UpstreamFailed));
}

#[rstest]
fn events_tell_what_happened_and_never_a_token(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(2))), stored(2, Tier::Basic, None)]);
    assert!(pool.look(Roster::take_events).is_empty(), "nobody watches");
    pool.look(|roster| roster.watch(true));
    let lease = pool.lease(&Wanted { exclude: vec![Uuid::from_u128(2)], ..wanted(2) }).unwrap();
    pool.settle(&lease, &ended(true));
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::Banned));
    pool.clear(2);
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.now += LEASE_MS;
    assert!(!pool.settle(&lease, &ended(true)));
    pool.remove(2);
    pool.merge(stored(3, Tier::Basic, None));
    pool.merge(StoredAccount { version: 2, note: "n".into(), ..stored(3, Tier::Basic, None) });
    let events = pool.look(Roster::take_events);
    assert_eq!(
        kinds(&events),
        [
            EventKind::Exhausted,
            EventKind::Leased,
            EventKind::Settled,
            EventKind::Leased,
            EventKind::Settled,
            EventKind::Cooled,
            EventKind::Recovered,
            EventKind::Leased,
            EventKind::Settled,
            EventKind::Removed,
            EventKind::Added,
            EventKind::Changed,
        ]
    );
    assert_eq!((events[0].class.as_str(), events[2].outcome()), ("normal", Outcome::Success));
    assert_eq!(events[5].cause, "because");
    assert!(!format!("{events:?}").contains("token-"));
}

#[rstest]
fn a_reading_that_is_asked_for_goes_first_and_is_told_when_it_is_done(
    #[values(On::Memory, On::Redis)] on: On,
) {
    let pool = Fixture::on(on, [stored(1, Tier::Basic, None), stored(2, Tier::Basic, Some(window(80)))]);
    let asked = |pool: &Fixture, since| {
        pool.look(|roster| roster.get(id(2)).map(|account| account.asked((id(2), ClassId::new(0)), since)))
    };
    let since = pool.call(pool.hot.ask(&[id(2)]));
    assert_eq!(asked(&pool, since), Some(Asked::Pending));
    let job = pool.next_read().unwrap();
    assert_eq!(job.target.0, id(2), "account 1 is merely unknown");
    pool.read_done(&job, &ReadEnd::Failed("502".into()));
    assert_eq!(asked(&pool, since), Some(Asked::Pending), "something may still come of it");
    pool.call(pool.hot.read_told(&job));
    assert_eq!(asked(&pool, since), Some(Asked::Failed("502".into())));
    assert_eq!(pool.window(2).read_error.as_deref(), Some("502"));
    let since = pool.call(pool.hot.ask(&[id(2)]));
    let job = pool.next_read().unwrap();
    pool.read_done(&job, &ReadEnd::Reading(FULL));
    pool.call(pool.hot.read_told(&job));
    assert_eq!(asked(&pool, since), Some(Asked::Read));
}

#[rstest]
fn a_reading_that_ends_late_does_not_hide_a_newer_one(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, [stored(1, Tier::Basic, None)]);
    let slow = pool.next_read().expect("nothing is known of it");
    pool.read_done(&slow, &ReadEnd::Reading(FULL));
    let since = pool.call(pool.hot.ask(&[id(1)]));
    let job = pool.next_read().expect("the operator has asked");
    pool.read_done(&job, &ReadEnd::Reading(FULL));
    pool.call(pool.hot.read_told(&job));
    pool.call(pool.hot.read_told(&slow));
    let target = (id(1), ClassId::new(0));
    assert_eq!(pool.account(1).asked(target, since), Asked::Read);
}

#[rstest]
fn a_dead_account_comes_back_when_the_operator_asks_and_the_upstream_takes_it(
    #[values(On::Memory, On::Redis)] on: On,
) {
    let banned = Status::Banned { since: 1, cause: "blocked".into() };
    let row = StoredAccount { status: banned, enabled: false, ..stored(1, Tier::Basic, Some(window(80))) };
    let pool = Fixture::on(on, [row]);
    pool.call(pool.hot.ask(&[id(1)]));
    pool.read(&ReadEnd::Refused(Outcome::Banned, "blocked".into()));
    assert_eq!(pool.state(1), "banned");
    pool.call(pool.hot.ask(&[id(1)]));
    pool.read(&ReadEnd::Reading(FULL));
    assert_eq!(pool.state(1), "active");
}

#[rstest]
fn an_implausible_reading_is_flagged_and_tried_again(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(80)))]);
    pool.call(pool.hot.ask(&[id(1)]));
    let eight = ReadEnd::Reading(Reading { total: 8, remaining: 8, length_ms: 3_600_000 });
    pool.read(&eight);
    let window = pool.window(1);
    assert_eq!(window.total, Some(80));
    assert!(window.read_error.is_some_and(|error| error.contains("implausible")));
    pool.now += 30 * SECOND;
    pool.read(&eight);
    assert_eq!(pool.window(1).total, Some(80), "who only says so twice is not believed");
    pool.now += 60 * SECOND;
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::RateLimited));
    pool.read(&eight);
    assert_eq!((pool.window(1).total, pool.window(1).read_error), (Some(8), None), "who acts accordingly is");
}

#[rstest]
fn a_429_to_a_reading_pauses_all_of_them(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, None), stored(2, Tier::Basic, None)]);
    pool.read(&ReadEnd::Limited(Some(120 * SECOND), "status 429".into()));
    pool.call(pool.hot.ask(&[id(1), id(2)]));
    assert!(pool.next_read().is_none(), "also what the operator has asked for");
    pool.now += 120 * SECOND - 1;
    assert!(pool.next_read().is_none());
    pool.now += 1;
    let job = pool.next_read().expect("the pause is over");
    pool.read_done(&job, &ReadEnd::Limited(None, "status 429".into()));
    pool.now += READ_PAUSE_MS - 1;
    assert!(pool.next_read().is_none(), "a minute when no time was named");
    pool.now += 1;
    pool.read(&ReadEnd::Limited(Some(i64::MAX), "status 429".into()));
    pool.now += LONGEST_READ_PAUSE_MS;
    pool.read(&ReadEnd::Reading(FULL));
}

#[rstest]
fn a_part_of_the_budget_is_kept_for_who_has_just_failed(#[values(On::Memory, On::Redis)] on: On) {
    let known = (1..=20).map(|number| of_user(number, &format!("u{number}")));
    let pool = Fixture::on(on, known);
    pool.look(|roster| roster.set_limits(Limits { readings_per_minute: 8, ..roster.limits() }, NOW));
    let all: Vec<_> = (1..=20).map(id).collect();
    pool.call(pool.hot.ask(&all));
    let begun: Vec<_> = std::iter::from_fn(|| pool.next_read()).map(|job| job.target.0).collect();
    assert_eq!(begun.len(), 6);
    let lease = pool.lease(&Wanted { exclude: begun, ..wanted(1) }).unwrap();
    pool.settle(&lease, &failed(Outcome::RateLimited));
    let next = pool.next_read().expect("the operator has asked for it as well, and for many before");
    assert_eq!((next.target.0, next.asked), (id(lease.account), true));
    assert!(pool.next_read().is_none());
}

#[rstest]
fn an_account_unused_for_a_day_is_read_once_it_is_used(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(80)))]);
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &ended(true));
    pool.now += IDLE_MS + 3_600_000;
    assert!(pool.next_read().is_none(), "its reset came due, but nobody uses it");
    assert_eq!(pool.window(1).remaining, Some(80), "it counts as full");
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &ended(true));
    assert!(pool.next_read().is_some(), "now the truth is needed");
    let old = StoredAccount { created_at: NOW - IDLE_MS, ..stored(9, Tier::Basic, None) };
    assert!(Fixture::on(on, [old]).next_read().is_none(), "nor is it read at a restart");
}

#[rstest]
fn of_two_tokens_of_one_user_the_newer_that_works_is_kept(#[values(On::Memory, On::Redis)] on: On) {
    let older = of_user(1, "u");
    let newer = StoredAccount { created_at: NOW + 1, ..of_user(2, "u") };
    let pool = Fixture::on(on, [older.clone(), newer.clone(), of_user(3, "v")]);
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert_eq!(pool.look(|roster| roster.twins(one)), Some((two, one)));
    assert_eq!(pool.look(|roster| roster.twins(two)), Some((two, one)));
    assert_eq!(pool.look(|roster| roster.twins(id(3))), None);
    let dead = Status::Invalid { since: 1, cause: String::new() };
    let pool = Fixture::on(on, [older, StoredAccount { status: dead, ..newer }]);
    assert_eq!(pool.look(|roster| roster.twins(one)), Some((one, two)), "what works beats what is newer");
}

#[rstest]
fn a_merge_can_be_told_and_is_read_into(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, [of_user(1, "u")]);
    pool.look(|roster| roster.merged(id(2), id(1)));
    assert_eq!(pool.look(|roster| roster.merged_into(id(2))), Some(id(1)));
    pool.call(pool.hot.recheck(id(1)));
    assert_eq!(pool.read(&ReadEnd::Reading(FULL)), 1);
}
