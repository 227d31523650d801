//! What every caller of the pool may rely on, however it reaches it.

use std::time::Duration;

use grok2api_proto::{
    Kind,
    pool::{
        AddAccountsRequest, AddResult, ClearAccountsRequest, LeaseRequest, Outcome, RemoveAccountsRequest,
        RenewRequest, SettleRequest, Status, Tier, WindowSource,
    },
};

use crate::support::{Started, lease, new_account, settle};

three_ways! {
    accounts_are_added_merged_and_refused_line_by_line,
    a_known_token_takes_the_tier_and_note_that_are_given,
    a_lease_hands_out_a_token_and_shows_in_the_list,
    a_lease_is_settled_once,
    leases_live_while_they_are_renewed,
    an_empty_pool_says_how_to_fill_it,
    a_missing_tier_is_told_apart,
    exhaustion_is_told_with_the_earliest_recovery,
    blocked_accounts_show_their_cause_and_are_cleared_by_hand,
    accounts_are_removed_by_id_or_token,
    a_busy_pool_lets_a_caller_wait_for_a_slot_and_then_refuses,
    what_makes_no_sense_is_refused,
}

async fn accounts_are_added_merged_and_refused_line_by_line(started: &Started) {
    let accounts = vec![
        new_account("sso=sim-basic-0001; theme=dark", Tier::Unspecified),
        new_account("sim-super-0001", Tier::Super),
        new_account("sim-basic-0001", Tier::Unspecified),
        new_account("", Tier::Basic),
        new_account("nöt-ä-tökën", Tier::Basic),
    ];
    let reports = started.pool.add_accounts(AddAccountsRequest { accounts }).await.unwrap().reports;
    let results: Vec<AddResult> = reports.iter().map(grok2api_proto::pool::AddReport::result).collect();
    let expected =
        [AddResult::Added, AddResult::Added, AddResult::Merged, AddResult::Refused, AddResult::Refused];
    assert_eq!(results, expected);
    assert_eq!(reports[0].account_id, reports[2].account_id);
    assert_eq!(reports[3].reason, "the token is empty");
    assert!(!reports[4].reason.contains("tökën"));
    let listed = started.list().await;
    let shown: Vec<_> =
        listed.iter().map(|account| (account.masked_token.as_str(), account.tier())).collect();
    assert_eq!(shown, [("sim-…0001", Tier::Basic), ("sim-…0001", Tier::Super)]);
}

async fn a_known_token_takes_the_tier_and_note_that_are_given(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    let mut again = new_account("sim-basic-0001", Tier::Super);
    again.note = "paid now".into();
    started.pool.add_accounts(AddAccountsRequest { accounts: vec![again] }).await.unwrap();
    started.add(&[]).await;
    let listed = started.list().await;
    assert_eq!((listed[0].tier(), listed[0].note.as_str(), listed.len()), (Tier::Super, "paid now", 1));
    assert_eq!(
        started.accounts.load_all().await.unwrap()[0].note,
        "paid now",
        "written before it is answered"
    );
}

async fn a_lease_hands_out_a_token_and_shows_in_the_list(started: &Started) {
    let id = started.add(&["sim-basic-0001"]).await[0].account_id.clone();
    let grant = started.pool.lease(lease(4)).await.unwrap();
    assert_eq!((grant.token.as_str(), grant.tier(), &grant.account_id), ("sim-basic-0001", Tier::Basic, &id));
    assert_eq!(grant.expires_at, started.clock.now_ms() + 30_000);
    let account = started.list().await.remove(0);
    assert_eq!((account.in_flight, account.last_used_at), (1, started.clock.now_ms()));
    let window = &account.windows[0];
    assert_eq!((window.class.as_str(), window.reserved, window.remaining), ("normal", 4, None));
    assert_eq!(window.source(), WindowSource::Unknown);
}

async fn a_lease_is_settled_once(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    let grant = started.pool.lease(lease(1)).await.unwrap();
    for expected in [true, false] {
        let request = settle(&grant.lease_id, Outcome::Success, true);
        assert_eq!(started.pool.settle(request).await.unwrap().settled, expected);
    }
    let unknown = SettleRequest { lease_id: "no such lease".into(), ..settle("", Outcome::Success, true) };
    assert!(!started.pool.settle(unknown).await.unwrap().settled);
    assert_eq!(started.list().await[0].in_flight, 0);
}

