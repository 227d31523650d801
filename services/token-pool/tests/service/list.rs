//! Lists of accounts: filters, orders, pages, and fifty thousand of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use grok2api_proto::{
    Error,
    pool::{
        Account, AccountFilter, AccountSort, AddAccountsRequest, ChangeAccountsRequest, ClearAccountsRequest,
        ListAccountsRequest, ListAccountsResponse, Outcome, RemoveAccountsRequest, RestoreAccountsRequest,
        State, Tier,
    },
};
use grok2api_storage::accounts::{StoredAccount, StoredWindow, Tier as StoredTier, Token, WindowSource};
use grok2api_testkit::Reach;
use rstest::rstest;
use uuid::Uuid;

use crate::support::{NOW, Started, lease, new_account, settle};

three_ways! {
    accounts_are_filtered_by_text_tier_state_and_tag,
    every_order_is_paged_without_gap_or_repetition,
    a_cursor_of_another_order_is_refused,
    a_removed_account_comes_back_as_it_was,
}

/// Five accounts: two Super, tagged and noted, one of them off; a cooling Basic one.
async fn some(started: &Started) -> Vec<String> {
    let tokens = ["sim-basic-0001", "sim-basic-0002", "sim-basic-0003", "sim-super-0004", "sim-super-0005"];
    let accounts = tokens.map(|token| {
        let tier = if token.contains("super") { Tier::Super } else { Tier::Basic };
        new_account(token, tier)
    });
    let reports = started.pool.add_accounts(AddAccountsRequest { accounts: accounts.into() }).await.unwrap();
    let ids: Vec<String> = reports.reports.into_iter().map(|report| report.account_id).collect();
    let change = |at: usize, change: ChangeAccountsRequest| {
        let accounts = vec![ids[at].clone()];
        started.pool.change_accounts(ChangeAccountsRequest { accounts, ..change })
    };
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let note = Some("Größe XL".to_owned());
    change(1, ChangeAccountsRequest { note, add_tags: tags(&["red"]), ..Default::default() }).await.unwrap();
    let both = tags(&["red", "blue"]);
    change(3, ChangeAccountsRequest { add_tags: both, priority: Some(7), ..Default::default() })
        .await
        .unwrap();
    change(4, ChangeAccountsRequest { enabled: Some(false), ..Default::default() }).await.unwrap();
    ids
}

async fn list(started: &Started, filter: AccountFilter) -> ListAccountsResponse {
    let request = ListAccountsRequest { filter: Some(filter), counts: true, ..Default::default() };
    started.pool.list_accounts(request).await.unwrap()
}

