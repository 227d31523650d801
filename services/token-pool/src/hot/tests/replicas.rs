//! What replicas on one Redis owe each other, and what they survive.

use std::{collections::BTreeMap, time::Duration};

use grok2api_proto::{
    Kind,
    pool::{EventKind, Outcome},
};
use grok2api_storage::accounts::{StoredAccount, Tier};
use redis::Commands as _;

use super::fixture::*;
use crate::{
    hot::Elsewhere,
    policy::{PENALISED_PER_REQUEST, REQUEST_REMEMBERED_MS},
    reading::ReadEnd,
    roster::{Limits, Roster},
    wanted::{LEASE_MS, Wanted},
    window::Reading,
};

const FULL: Reading = Reading { total: 80, remaining: 80, length_ms: 3_600_000 };

fn accounts(count: u128) -> Vec<StoredAccount> {
    (1..=count).map(|number| stored(number, Tier::Basic, Some(window(80)))).collect()
}

/// Two replicas of so many accounts.
fn two(count: u128) -> (Fixture, Fixture) {
    let one = Fixture::on(On::Redis, accounts(count));
    let other = one.another("{test}:", accounts(count));
    (one, other)
}

#[test]
fn a_lease_of_one_is_settled_by_another_and_counts_for_all() {
    let (one, other) = two(1);
    let lease = one.lease(&wanted(4)).unwrap();
    assert_eq!((other.window(1).reserved, other.account(1).in_flight), (4, 1));
    assert!(other.settle(&lease, &ended(true)));
    assert!(!one.settle(&lease, &ended(true)), "settled once");
    assert_eq!((one.window(1).remaining, one.account(1).in_flight), (Some(76), 0));
}

#[test]
fn a_lease_is_right_though_what_is_known_is_old() {
    let (one, other) = two(2);
    // The other one has seen nothing of this.
    let first = one.lease(&wanted(1)).unwrap();
    one.settle(&first, &failed(Outcome::Banned));
    for _ in 0..2 {
        one.lease(&wanted(1)).unwrap();
    }
    assert_eq!(other.lease(&wanted(1)).unwrap_err(), "pool_saturated", "one is banned, one has no slot");
}

#[test]
fn a_refusal_is_never_given_for_what_another_has_freed() {
    let (one, other) = two(1);
    let leases = [one.lease(&wanted(1)).unwrap(), one.lease(&wanted(1)).unwrap()];
    assert_eq!(other.lease(&wanted(1)).unwrap_err(), "pool_saturated");
    one.settle(&leases[0], &ended(false));
    other.lease(&wanted(1)).unwrap();
}

#[test]
fn a_conversation_stays_with_its_account_whoever_leases() {
    let (one, other) = two(3);
    let talk = |begins| Wanted { affinity: Some("talk".into()), begins, ..wanted(1) };
    let first = one.lease(&talk(true)).unwrap();
    one.settle(&first, &ended(true));
    assert_eq!(other.lease(&talk(false)).unwrap().account, first.account, "though it has less left");
    assert_eq!(one.call(one.hot.bound("talk")), Some(id(first.account)));
}

#[test]
fn one_request_penalises_two_accounts_whoever_settles() {
    let (one, other) = two(26);
    let mut poisoned = wanted(1);
    for turn in 0..6 {
        let replica = if turn % 2 == 0 { &one } else { &other };
        let lease = replica.lease(&poisoned).unwrap();
        poisoned.exclude.push(id(lease.account));
        replica.settle(&lease, &failed(Outcome::UpstreamFailed));
    }
    let usable = (1..=26).filter(|number| one.state(*number) == "active").count();
    assert_eq!(usable, 26 - PENALISED_PER_REQUEST);
    let recorded = (1..=26).filter(|number| !one.account(*number).failures.is_empty()).count();
    assert_eq!(recorded, 6, "the spared ones remember it as well");
    let forgotten_in: i64 = connection(&one).pttl("{test}:penalised:request-1").unwrap();
    assert!((1..=REQUEST_REMEMBERED_MS).contains(&forgotten_in), "{forgotten_in}");
}

