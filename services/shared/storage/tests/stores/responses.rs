//! What every store of responses must do. Each function wants an empty one.

use grok2api_kit::settings::Mode;
use grok2api_storage::{
    Store,
    ledger::first_id,
    responses::{Keep, Response, Responses},
};
use uuid::Uuid;

use crate::support::{KEY, OTHER_KEY, Stand, command, sql, with_another_key};

const HOUR: i64 = 60 * 60 * 1000;
const NOW: i64 = 1_800_000_000_000;
const SECRET: &str = "the words of a client";

/// One of `hours` ago.
fn response(hours: i64, said: &[u8]) -> Response {
    let id = Uuid::from_u128(first_id(NOW - hours * HOUR).as_u128() | 7);
    Response { id, said: said.to_vec() }
}

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    they_come_back_as_they_were_given(&*stand.fresh().await.responses()).await;
    one_that_is_removed_is_gone(&*stand.fresh().await.responses()).await;
    the_old_go_and_the_oldest_when_all_take_too_much(&*stand.fresh().await.responses()).await;
    two_processes_see_the_same(&stand).await;
    nobody_reads_them_without_the_key(&stand).await;
    a_new_key_seals_them_too(&stand).await;
}

async fn they_come_back_as_they_were_given(responses: &dyn Responses) {
    let given = [response(1, b"one"), response(2, &vec![255; 8 << 20]), response(3, b"")];
    for given in &given {
        responses.put(given).await.unwrap();
    }
    responses.put(&response(1, b"another")).await.unwrap();
    for given in given {
        assert_eq!(responses.get(given.id).await.unwrap(), Some(given));
    }
    assert_eq!(responses.get(response(4, b"").id).await.unwrap(), None);
}

async fn one_that_is_removed_is_gone(responses: &dyn Responses) {
    let (one, two) = (response(1, &[7; 1000]), response(2, &[7; 1000]));
    responses.put(&one).await.unwrap();
    responses.put(&two).await.unwrap();
    assert!(responses.remove(one.id).await.unwrap());
    assert!(!responses.remove(one.id).await.unwrap());
    assert_eq!(responses.get(one.id).await.unwrap(), None);
    // It takes no room any more: a sealed value is 45 bytes longer.
    assert_eq!(responses.prune(Keep { hours: 9, bytes: 1045 }, NOW, 9).await.unwrap(), 0);
    assert_eq!(responses.get(two.id).await.unwrap(), Some(two));
}

/// How many hours old the ones that are left are.
async fn left(responses: &dyn Responses) -> Vec<i64> {
    let mut left = Vec::new();
    for hours in 0..20 {
        left.extend(responses.get(response(hours, b"").id).await.unwrap().map(|_| hours));
    }
    left
}

async fn the_old_go_and_the_oldest_when_all_take_too_much(responses: &dyn Responses) {
    for hours in 0..10 {
        responses.put(&response(hours, &[7; 1000])).await.unwrap();
    }
    let mut gone = Vec::new();
    while gone.last() != Some(&0) {
        gone.push(responses.prune(Keep { hours: 4, bytes: 1 << 20 }, NOW, 3).await.unwrap());
    }
    assert_eq!(gone, [3, 2, 0]);
    assert_eq!(left(responses).await, [0, 1, 2, 3, 4]);
    while responses.prune(Keep { hours: 4, bytes: 3 * 1045 }, NOW, 4).await.unwrap() > 0 {}
    assert_eq!(left(responses).await, [0, 1, 2]);
    while responses.prune(Keep { hours: 0, bytes: 0 }, NOW + 1, 4).await.unwrap() > 0 {}
    assert!(left(responses).await.is_empty());
}

async fn two_processes_see_the_same(stand: &Stand) {
    let (one, two) = stand.two().await;
    let given = response(1, b"one");
    one.responses().put(&given).await.unwrap();
    assert_eq!(two.responses().get(given.id).await.unwrap(), Some(given.clone()));
    assert!(two.responses().remove(given.id).await.unwrap());
    assert_eq!(one.responses().get(given.id).await.unwrap(), None);
}

async fn nobody_reads_them_without_the_key(stand: &Stand) {
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    let given = response(1, SECRET.as_bytes());
    store.responses().put(&given).await.unwrap();
    if settings.storage.mode == Mode::Redis {
        let mut get = redis::cmd("GET");
        get.arg(format!("{{g2a}}:responses:of:{}", given.id.simple()));
        let redis::Value::BulkString(kept) = command(&settings, &get).await else { panic!("not kept") };
        assert!(!String::from_utf8_lossy(&kept).contains(SECRET));
    } else {
        // Moved to another response it does not open.
        let other = response(2, b"");
        store.responses().put(&other).await.unwrap();
        sql(
            &settings,
            "UPDATE responses SET sealed = (SELECT MAX(sealed) FROM (SELECT sealed FROM responses) r)",
        )
        .await;
        let (one, two) = (store.responses().get(given.id).await, store.responses().get(other.id).await);
        assert!(one.is_err() != two.is_err());
    }
    assert!(with_another_key(&settings).await.is_err());
}

async fn a_new_key_seals_them_too(stand: &Stand) {
    let settings = stand.settings().await;
    let given = response(1, b"x");
    Store::open(&settings).await.unwrap().responses().put(&given).await.unwrap();
    let mut changed = settings.clone();
    (changed.seal.key, changed.seal.old_keys) = (OTHER_KEY.to_owned(), KEY.to_owned());
    // The check and the response.
    assert_eq!(Store::open(&changed).await.unwrap().reseal(u64::MAX).await.unwrap().done, 2);
    changed.seal.old_keys.clear();
    let store = Store::open(&changed).await.unwrap();
    assert_eq!(store.responses().get(given.id).await.unwrap(), Some(given));
}
