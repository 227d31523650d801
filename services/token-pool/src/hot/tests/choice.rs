//! Who serves: priority, tags, conversations; and that an explanation says the same.

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::Tier;
use rstest::rstest;
use uuid::Uuid;

use super::{fixture::*, served};
use crate::{eligible::Reason, wanted::Wanted};

fn tagged(number: u128, tags: &[&str], units: u32) -> grok2api_storage::accounts::StoredAccount {
    let mut row = stored(number, Tier::Basic, Some(window(units)));
    row.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    row
}

fn talk(begins: bool) -> Wanted {
    Wanted { affinity: Some("talk".into()), begins, ..wanted(1) }
}

#[rstest]
fn a_higher_priority_is_used_up_before_a_lower_one_within_a_tier(#[values(On::Memory, On::Redis)] on: On) {
    let prefer = |number, priority, units| {
        let mut row = stored(number, Tier::Basic, Some(window(units)));
        row.priority = priority;
        row
    };
    let super_first =
        grok2api_storage::accounts::StoredAccount { priority: 9, ..stored(4, Tier::Super, Some(window(80))) };
    let mut pool = Fixture::on(on, [prefer(1, 0, 80), prefer(2, 5, 3), prefer(3, -1, 80), super_first]);
    assert_eq!(served(&mut pool, &wanted(4), 1), [1], "2 cannot pay, which ends only its own priority");
    assert_eq!(served(&mut pool, &wanted(1), 6), [2, 2, 1, 3, 3, 4]);
}

#[rstest]
fn tags_select_a_part_of_the_pool(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(
        on,
        [tagged(1, &["a"], 10), tagged(2, &["a", "b"], 20), tagged(3, &["b"], 30), tagged(4, &[], 80)],
    );
    let with = |tags: &[&str]| Wanted { tags: tags.iter().map(|tag| (*tag).into()).collect(), ..wanted(1) };
    assert_eq!(served(&mut pool, &with(&["a"]), 2), [2, 2]);
    assert_eq!(served(&mut pool, &with(&["a", "b"]), 4), [3, 3, 1, 1], "one of the tags is enough");
    assert_eq!(pool.lease(&with(&["b"])).unwrap_err(), "pool_saturated");
    assert_eq!(pool.lease(&with(&["c"])).unwrap_err(), "no_account_for_tags");
    assert_eq!(served(&mut pool, &wanted(1), 1), [4], "who asks for no tag gets any");
}

#[rstest]
fn who_names_an_account_gets_it_or_is_refused(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, [tagged(1, &[], 80), tagged(2, &[], 3), tagged(3, &["a"], 80)]);
    let only = |number| Wanted { account: Some(id(number)), ..wanted(1) };
    assert_eq!(served(&mut pool, &only(2), 1), [2], "though the others have more left");
    let lease = pool.lease(&only(2)).unwrap();
    assert_eq!(pool.lease(&only(2)).unwrap_err(), "account_cannot_serve", "all of its slots are taken");
    assert_eq!(pool.lease(&Wanted { cost: 4, ..only(2) }).unwrap_err(), "account_cannot_serve");
    assert_eq!(pool.lease(&only(9)).unwrap_err(), "account_cannot_serve", "nobody serves in its place");
    assert_eq!(
        pool.lease(&Wanted { tags: vec!["a".into()], ..only(1) }).unwrap_err(),
        "account_cannot_serve"
    );
    pool.settle(&lease, &ended(false));
    assert_eq!(pool.lease(&only(2)).unwrap().account, 2);
}

#[rstest]
fn the_last_usable_account_of_a_tag_is_never_rested(#[values(On::Memory, On::Redis)] on: On) {
    let pool = Fixture::on(on, [tagged(1, &["a"], 10), tagged(2, &[], 20), tagged(3, &[], 20)]);
    let lease = pool.lease(&Wanted { tags: vec!["a".into()], ..wanted(1) }).unwrap();
    pool.settle(&lease, &failed(Outcome::UpstreamFailed));
    assert_eq!(pool.state(1), "active");
}

#[rstest]
fn a_conversation_stays_with_the_account_that_began_it(#[values(On::Memory, On::Redis)] on: On) {
    let mut pool = Fixture::on(on, (1..=3).map(|number| stored(number, Tier::Basic, Some(window(80)))));
    let first = pool.lease(&talk(true)).unwrap();
    pool.now += 1;
    pool.settle(&first, &ended(true));
    for _ in 0..3 {
        let lease = pool.lease(&talk(false)).unwrap();
        assert_eq!(lease.account, first.account, "though the others have more left");
        pool.settle(&lease, &ended(true));
    }
    let other = pool.lease(&talk(true)).unwrap();
    assert_ne!(other.account, first.account, "a conversation that begins alike is another one");
    assert_eq!(pool.lease(&talk(false)).unwrap().account, other.account);
}