async fn accounts_are_filtered_by_text_tier_state_and_tag(started: &Started) {
    let ids = some(started).await;
    let found = async |filter: AccountFilter| -> Vec<usize> {
        let accounts = list(started, filter).await.accounts;
        accounts.iter().map(|found| ids.iter().position(|id| *id == found.id).unwrap()).collect()
    };
    let search = |text: &str| AccountFilter { search: text.to_owned(), ..Default::default() };
    assert_eq!(found(search("GRÖSSE")).await, Vec::<usize>::new());
    assert_eq!(found(search("größe xl")).await, [1]);
    assert_eq!(found(search("RED")).await, [1, 3]);
    assert_eq!(found(search("0003")).await, [2], "the end of a masked token");
    assert_eq!(found(search("sim-…0004")).await, [3]);
    assert_eq!(found(search(&ids[2])).await, [2]);
    assert_eq!(found(search(" sso=sim-super-0005 ")).await, [4], "a whole token");
    assert_eq!(found(search("nothing of this")).await, Vec::<usize>::new());

    let of = |tiers: &[Tier], states: &[State], tags: &[&str]| AccountFilter {
        tiers: tiers.iter().map(|tier| (*tier).into()).collect(),
        states: states.iter().map(|state| (*state).into()).collect(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..Default::default()
    };
    assert_eq!(found(of(&[Tier::Super], &[], &[])).await, [3, 4]);
    assert_eq!(found(of(&[Tier::Super, Tier::Basic], &[State::Active], &["red"])).await, [1, 3]);
    assert_eq!(found(of(&[], &[State::Disabled, State::Banned], &[])).await, [4]);
    assert_eq!(found(of(&[], &[], &["blue", "green"])).await, [3]);
    let some = AccountFilter { ids: vec![ids[4].clone(), ids[0].clone()], ..Default::default() };
    assert_eq!(found(some).await, [0, 4]);

    let counted = list(started, of(&[Tier::Super], &[State::Active], &[])).await;
    assert_eq!((counted.matching, counted.total), (1, 5));
    let states: Vec<_> = counted.states.iter().map(|count| (count.state(), count.accounts)).collect();
    assert_eq!(states, [(State::Active, 1), (State::Disabled, 1)], "of all states, among Super accounts");
    let tiers: Vec<_> = counted.tiers.iter().map(|count| (count.tier(), count.accounts)).collect();
    assert_eq!(tiers, [(Tier::Basic, 3), (Tier::Super, 1)], "of all tiers, among active accounts");
    let tags: Vec<_> = counted.tags.iter().map(|count| (count.name.as_str(), count.accounts)).collect();
    assert_eq!(tags, [("red", 2), ("blue", 1)]);
}

async fn every_order_is_paged_without_gap_or_repetition(started: &Started) {
    let ids = some(started).await;
    for sort in (0..=7).map(|number| AccountSort::try_from(number).unwrap()) {
        for descending in [false, true] {
            let request = ListAccountsRequest { sort: sort.into(), descending, ..Default::default() };
            let whole = started.pool.list_accounts(request.clone()).await.unwrap();
            let (mut paged, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = ListAccountsRequest { cursor, limit: 2, ..request.clone() };
                let page = started.pool.list_accounts(page).await.unwrap();
                paged.extend(page.accounts);
                cursor = page.next_cursor;
                if cursor.is_empty() {
                    break;
                }
            }
            assert_eq!(paged, whole.accounts, "{sort:?} {descending}");
            assert_eq!(whole.accounts.len(), 5);
        }
    }
    let first = async |sort: AccountSort| {
        let request =
            ListAccountsRequest { sort: sort.into(), descending: true, limit: 1, ..Default::default() };
        started.pool.list_accounts(request).await.unwrap().accounts.remove(0).id
    };
    assert_eq!(first(AccountSort::Unspecified).await, ids[4]);
    assert_eq!(first(AccountSort::Priority).await, ids[3]);
    assert_eq!(first(AccountSort::Note).await, ids[1]);
    assert_eq!(first(AccountSort::State).await, ids[4], "switched off is last");
    let request = ListAccountsRequest { ids_only: true, ..Default::default() };
    let bare = started.pool.list_accounts(request).await.unwrap();
    assert_eq!((bare.ids, bare.accounts.len()), (ids, 0));
}

async fn a_cursor_of_another_order_is_refused(started: &Started) {
    some(started).await;
    let request = ListAccountsRequest { limit: 2, ..Default::default() };
    let cursor = started.pool.list_accounts(request).await.unwrap().next_cursor;
    for wrong in [
        ListAccountsRequest { cursor: cursor.clone(), descending: true, ..Default::default() },
        ListAccountsRequest { cursor, sort: AccountSort::Tier.into(), ..Default::default() },
        ListAccountsRequest { cursor: "nonsense".into(), ..Default::default() },
    ] {
        let error: Error = started.pool.list_accounts(wrong).await.unwrap_err();
        assert_eq!((error.code.as_ref(), error.param.as_deref()), ("invalid_value", Some("cursor")));
    }
}

async fn a_removed_account_comes_back_as_it_was(started: &Started) {
    let ids = some(started).await;
    let before = started.list().await;
    let gone = vec![ids[1].clone(), ids[3].clone()];
    started.pool.remove_accounts(RemoveAccountsRequest { accounts: gone.clone() }).await.unwrap();
    assert_eq!(started.list().await.len(), 3);
    let mut asked = gone;
    asked.extend([ids[0].clone(), "no id".to_owned()]);
    let back = started.pool.restore_accounts(RestoreAccountsRequest { ids: asked }).await.unwrap();
    assert_eq!((back.restored, back.unknown.len()), (2, 2), "one is there, one never was");
    assert_eq!(started.list().await, before);
}

#[tokio::test]
async fn a_window_that_is_used_up_makes_an_account_exhausted_or_dry() {
    let started = Started::new().await;
    started.add(&["sim-basic-0001", "sim-basic-0002"]).await;
    let state = async || started.list().await.iter().map(Account::state).collect::<Vec<_>>();
    assert_eq!(state().await, [State::Active, State::Active]);
    let grant = started.pool.lease(lease(1)).await.unwrap();
    let limited = settle(&grant.lease_id, Outcome::RateLimited, false);
    started.pool.settle(limited).await.unwrap();
    let mut states = state().await;
    states.sort_unstable();
    assert_eq!(states, [State::Active, State::Exhausted]);
    started.pool.clear_accounts(ClearAccountsRequest::default()).await.unwrap();
    assert_eq!(state().await, [State::Active, State::Active]);
}

/// Rows as a long life leaves them.
fn row(number: usize) -> StoredAccount {
    let token = Token::new(format!("{number:08}{}", "x".repeat(200)));
    let tier = StoredTier::ALL[number % 3];
    let mut row = StoredAccount::new(Uuid::now_v7(), token, tier, NOW);
    row.note = format!("batch {} of the spring", number / 1000);
    row.tags = BTreeSet::from([format!("team-{}", number % 50), "all".to_owned()]);
    row.priority = (number % 7) as i32;
    row.last_used_at = Some(NOW - (number % 10_000) as i64);
    let remaining = Some((number % 81) as u32);
    let window =
        StoredWindow { total: Some(80), remaining, source: WindowSource::Upstream, ..Default::default() };
    row.windows = BTreeMap::from([("normal".to_owned(), window)]);
    row
}

/// What a page may take: 200 ms, and several times as much without optimisation.
const LONGEST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 800 } else { 200 });

