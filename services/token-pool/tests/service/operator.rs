//! What the operator changes, asks and watches.

use std::time::Duration;

use futures_util::StreamExt as _;
use grok2api_proto::{
    Kind,
    pool::{
        ChangeAccountsRequest, EventKind, ExplainRequest, LeaseRequest, Outcome, Reason,
        RefreshAccountsRequest, Tier, WatchRequest,
    },
};

use crate::support::{Started, lease, settle};

three_ways! {
    what_is_said_of_accounts_is_changed_one_by_one,
    a_change_that_makes_no_sense_changes_nothing,
    tags_select_who_may_serve,
    a_conversation_keeps_its_account,
    a_busy_conversation_waits_a_moment_and_then_borrows,
    an_explanation_names_who_and_why_not,
    a_failure_shows_in_the_accounts_history,
    events_are_told_as_they_happen,
    without_an_upstream_nothing_is_refreshed,
}

fn change(accounts: &[&str]) -> ChangeAccountsRequest {
    let accounts = accounts.iter().map(|name| (*name).to_owned()).collect();
    ChangeAccountsRequest { accounts, ..ChangeAccountsRequest::default() }
}

fn explain(class: &str) -> ExplainRequest {
    ExplainRequest { class: class.into(), ..ExplainRequest::default() }
}

async fn what_is_said_of_accounts_is_changed_one_by_one(started: &Started) {
    let reports = started.add(&["sim-basic-0001", "sim-basic-0002", "sim-basic-0003"]).await;
    let request = ChangeAccountsRequest {
        tier: Tier::Super.into(),
        note: Some("team".into()),
        priority: Some(-1),
        enabled: Some(false),
        add_tags: vec!["b".into(), "a".into()],
        ..change(&[&reports[0].account_id, "sso=sim-basic-0002", "sim-basic-0009"])
    };
    let answer = started.pool.change_accounts(request).await.unwrap();
    assert_eq!((answer.changed, answer.unknown), (2, vec!["sim-…0009".to_owned()]));
    assert_eq!(answer.unknown_at.len(), 1);
    let remove = ChangeAccountsRequest {
        remove_tags: vec!["a".into()],
        enabled: Some(true),
        ..change(&[&reports[0].account_id])
    };
    started.pool.change_accounts(remove).await.unwrap();
    let listed = started.list().await;
    assert_eq!((listed[0].tags.as_slice(), listed[1].tags.len()), (["b".to_owned()].as_slice(), 2));
    assert_eq!((listed[0].disabled, listed[1].disabled, listed[2].disabled), (false, true, false));
    assert_eq!((listed[0].note.as_str(), listed[0].priority, listed[0].tier()), ("team", -1, Tier::Super));
    let kept = started.accounts.load_all().await.unwrap();
    let kept = kept.iter().find(|row| row.id.to_string() == reports[1].account_id).unwrap();
    assert_eq!((kept.enabled, kept.tags.len()), (false, 2), "written before it is answered");
    for _ in 0..8 {
        let grant = started.pool.lease(lease(1)).await.unwrap();
        assert_eq!(grant.account_id, reports[2].account_id, "basic comes first, and 2 is switched off");
    }
}

async fn a_change_that_makes_no_sense_changes_nothing(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    let name = "sim-basic-0001";
    let before = started.accounts.load_all().await.unwrap();
    for (request, param) in [
        (change(&[]), "accounts"),
        (ChangeAccountsRequest { tier: 17, ..change(&[name]) }, "tier"),
        (ChangeAccountsRequest { add_tags: vec![" ".into()], ..change(&[name]) }, "add_tags"),
        (ChangeAccountsRequest { note: Some("x".repeat(3000)), ..change(&[name]) }, "note"),
    ] {
        let error = started.pool.change_accounts(request).await.unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, Some(param)));
    }
    assert_eq!(started.accounts.load_all().await.unwrap(), before);
}

async fn tags_select_who_may_serve(started: &Started) {
    let reports = started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let tag = ChangeAccountsRequest { add_tags: vec!["a".into()], ..change(&[&reports[1].account_id]) };
    started.pool.change_accounts(tag).await.unwrap();
    let with = |tag: &str| LeaseRequest { tags: vec![tag.into()], ..lease(1) };
    for _ in 0..3 {
        assert_eq!(started.pool.lease(with("a")).await.unwrap().account_id, reports[1].account_id);
    }
    let error = started.pool.lease(with("b")).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind), ("no_account_for_tags", Kind::Unavailable));
}

async fn a_conversation_keeps_its_account(started: &Started) {
    started.add(&["sim-basic-0001", "sim-basic-0002", "sim-basic-0003"]).await;
    let turn = |begins| LeaseRequest { affinity: "talk".into(), affinity_begins: begins, ..lease(1) };
    let first = started.pool.lease(turn(true)).await.unwrap().account_id;
    for _ in 0..4 {
        started.clock.advance(Duration::from_secs(50 * 60));
        assert_eq!(started.pool.lease(turn(false)).await.unwrap().account_id, first);
    }
    started.clock.advance(Duration::from_secs(60 * 60));
    assert_ne!(started.pool.lease(turn(false)).await.unwrap().account_id, first, "forgotten after an hour");
    let long = LeaseRequest { affinity: "x".repeat(257), ..lease(1) };
    assert_eq!(started.pool.lease(long).await.unwrap_err().param.as_deref(), Some("affinity"));
}