#[test]
fn a_dead_replicas_leases_end_together_for_the_others() {
    let (one, mut other) = two(3);
    for _ in 0..6 {
        one.lease(&wanted(4)).unwrap();
    }
    drop(one);
    assert_eq!(other.lease(&wanted(1)).unwrap_err(), "pool_saturated");
    other.now += LEASE_MS;
    for number in 1..=3 {
        let window = other.window(number);
        assert_eq!(
            (window.reserved, window.remaining),
            (0, Some(72)),
            "whoever held them may have used them"
        );
    }
    assert!(other.lease(&wanted(1)).is_ok());
}

#[test]
fn a_reading_is_made_once_and_again_when_its_maker_dies() {
    let (one, mut other) = two(1);
    one.call(one.hot.ask(&[id(1)]));
    let job = one.next_read().expect("the operator has asked");
    let mut targets = vec![job.target];
    while let Some(job) = other.next_read() {
        assert!(!targets.contains(&job.target), "somebody reads it already");
        targets.push(job.target);
        other.read_done(&job, &ReadEnd::Reading(FULL));
    }
    drop(one);
    other.now += 2 * 60 * 1000;
    assert_eq!(other.next_read().map(|job| job.target), Some(job.target));
}

#[test]
fn the_budget_of_readings_is_that_of_the_whole_deployment() {
    let (one, other) = two(20);
    for replica in [&one, &other] {
        replica.look(|roster| {
            roster.set_limits(Limits { readings_per_minute: 7, ..roster.limits() }, NOW);
        });
    }
    for number in 1..=20 {
        one.call(one.hot.ask(&[id(number)]));
    }
    let begun = |replica: &Fixture| std::iter::from_fn(|| replica.next_read()).take(4).count();
    // Whose an account is is asked along with its first reading, and one of four is kept for the urgent.
    assert_eq!((begun(&one), begun(&other)), (3, 0));
}

#[test]
fn others_hear_of_leases_changes_and_the_store() {
    let (one, other) = two(2);
    other.look(|roster| roster.watch(true));
    // The connection is made first: from then on nothing is missed.
    let hear = |replica: &Fixture| replica.call(async { Ok(replica.hot.follow().await) });
    assert_eq!(hear(&other), Elsewhere::Store, "something may have been missed before");
    let lease = one.lease(&wanted(1)).unwrap();
    one.settle(&lease, &failed(Outcome::Banned));
    assert_eq!(hear(&other), Elsewhere::Accounts);
    let told: Vec<EventKind> =
        other.look(Roster::take_events).iter().map(grok2api_proto::pool::PoolEvent::kind).collect();
    assert_eq!(told, [EventKind::Leased, EventKind::Settled, EventKind::Cooled]);
    one.call(one.hot.stored());
    assert_eq!(hear(&other), Elsewhere::Store);
}

#[test]
fn a_redis_that_has_lost_everything_is_filled_again_and_nothing_is_sold_twice() {
    let (mut one, mut other) = two(2);
    let lost = one.lease(&wanted(4)).unwrap();
    let spent = one.lease(&wanted(2)).unwrap();
    other.settle(&spent, &ended(true));
    one.advance();
    redis::cmd("FLUSHALL").exec(&mut connection(&one)).unwrap();
    (one.now, other.now) = (NOW + 1, NOW + 1);
    assert!(!one.settle(&lost, &ended(false)), "its lease is lost");
    let left: Vec<_> = (1..=2).map(|number| one.window(number).available().unwrap()).collect();
    assert_eq!(left.iter().sum::<u32>(), 160 - 4 - 2, "what was reserved counts as spent");
    assert!((1..=2).all(|number| one.account(number).in_flight == 0));
    let again: Vec<_> = (1..=2).map(|number| other.window(number).available().unwrap()).collect();
    assert_eq!(again, left, "the other one takes it as it is");
    assert!(other.lease(&wanted(1)).is_ok());
}

