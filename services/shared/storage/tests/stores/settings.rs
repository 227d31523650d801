//! What every store of settings must do. Each function wants an empty store.

use grok2api_kit::settings::Mode;
use grok2api_storage::{
    Error,
    settings::{Overrides, Revision, Settings},
};
use serde_json::json;

use crate::support::Stand;

const NOW: i64 = 1_760_000_000_000;

fn overrides(value: serde_json::Value) -> Overrides {
    value.as_object().expect("an object").clone()
}

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    an_empty_store_is_at_the_defaults(&*stand.fresh().await.settings()).await;
    revisions_come_back_as_they_were_given(&*stand.fresh().await.settings()).await;
    only_one_of_two_writers_wins(&*stand.fresh().await.settings()).await;
    many_writers_leave_no_gap(&*stand.fresh().await.settings()).await;
    history_is_paged_from_the_newest(&*stand.fresh().await.settings()).await;
}

async fn an_empty_store_is_at_the_defaults(store: &dyn Settings) {
    assert_eq!(store.latest().await.unwrap(), Revision::default());
    assert!(store.list(None, 10).await.unwrap().is_empty());
}

async fn revisions_come_back_as_they_were_given(store: &dyn Settings) {
    let given =
        overrides(json!({"base_url": "https://例.example/\"x\"", "temporary": false, "max_attempts": 5}));
    let made = store.append(0, given.clone(), "admin", NOW).await.unwrap();
    assert_eq!(made, Revision { number: 1, overrides: given, author: "admin".into(), created_at: NOW });
    assert_eq!(store.latest().await.unwrap(), made);
    let back = store.append(1, Overrides::new(), "second", NOW + 1).await.unwrap();
    assert_eq!((back.number, back.overrides.len()), (2, 0));
    assert_eq!(store.latest().await.unwrap(), back);
    assert_eq!(store.newest().await.unwrap(), 2);
}

async fn only_one_of_two_writers_wins(store: &dyn Settings) {
    store.append(0, Overrides::new(), "first", NOW).await.unwrap();
    for expected in [0, 2, 7] {
        match store.append(expected, overrides(json!({"api_key": "x"})), "late", NOW).await.unwrap_err() {
            Error::Conflict { expected: told, found } => assert_eq!((told, found), (expected, 1)),
            other => panic!("not a conflict: {other}"),
        }
    }
    assert_eq!(store.latest().await.unwrap().author, "first");
}

async fn many_writers_leave_no_gap(store: &dyn Settings) {
    let race = || store.append(0, Overrides::new(), "racer", NOW);
    let (first, second, third) = tokio::join!(race(), race(), race());
    assert_eq!([first, second, third].iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(store.latest().await.unwrap().number, 1);
}

async fn history_is_paged_from_the_newest(store: &dyn Settings) {
    for number in 0..5 {
        store.append(number, Overrides::new(), "admin", NOW).await.unwrap();
    }
    let numbers = async |before, limit| {
        let page = store.list(before, limit).await.unwrap();
        page.iter().map(|revision| revision.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(None, 2).await, [5, 4]);
    assert_eq!(numbers(Some(4), 2).await, [3, 2]);
    assert_eq!(numbers(Some(2), 10).await, [1]);
}