#[rstest]
fn a_busy_account_is_waited_for_or_borrowed_around_and_keeps_its_conversation(
    #[values(On::Memory, On::Redis)] on: On,
) {
    let pool = Fixture::on(on, (1..=2).map(|number| stored(number, Tier::Basic, Some(window(80)))));
    let first = pool.lease(&talk(true)).unwrap();
    pool.lease(&talk(false)).unwrap();
    assert_eq!(pool.lease_with(&talk(false), true).unwrap_err(), "pool_saturated", "worth a moment");
    assert_ne!(pool.lease(&talk(false)).unwrap().account, first.account);
    pool.settle(&first, &ended(true));
    assert_eq!(pool.lease(&talk(false)).unwrap().account, first.account, "it was not bound anew");
}

#[rstest]
#[case::resting(Outcome::UpstreamFailed, true)]
#[case::banned(Outcome::Banned, false)]
#[case::exhausted(Outcome::RateLimited, false)]
fn only_what_is_lost_is_bound_anew(
    #[case] outcome: Outcome,
    #[case] kept: bool,
    #[values(On::Memory, On::Redis)] on: On,
) {
    let pool = Fixture::on(on, (1..=2).map(|number| stored(number, Tier::Basic, Some(window(80)))));
    let first = pool.lease(&talk(true)).unwrap();
    pool.settle(&first, &failed(outcome));
    let second = pool.lease(&talk(false)).unwrap();
    assert_ne!(second.account, first.account);
    pool.settle(&second, &ended(false));
    pool.clear(first.account);
    assert_eq!(pool.lease(&talk(false)).unwrap().account == first.account, kept);
}

#[rstest]
fn a_turn_that_was_tried_elsewhere_or_needs_more_keeps_the_binding(#[values(On::Memory, On::Redis)] on: On) {
    let pool =
        Fixture::on(on, [stored(1, Tier::Basic, Some(window(80))), stored(2, Tier::Super, Some(window(80)))]);
    let first = pool.lease(&talk(true)).unwrap();
    assert_eq!(first.account, 1);
    let exclude = vec![Uuid::from_u128(1)];
    assert_eq!(pool.lease(&Wanted { exclude, ..talk(false) }).unwrap().account, 2);
    assert_eq!(pool.lease(&Wanted { minimum_tier: Tier::Super, ..talk(false) }).unwrap().account, 2);
    assert_eq!(pool.lease(&talk(false)).unwrap().account, 1);
    pool.remove(1);
    assert_eq!(pool.lease(&talk(false)).unwrap_err(), "pool_saturated");
}

#[rstest]
fn an_explanation_gives_order_reasons_and_what_a_lease_would_be_told(
    #[values(On::Memory, On::Redis)] on: On,
) {
    let pool = Fixture::on(
        on,
        [
            stored(1, Tier::Basic, Some(window(10))),
            stored(2, Tier::Basic, Some(window(20))),
            stored(3, Tier::Basic, Some(window(0))),
            stored(4, Tier::Super, None),
        ],
    );
    let lease = pool.lease(&wanted(1)).unwrap();
    pool.settle(&lease, &failed(Outcome::UpstreamFailed));
    let now = pool.now;
    pool.look(|roster| {
        let explained = roster.explain(&wanted(1), None, now);
        let said =
            explained.verdicts.iter().map(|(account, verdict)| (account.stored.id.as_u128(), *verdict));
        let said: Vec<_> = said.collect();
        let cooling = Err(Reason::Cooling { until: now + 30_000 });
        assert_eq!(
            said,
            [(1, Ok(())), (4, Ok(())), (2, cooling), (3, Err(Reason::Exhausted { until: None }))]
        );
        assert_eq!(explained.refusal, None);
        let explained = roster.explain(&wanted(99), None, now);
        assert_eq!(explained.verdicts[0].0.stored.id.as_u128(), 4, "an unknown quota is tried");
        let explained = roster.explain(&Wanted { minimum_tier: Tier::Heavy, ..wanted(1) }, None, now);
        assert_eq!(explained.refusal.unwrap().error(now).code, "no_account_for_tier");
        assert_eq!(roster.classes().len(), 2);
        roster.explain(&Wanted { class: "typo".into(), ..wanted(1) }, None, now);
        assert_eq!(roster.classes().len(), 2, "asking makes no class");
    });
}