#[test]
fn who_knows_less_is_put_right_by_who_knows_more() {
    let (mut one, mut other) = two(1);
    let lease = one.lease(&wanted(4)).unwrap();
    one.settle(&lease, &ended(true));
    one.advance();
    redis::cmd("FLUSHALL").exec(&mut connection(&one)).unwrap();
    (one.now, other.now) = (NOW + 1, NOW + 1);
    assert_eq!(other.window(1).available(), Some(80), "it has not heard of the four, and was first");
    assert_eq!(one.window(1).available(), Some(76));
    assert_eq!(other.window(1).available(), Some(76));
}

#[test]
fn a_removed_account_is_not_brought_back_by_who_has_not_heard_of_it() {
    let (one, other) = two(2);
    let removed = StoredAccount { deleted_at: Some(NOW), version: 2, ..accounts(1).remove(0) };
    one.merge(removed.clone());
    for _ in 0..2 {
        assert_eq!(other.lease(&wanted(1)).unwrap().account, 2, "the first one is gone");
    }
    assert_eq!(other.lease(&wanted(1)).unwrap_err(), "pool_saturated");
    let again = StoredAccount { deleted_at: None, version: 3, ..removed.clone() };
    one.merge(again.clone());
    other.merge(removed);
    assert_eq!(one.lease(&wanted(1)).unwrap().account, 1, "a late word of the removal does not touch it");
    other.merge(again);
    assert_eq!(other.account(1).in_flight, 1);
}

#[test]
fn a_lease_of_an_account_that_came_again_ends_with_the_one_before() {
    let (one, _other) = two(1);
    let before = one.lease(&wanted(4)).unwrap();
    one.merge(StoredAccount { deleted_at: Some(NOW), version: 2, ..accounts(1).remove(0) });
    one.merge(StoredAccount { version: 3, ..accounts(1).remove(0) });
    one.lease(&wanted(1)).unwrap();
    assert!(!one.settle(&before, &ended(false)));
    assert_eq!((one.account(1).in_flight, one.window(1).reserved), (1, 1));
}

#[test]
fn nothing_others_do_makes_a_class_without_a_name() {
    let (one, other) = two(2);
    let hear = |replica: &Fixture| replica.call(async { Ok(replica.hot.follow().await) });
    hear(&other);
    let lease = one.lease(&wanted(1)).unwrap();
    one.settle(&lease, &failed(Outcome::Banned));
    hear(&other);
    assert_eq!(other.look(|roster| roster.classes().len()), 2);
}

#[test]
fn a_lease_whose_answer_is_lost_is_given_back() {
    let one = Fixture::on(On::Redis, accounts(1));
    let before = one.lease(&wanted(1)).unwrap();
    redis::cmd("CLIENT").arg("PAUSE").arg(2500).arg("ALL").exec(&mut connection(&one)).unwrap();
    let error = one.failing(one.hot.lease(&wanted(4), false));
    assert_eq!(error.code, "storage_unavailable");
    one.until_it_answers();
    while one.account(1).in_flight > 1 {
        std::thread::yield_now();
    }
    let window = one.window(1);
    assert_eq!((window.reserved, window.remaining), (1, Some(80)), "nobody was charged for what nobody got");
    assert!(one.settle(&before, &ended(true)));
}

#[test]
fn a_crowd_of_one_replica_does_not_meet_on_one_account() {
    let one = Fixture::on(On::Redis, accounts(16));
    let leases = one.crowd(&wanted(1), 16);
    let served: std::collections::BTreeSet<u128> = leases.iter().map(|lease| lease.account).collect();
    assert!(served.len() >= 12, "{} accounts for 16 callers at once", served.len());
}

#[test]
fn a_lease_finds_an_account_that_redis_has_lost() {
    let (one, _other) = two(1);
    redis::cmd("FLUSHALL").exec(&mut connection(&one)).unwrap();
    assert!(one.lease(&wanted(1)).is_ok(), "made again on the way");
}