async fn a_busy_conversation_waits_a_moment_and_then_borrows(started: &Started) {
    started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let turn = |begins| LeaseRequest { affinity: "talk".into(), affinity_begins: begins, ..lease(1) };
    let first = started.pool.lease(turn(true)).await.unwrap();
    for _ in 0..7 {
        assert_eq!(started.pool.lease(turn(false)).await.unwrap().account_id, first.account_id);
    }
    let free = started.pool.settle(settle(&first.lease_id, Outcome::Success, true));
    let (waited, _) = tokio::join!(started.pool.lease(turn(false)), free);
    assert_eq!(waited.unwrap().account_id, first.account_id, "it was worth the wait");
    assert_ne!(started.pool.lease(turn(false)).await.unwrap().account_id, first.account_id);
}

async fn an_explanation_names_who_and_why_not(started: &Started) {
    let reports = started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let grant = started.pool.lease(lease(1)).await.unwrap();
    started.pool.settle(settle(&grant.lease_id, Outcome::UpstreamFailed, false)).await.unwrap();
    let said = started.pool.explain(explain("normal")).await.unwrap();
    assert_eq!((said.accounts, said.eligible, said.refusal_code.as_str()), (2, 1, ""));
    assert_eq!(
        (said.reasons.len(), said.reasons[0].reason(), said.reasons[0].accounts),
        (1, Reason::Cooling, 1)
    );
    let (first, second) = (&said.verdicts[0], &said.verdicts[1]);
    assert_eq!((first.reason(), first.until, first.available), (Reason::Unspecified, 0, None));
    assert_eq!((second.reason(), second.until), (Reason::Cooling, started.clock.now_ms() + 30_000));
    assert_eq!((&second.account_id, second.cause.as_str()), (&reports[0].account_id, "as the test says"));
    assert!(!format!("{said:?}").contains("sim-basic"));
    let next = started.pool.lease(lease(1)).await.unwrap();
    assert_eq!(next.account_id, first.account_id, "as explained");
    let heavy = ExplainRequest { minimum_tier: Tier::Heavy.into(), limit: 1, ..explain("heavy") };
    let said = started.pool.explain(heavy).await.unwrap();
    assert_eq!((said.verdicts.len(), said.refusal_code.as_str()), (1, "no_account_for_tier"));
    assert_eq!(started.pool.explain(explain("")).await.unwrap_err().param.as_deref(), Some("class"));
}

async fn a_failure_shows_in_the_accounts_history(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    for outcome in [Outcome::RateLimited, Outcome::Success] {
        let grant = started.pool.lease(lease(1)).await.unwrap();
        let mut request = settle(&grant.lease_id, outcome, false);
        request.retry_after_ms = Some(1);
        started.pool.settle(request).await.unwrap();
        started.clock.advance(Duration::from_secs(1));
    }
    let account = started.list().await.remove(0);
    assert_eq!(account.failures.len(), 1);
    let failure = &account.failures[0];
    assert_eq!((failure.outcome(), failure.penalised), (Outcome::RateLimited, true));
    assert_eq!(failure.cause, "as the test says");
}

async fn events_are_told_as_they_happen(started: &Started) {
    let mut events = started.pool.watch(WatchRequest {}).await.unwrap();
    let id = started.add(&["sim-basic-0001"]).await[0].account_id.clone();
    let grant = started.pool.lease(lease(1)).await.unwrap();
    started.pool.settle(settle(&grant.lease_id, Outcome::Banned, false)).await.unwrap();
    for kind in [EventKind::Added, EventKind::Leased, EventKind::Settled, EventKind::Cooled] {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!((event.kind(), &event.account_id), (kind, &id));
        assert_eq!(event.at, started.clock.now_ms());
    }
    started.tasks.shutdown().drain();
    assert!(events.next().await.is_none(), "it ends with the process");
}

/// In this process: a connection has buffers of its own.
#[tokio::test]
async fn a_slow_watcher_is_told_what_it_missed() {
    let started = Started::new().await;
    let mut events = started.pool.watch(WatchRequest {}).await.unwrap();
    started.add(&["sim-basic-0001"]).await;
    assert_eq!(events.next().await.unwrap().unwrap().kind(), EventKind::Added);
    let mut told = 0;
    for _ in 0..3_000 {
        let grant = started.pool.lease(lease(1)).await.unwrap();
        started.pool.settle(settle(&grant.lease_id, Outcome::Success, false)).await.unwrap();
    }
    loop {
        let event = events.next().await.unwrap().unwrap();
        told += 1;
        if event.kind() == EventKind::Lagged {
            assert!(event.missed > 0 && event.account_id.is_empty());
            return;
        }
        assert!(told < 6_000, "it was never told");
    }
}

async fn without_an_upstream_nothing_is_refreshed(started: &Started) {
    let error = started.pool.refresh_accounts(RefreshAccountsRequest::default()).await.err().unwrap();
    assert_eq!((error.code.as_ref(), error.kind), ("no_upstream", Kind::Unavailable));
}