async fn leases_live_while_they_are_renewed(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    let grant = started.pool.lease(lease(1)).await.unwrap();
    let ids = vec![grant.lease_id.clone(), "gone".to_owned()];
    let renew = RenewRequest { owner: "replica-1".into(), lease_ids: ids };
    started.clock.advance(Duration::from_secs(20));
    assert_eq!(started.pool.renew(renew.clone()).await.unwrap().lost, ["gone"]);
    started.clock.advance(Duration::from_secs(29));
    assert_eq!(started.list().await[0].in_flight, 1);
    started.clock.advance(Duration::from_secs(1));
    assert_eq!(started.pool.renew(renew).await.unwrap().lost.len(), 2);
    assert_eq!(started.list().await[0].in_flight, 0);
}

async fn an_empty_pool_says_how_to_fill_it(started: &Started) {
    let error = started.pool.lease(lease(1)).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind), ("no_accounts", Kind::Unavailable));
    assert!(error.message.contains("grok2api accounts add"), "{error}");
}

async fn a_missing_tier_is_told_apart(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    let request = LeaseRequest { minimum_tier: Tier::Heavy.into(), ..lease(1) };
    let error = started.pool.lease(request).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind), ("no_account_for_tier", Kind::Unavailable));
}

async fn exhaustion_is_told_with_the_earliest_recovery(started: &Started) {
    started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    for wait in [90_000, 60_000] {
        let grant = started.pool.lease(lease(1)).await.unwrap();
        let request = SettleRequest {
            retry_after_ms: Some(wait),
            ..settle(&grant.lease_id, Outcome::RateLimited, false)
        };
        started.pool.settle(request).await.unwrap();
    }
    let error = started.pool.lease(lease(1)).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind), ("pool_exhausted", Kind::RateLimited));
    assert_eq!(error.retry_after, Some(Duration::from_secs(60)));
    started.clock.advance(Duration::from_secs(60));
    assert!(started.pool.lease(lease(1)).await.is_ok());
}

async fn blocked_accounts_show_their_cause_and_are_cleared_by_hand(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    let grant = started.pool.lease(lease(1)).await.unwrap();
    started.pool.settle(settle(&grant.lease_id, Outcome::Banned, false)).await.unwrap();
    let account = started.list().await.remove(0);
    assert_eq!((account.status(), account.cause.as_str()), (Status::Banned, "as the test says"));
    let error = started.pool.lease(lease(1)).await.unwrap_err();
    assert!(error.code == "no_accounts" && error.message.contains("1 banned"), "{error}");
    let cleared = started.pool.clear_accounts(ClearAccountsRequest::default()).await.unwrap();
    assert_eq!(cleared.cleared, 1);
    assert_eq!(started.accounts.load_all().await.unwrap()[0].status, Default::default());
    assert!(started.pool.lease(lease(1)).await.is_ok());
}

async fn accounts_are_removed_by_id_or_token(started: &Started) {
    let reports = started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let accounts = vec![reports[0].account_id.clone(), "sso=sim-basic-0002".into(), "sim-basic-0003".into()];
    let removed = started.pool.remove_accounts(RemoveAccountsRequest { accounts }).await.unwrap();
    assert_eq!((removed.removed, removed.unknown), (2, vec!["sim-…0003".to_owned()]));
    assert_eq!(removed.unknown_at.len(), 1);
    assert!(started.list().await.is_empty());
    assert!(started.accounts.load_all().await.unwrap().is_empty());
}

async fn a_busy_pool_lets_a_caller_wait_for_a_slot_and_then_refuses(started: &Started) {
    started.add(&["sim-basic-0001"]).await;
    let mut grants = Vec::new();
    for _ in 0..8 {
        grants.push(started.pool.lease(lease(1)).await.unwrap());
    }
    let free = started.pool.settle(settle(&grants[0].lease_id, Outcome::Success, true));
    let (waited, _) = tokio::join!(started.pool.lease(lease(1)), free);
    assert!(waited.is_ok(), "the freed slot goes to the caller who waits");
    let error = started.pool.lease(lease(1)).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.kind), ("pool_saturated", Kind::Unavailable));
    assert_eq!(error.retry_after, Some(Duration::from_secs(1)));
}

async fn what_makes_no_sense_is_refused(started: &Started) {
    for (request, param) in [
        (LeaseRequest { cost: 0, ..lease(1) }, "cost"),
        (LeaseRequest { owner: String::new(), ..lease(1) }, "owner"),
        (LeaseRequest { class: String::new(), ..lease(1) }, "class"),
        (LeaseRequest { minimum_tier: 17, ..lease(1) }, "minimum_tier"),
    ] {
        let error = started.pool.lease(request).await.unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, Some(param)));
    }
}
