//! What both implementations of the hot state do, case by case.

mod choice;
mod fixture;
mod operator;
mod properties;
mod replicas;

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{Status, StoredAccount, StoredWindow, Tier};
use rstest::rstest;
use uuid::Uuid;

use crate::{
    reading::ReadEnd,
    wanted::{Settlement, Wanted},
    window::Reading,
};
use fixture::{Fixture, NOW, On, ended, failed, stored, wanted, window};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// The accounts served by `count` leases in a row, by number.
fn served(pool: &mut Fixture, wanted: &Wanted, count: usize) -> Vec<u128> {
    (0..count).map(|_| pool.lease(wanted).map(|lease| lease.account).unwrap_or_default()).collect()
}

#[rstest]
fn the_cheapest_tier_first_then_unknown_then_most_remaining(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(
        on,
        [
            stored(1, Tier::Heavy, None),
            stored(2, Tier::Super, Some(window(140))),
            stored(3, Tier::Basic, Some(window(10))),
            stored(4, Tier::Basic, Some(window(70))),
            stored(5, Tier::Basic, None),
        ],
    );
    let basic = wanted(1);
    assert_eq!(served(&mut pool, &basic, 2), [5, 5], "the unknown one, until it is saturated");
    assert_eq!(served(&mut pool, &basic, 4), [4, 4, 3, 3]);
    assert_eq!(served(&mut pool, &basic, 4), [2, 2, 1, 1], "dearer tiers only when no cheaper one is left");
    assert_eq!(pool.lease(&basic).unwrap_err(), "pool_saturated");
}

#[rstest]
fn equals_take_turns(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, (1..=3).map(|number| stored(number, Tier::Basic, Some(window(80)))));
    let mut order = Vec::new();
    for _ in 0..6 {
        let lease = pool.lease(&wanted(1)).unwrap();
        order.push(lease.account);
        pool.now += 1;
        pool.settle(&lease, &ended(false));
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 3]);
}

#[rstest]
fn what_was_tried_and_what_cannot_pay_is_passed_over(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(
        on,
        [
            stored(1, Tier::Basic, Some(window(3))),
            stored(2, Tier::Basic, Some(window(9))),
            stored(3, Tier::Super, Some(window(4))),
        ],
    );
    let exclude = vec![Uuid::from_u128(2)];
    assert_eq!(served(&mut pool, &Wanted { exclude: exclude.clone(), ..wanted(4) }, 1), [3]);
    assert_eq!(served(&mut pool, &Wanted { exclude, ..wanted(3) }, 1), [1]);
    assert_eq!(served(&mut pool, &Wanted { minimum_tier: Tier::Super, ..wanted(4) }, 1), [0]);
}

#[rstest]
#[case::empty(vec![], "no_accounts")]
#[case::tier(vec![stored(1, Tier::Basic, None)], "no_account_for_tier")]
#[case::invalid(vec![StoredAccount { status: Status::Invalid { since: 1, cause: String::new() }, ..stored(1, Tier::Super, None) }], "no_accounts")]
#[case::disabled(vec![StoredAccount { enabled: false, ..stored(1, Tier::Super, None) }], "no_accounts")]
#[case::cooling(vec![StoredAccount { status: Status::Cooling { until: NOW + 1, cause: String::new() }, ..stored(1, Tier::Super, None) }], "pool_cooling")]
#[case::exhausted(vec![stored(1, Tier::Heavy, Some(window(0)))], "pool_exhausted")]
fn a_refusal_has_a_reason(
    #[case] accounts: Vec<StoredAccount>,
    #[case] code: &str,
    #[values(On::Memory, On::Redis)] on: On,
) {
    let pool = Fixture::on(on, accounts);
    assert_eq!(pool.lease(&Wanted { minimum_tier: Tier::Super, ..wanted(1) }).unwrap_err(), code);
}

#[rstest]
fn units_are_spent_when_charged_and_come_back_when_not(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(10)))]);
    let (first, second) = (pool.lease(&wanted(4)).unwrap(), pool.lease(&wanted(4)).unwrap());
    assert_eq!(pool.lease(&wanted(4)).unwrap_err(), "pool_exhausted", "reserved units are gone for others");
    assert!(pool.settle(&first, &ended(true)));
    assert!(!pool.settle(&first, &ended(true)), "settled once");
    assert!(pool.settle(&second, &ended(false)));
    let left = pool.window(1);
    assert_eq!((left.remaining, left.reserved), (Some(6), 0));
}

#[rstest]
fn a_turn_may_turn_out_to_cost_another_amount(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(10)))]);
    let (drew, free) = (pool.lease(&wanted(1)).unwrap(), pool.lease(&wanted(1)).unwrap());
    assert!(pool.settle(&drew, &Settlement { units: Some(4), ..ended(true) }));
    assert!(pool.settle(&free, &Settlement { units: Some(4), ..ended(false) }));
    let left = pool.window(1);
    assert_eq!((left.remaining, left.reserved), (Some(6), 0), "what is not charged costs nothing");
}