/// What this process has had of the processors, all its threads together: other processes do not change it, as they do
/// the time of day.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[rstest]
#[case::memory(false)]
#[case::redis(true)]
#[tokio::test]
async fn a_page_of_fifty_thousand_accounts_takes_less_than_200_ms(#[case] redis: bool) {
    const ALL: u32 = 50_000;
    let started = Started::reached_with(Reach::Wired, redis, (0..ALL as usize).map(row).collect()).await;
    let search = |text: &str| AccountFilter { search: text.into(), ..Default::default() };
    let tagged = AccountFilter { tags: vec!["team-7".into()], ..Default::default() };
    let states = AccountFilter { states: vec![State::Exhausted.into()], ..Default::default() };
    let asked = [
        ("first page", AccountFilter::default(), AccountSort::Unspecified),
        ("search", search("batch 33"), AccountSort::LastUsed),
        ("search in vain", search("nowhere at all"), AccountSort::Unspecified),
        ("tag", tagged, AccountSort::Remaining),
        ("state", states, AccountSort::Note),
    ];
    for (name, filter, sort) in asked {
        let request = ListAccountsRequest {
            filter: Some(filter),
            sort: sort.into(),
            descending: true,
            limit: 50,
            counts: true,
            ..Default::default()
        };
        let mut each = Vec::new();
        let mut matching = 0;
        for _ in 0..9 {
            let begun = processor_time();
            let page = started.pool.list_accounts(request.clone()).await.unwrap();
            each.push(processor_time() - begun);
            assert_eq!(page.total, ALL);
            matching = page.matching;
        }
        each.sort_unstable();
        println!("{name}, redis {redis}: {matching} match, {each:?}");
        assert!(each[4] < LONGEST, "{name} took {each:?}");
    }
    started.stop().await;
}