#[test]
fn a_server_that_takes_over_with_older_state_sells_nothing_twice() {
    let mut one = Fixture::on(On::Redis, accounts(1));
    let lease = one.lease(&wanted(4)).unwrap();
    one.settle(&lease, &ended(true));
    redis::cmd("SAVE").exec(&mut connection(&one)).unwrap();
    for _ in 0..3 {
        let lease = one.lease(&wanted(4)).unwrap();
        one.settle(&lease, &ended(true));
    }
    assert_eq!(one.window(1).remaining, Some(64));
    // What a replica that lagged behind would have.
    one.restart_server();
    one.until_it_answers();
    assert_eq!(one.window(1).available(), Some(64), "what this replica knows to be spent stays spent");
    let lease = one.lease(&wanted(1)).unwrap();
    assert!(one.settle(&lease, &ended(true)));
}

#[test]
fn a_server_that_is_away_is_told_quickly_and_found_again() {
    let mut one = Fixture::on_durable(accounts(1));
    let lease = one.lease(&wanted(4)).unwrap();
    one.stop_server();
    let error = one.failing(one.hot.lease(&wanted(1), false));
    assert_eq!((error.kind, error.code.as_ref()), (Kind::Unavailable, "storage_unavailable"));
    assert!(error.retry_after.is_some());
    one.restart_server();
    one.until_it_answers();
    assert!(one.settle(&lease, &ended(true)), "the lease has outlived the server");
    assert_eq!(one.window(1).remaining, Some(76));
}

#[test]
fn every_key_lies_in_one_slot_of_a_cluster() {
    let one = Fixture::on_cluster(accounts(2));
    let talk = Wanted { affinity: Some("talk".into()), begins: true, ..wanted(1) };
    let lease = one.lease(&talk).unwrap();
    assert!(one.settle(&lease, &failed(Outcome::UpstreamFailed)));
    one.call(one.hot.ask(&[id(1)]));
    let job = one.next_read().unwrap();
    one.read_done(&job, &ReadEnd::Failed("502".into()));
    one.remove(1);
    let mut connection = connection(&one);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let slots = keys.iter().map(|key| redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query(&mut connection));
    let slots: Vec<u16> = slots.collect::<Result<_, _>>().unwrap();
    assert!(keys.len() > 5 && slots.iter().all(|slot| *slot == slots[0]), "{keys:?}");
}

/// The price of a turn: two calls, of commands whose cost does not grow with the pool.
#[test]
fn a_turn_takes_two_round_trips_and_no_command_that_grows_with_the_pool() {
    const TURNS: u64 = 50;
    let one = Fixture::on(On::Redis, accounts(500));
    let warm = one.lease(&wanted(1)).unwrap();
    one.settle(&warm, &ended(true));
    redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut connection(&one)).unwrap();
    for _ in 0..TURNS {
        let lease = one.lease(&wanted(1)).unwrap();
        assert!(one.settle(&lease, &ended(true)));
    }
    let info: String = redis::cmd("INFO").arg("commandstats").query(&mut connection(&one)).unwrap();
    let calls: BTreeMap<&str, u64> = info.lines().filter_map(stat).collect();
    assert_eq!(calls["evalsha"], 2 * TURNS, "{calls:?}");
    // By Redis' own documentation O(1), O(log n), or O(fields of one account).
    let cheap = [
        "evalsha",
        "time",
        "get",
        "set",
        "hmget",
        "hget",
        "hset",
        "hincrby",
        "hgetall",
        "zadd",
        "zrem",
        "pexpire",
        "publish",
        "config|resetstat",
        "info",
        "hello",
        "client|setinfo",
        "select",
    ];
    let dear: Vec<_> = calls.keys().filter(|name| !cheap.contains(name)).collect();
    assert!(dear.is_empty(), "{dear:?}");
}

/// `cmdstat_hget:calls=3,…`
fn stat(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
    Some((name, rest.split(',').next()?.parse().ok()?))
}

fn connection(fixture: &Fixture) -> redis::Connection {
    let client = redis::Client::open(fixture.url()).unwrap();
    client.get_connection_with_timeout(Duration::from_secs(5)).unwrap()
}