#[rstest]
fn a_lease_lives_thirty_seconds_unless_its_owner_renews_it(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(10)))]);
    let (kept, dead) = (pool.lease(&wanted(4)).unwrap(), pool.lease(&wanted(1)).unwrap());
    pool.now += 29 * SECOND;
    let ids = [kept.id, Uuid::from_u128(99)];
    assert_eq!(pool.renew("replica-1", &ids), [Uuid::from_u128(99)]);
    assert_eq!(pool.renew("replica-2", &[kept.id]), [kept.id], "it is not theirs");
    pool.now += SECOND;
    assert!(!pool.settle(&dead, &ended(false)), "it has expired");
    let left = pool.window(1);
    assert_eq!((left.remaining, left.reserved), (Some(9), 4), "and its unit counts as spent");
    assert!(pool.settle(&kept, &ended(false)));
}

/// What an outcome of the first request does to the account, when another account is there.
#[rstest]
#[case(Outcome::Success, "active")]
#[case(Outcome::ClientCancelled, "active")]
#[case(Outcome::RequestRefused, "active")]
#[case(Outcome::EgressRefused, "active")]
#[case(Outcome::Unknown, "active")]
#[case(Outcome::Unspecified, "active")]
#[case(Outcome::Unauthenticated, "active")]
#[case(Outcome::Banned, "banned")]
#[case(Outcome::RateLimited, "closed 900 s")]
#[case(Outcome::UpstreamFailed, "cooling 30 s")]
#[case(Outcome::TransportFailed, "cooling 5 s")]
fn the_policy_row_by_row(
    #[case] outcome: Outcome,
    #[case] expected: &str,
    #[values(On::Memory, On::Redis)] on: On,
) {
    let pool =
        Fixture::on(on, [stored(1, Tier::Basic, Some(window(80))), stored(2, Tier::Basic, Some(window(10)))]);
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(outcome));
    assert_eq!(pool.state(1), expected);
    assert_eq!(pool.state(2), "active");
}

#[rstest]
#[case::upstream_says_so(Some(42 * SECOND), 0, "closed 42 s")]
#[case::absurd(Some(1000 * HOUR), 0, "closed 86400 s")]
#[case::until_the_reset(None, NOW + 2 * HOUR, "closed 7200 s")]
#[case::nobody_knows(None, 0, "closed 900 s")]
fn a_429_closes_the_window_until(
    #[case] retry_after_ms: Option<i64>,
    #[case] reset_at: i64,
    #[case] state: &str,
    #[values(On::Memory, On::Redis)] on: On,
) {
    let known = StoredWindow { reset_at, ..window(79) };
    let pool = Fixture::on(on, [stored(1, Tier::Basic, Some(known))]);
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &Settlement { retry_after_ms, ..failed(Outcome::RateLimited) });
    assert_eq!(pool.state(1), state, "even of the last account: its quota is gone either way");
    assert_eq!(pool.lease(&wanted(1)).unwrap_err(), "pool_exhausted");
    assert_eq!(
        pool.lease(&Wanted { class: "heavy".into(), ..wanted(1) }).unwrap().account,
        1,
        "no other window"
    );
}

#[rstest]
fn cooldowns_double_up_to_half_an_hour_and_success_starts_again(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, None), stored(2, Tier::Heavy, None)]);
    for seconds in [30, 60, 120, 240, 480, 960, 1800, 1800] {
        let lease = pool.lease(&wanted(1)).unwrap();
        pool.settle(&lease, &failed(Outcome::UpstreamFailed));
        assert_eq!(pool.state(1), format!("cooling {seconds} s"));
        pool.now += seconds * SECOND;
        assert_eq!(pool.state(1), "active", "every rest ends by itself");
    }
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &ended(true));
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::UpstreamFailed));
    assert_eq!(pool.state(1), "cooling 30 s");
}

#[rstest]
fn failures_of_one_incident_count_once(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, None), stored(2, Tier::Heavy, None)]);
    let together = [pool.lease(&wanted(1)).unwrap(), pool.lease(&wanted(1)).unwrap()];
    pool.now += SECOND;
    together.iter().for_each(|lease| assert!(pool.settle(lease, &failed(Outcome::UpstreamFailed))));
    assert_eq!(pool.state(1), "cooling 30 s");
}

#[rstest]
#[case::soon(5 * MINUTE, "invalid")]
#[case::late(11 * MINUTE, "active")]
fn two_strikes_within_ten_minutes_are_out(
    #[case] between: i64,
    #[case] state: &str,
    #[values(On::Memory, On::Redis)] on: On,
) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, None)]);
    for _ in 0..2 {
        let lease = pool.lease(&wanted(1)).unwrap();
        pool.settle(&lease, &failed(Outcome::Unauthenticated));
        pool.now += between;
    }
    assert_eq!(pool.state(1), state);
}

#[rstest]
fn a_success_or_a_taken_credential_forgets_the_strike(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, None)]);
    for forgive in [true, false] {
        let lease = pool.lease(&wanted(1)).unwrap();
        pool.settle(&lease, &failed(Outcome::Unauthenticated));
        if forgive {
            pool.read(&ReadEnd::Reading(Reading { total: 80, remaining: 80, length_ms: HOUR }));
        } else {
            let lease = pool.lease(&wanted(1)).unwrap();
            pool.settle(&lease, &ended(true));
        }
        pool.now += SECOND;
    }
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::Unauthenticated));
    assert_eq!(pool.state(1), "active");
}

#[rstest]
fn a_probe_that_is_refused_is_the_second_strike(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(80)))]);
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::Unauthenticated));
    pool.read(&ReadEnd::Refused(Outcome::Unauthenticated, "token expired".into()));
    assert_eq!(pool.state(1), "invalid");
    pool.now += HOUR;
    assert!(pool.next_read().is_none(), "an invalid account is not read");
}

#[rstest]
fn one_request_penalises_two_accounts_at_most(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, (1..=26).map(|number| stored(number, Tier::Basic, Some(window(80)))));
    let mut poisoned = wanted(1);
    for _ in 0..5 {
        let lease = pool.lease(&poisoned).unwrap();
        poisoned.exclude.push(Uuid::from_u128(lease.account));
        pool.settle(&lease, &failed(Outcome::UpstreamFailed));
    }
    let usable = (1..=26).filter(|number| pool.state(*number) == "active").count();
    assert_eq!(usable, 24);
}

#[rstest]
fn the_last_usable_account_is_never_rested(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(
        on,
        [
            stored(1, Tier::Super, Some(window(80))),
            stored(2, Tier::Super, Some(window(70))),
            stored(3, Tier::Basic, Some(window(60))),
        ],
    );
    for (request, expected) in [("r1", "cooling 30 s"), ("r2", "active")] {
        let heavy = Wanted { minimum_tier: Tier::Super, request_id: request.into(), ..wanted(1) };
        let lease = pool.lease(&heavy).unwrap();
        pool.settle(&lease, &failed(Outcome::UpstreamFailed));
        assert_eq!(pool.state(lease.account), expected, "a basic account does not help a request for super");
    }
}

#[rstest]
fn a_clear_ends_everything_and_asks_for_the_truth(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(80)))]);
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::Banned));
    assert_eq!(pool.state(1), "banned");
    assert!(pool.clear(1));
    assert_eq!(pool.state(1), "active");
    assert!(!pool.clear(1), "there is nothing more to clear");
    assert!(pool.next_read().is_some());
}

#[rstest]
fn the_truth_is_read_when_it_is_needed(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, None), stored(2, Tier::Basic, Some(window(80)))]);
    let full = ReadEnd::Reading(Reading { total: 80, remaining: 80, length_ms: HOUR });
    assert_eq!(pool.read(&full), 1, "a new account");
    assert!(pool.next_read().is_none(), "the other one is known");
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &ended(true));
    assert!(pool.next_read().is_none(), "a known window is counted by ourselves");
    pool.now += HOUR;
    assert_eq!(pool.read(&full), lease.account, "its reset came due");
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::RateLimited));
    assert_eq!(pool.read(&full), lease.account, "the upstream said 429");
}

#[rstest]
fn another_process_changes_what_it_changed_and_nothing_else(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(80)))]);
    let lease = pool.lease(&wanted(4)).unwrap();
    let before = stored(1, Tier::Basic, Some(window(80)));
    let noted = StoredAccount { note: "theirs".into(), version: 2, ..before.clone() };
    pool.merge(noted.clone());
    assert_eq!(pool.window(1).available(), Some(76), "our lease still holds");
    let banned = Status::Banned { since: 1, cause: "by hand".into() };
    pool.merge(StoredAccount { status: banned, version: 3, ..noted.clone() });
    // What changes by use is agreed on in Redis; the store merely remembers it.
    let expected = if on == On::Memory { "banned" } else { "active" };
    assert_eq!(pool.state(1), expected);
    pool.merge(noted);
    assert_eq!(pool.state(1), expected, "an old version is no news");
    pool.merge(StoredAccount { deleted_at: Some(1), version: 4, ..before });
    assert!(!pool.settle(&lease, &ended(true)), "its leases went with it");
    assert_eq!(pool.lease(&wanted(1)).unwrap_err(), "no_accounts");
}

#[rstest]
fn a_class_nobody_has_heard_of_is_served_and_kept_apart(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [stored(1, Tier::Basic, Some(window(0)))]);
    let fast = Wanted { class: "fast".into(), ..wanted(1) };
    assert_eq!(served(&mut pool, &fast, 2), [1, 1]);
    assert_eq!(pool.lease(&wanted(1)).unwrap_err(), "pool_exhausted");
}
