//! What every store of captured bodies must do. Each function wants an empty one.

use grok2api_kit::settings::Mode;
use grok2api_storage::{
    Store,
    captures::{Capture, Captures, Keep},
    ledger::{at, first_id},
};
use uuid::Uuid;

use crate::support::{KEY, OTHER_KEY, Stand, command, sql, with_another_key};

const HOUR: i64 = 60 * 60 * 1000;
const NOW: i64 = 1_800_000_000_000;
const SECRET: &str = "the words of a client";

/// A request of `hours` ago.
fn capture(hours: i64, bodies: &[u8]) -> Capture {
    let id = Uuid::from_u128(first_id(NOW - hours * HOUR).as_u128() | 7);
    Capture { id, bodies: bodies.to_vec() }
}

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    bodies_come_back_as_they_were_given(&*stand.fresh().await.captures()).await;
    what_is_kept_stays(&*stand.fresh().await.captures()).await;
    what_is_too_old_goes(&*stand.fresh().await.captures()).await;
    the_oldest_go_when_all_take_too_much(&*stand.fresh().await.captures()).await;
    nobody_reads_them_without_the_key(&stand).await;
    a_new_key_seals_them_too(&stand).await;
}

async fn bodies_come_back_as_they_were_given(captures: &dyn Captures) {
    let given = [capture(1, b"one"), capture(2, &vec![255; 1 << 21]), capture(3, b"")];
    captures.put(&given).await.unwrap();
    for given in given {
        assert_eq!(captures.get(given.id).await.unwrap(), Some(given));
    }
    assert_eq!(captures.get(capture(4, b"").id).await.unwrap(), None);
}

async fn what_is_kept_stays(captures: &dyn Captures) {
    captures.put(&[capture(1, b"first")]).await.unwrap();
    captures.put(&[capture(1, b"second"), capture(2, b"other")]).await.unwrap();
    assert_eq!(captures.get(capture(1, b"").id).await.unwrap().unwrap().bodies, b"first");
    assert_eq!(captures.get(capture(2, b"").id).await.unwrap().unwrap().bodies, b"other");
}

/// How many hours old the ones that are left are.
async fn left(captures: &dyn Captures) -> Vec<i64> {
    let mut left = Vec::new();
    for hours in 0..20 {
        let found = captures.get(capture(hours, b"").id).await.unwrap();
        left.extend(found.map(|found| (NOW - at(found.id)) / HOUR));
    }
    left
}

async fn what_is_too_old_goes(captures: &dyn Captures) {
    let given: Vec<_> = (0..10).map(|hours| capture(hours, b"x")).collect();
    captures.put(&given).await.unwrap();
    let keep = Keep { hours: 4, bytes: 1 << 20 };
    let mut gone = Vec::new();
    while gone.last() != Some(&0) {
        gone.push(captures.prune(keep, NOW, 3).await.unwrap());
    }
    assert_eq!(gone, [3, 2, 0]);
    assert_eq!(left(captures).await, [0, 1, 2, 3, 4]);
}

async fn the_oldest_go_when_all_take_too_much(captures: &dyn Captures) {
    let given: Vec<_> = (0..10).map(|hours| capture(hours, &[7; 1000])).collect();
    captures.put(&given).await.unwrap();
    // A sealed value is 45 bytes longer.
    let keep = Keep { hours: 1000, bytes: 3 * 1045 };
    while captures.prune(keep, NOW, 4).await.unwrap() > 0 {}
    assert_eq!(left(captures).await, [0, 1, 2]);
    // Two writers at once do not count one twice.
    let (one, two) = ([capture(5, &[7; 1000])], [capture(5, &[7; 1000])]);
    let (one, two) = tokio::join!(captures.put(&one), captures.put(&two));
    one.unwrap();
    two.unwrap();
    while captures.prune(keep, NOW, 4).await.unwrap() > 0 {}
    assert_eq!(left(captures).await, [0, 1, 2]);
    while captures.prune(Keep { hours: 0, bytes: 0 }, NOW + 1, 4).await.unwrap() > 0 {}
    assert!(left(captures).await.is_empty());
}

async fn nobody_reads_them_without_the_key(stand: &Stand) {
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    let given = capture(1, SECRET.as_bytes());
    store.captures().put(std::slice::from_ref(&given)).await.unwrap();
    if settings.storage.mode == Mode::Redis {
        let mut get = redis::cmd("GET");
        get.arg(format!("{{g2a}}:captures:of:{}", given.id.simple()));
        let redis::Value::BulkString(kept) = command(&settings, &get).await else { panic!("not kept") };
        assert!(!String::from_utf8_lossy(&kept).contains(SECRET));
    } else {
        // Moved to another request it does not open.
        let other = capture(2, b"");
        store.captures().put(std::slice::from_ref(&other)).await.unwrap();
        sql(
            &settings,
            "UPDATE captures SET sealed = (SELECT MAX(sealed) FROM (SELECT sealed FROM captures) c)",
        )
        .await;
        let (one, two) = (store.captures().get(given.id).await, store.captures().get(other.id).await);
        assert!(one.is_err() != two.is_err());
    }
    assert!(with_another_key(&settings).await.is_err());
}

async fn a_new_key_seals_them_too(stand: &Stand) {
    let settings = stand.settings().await;
    let given = capture(1, b"x");
    Store::open(&settings).await.unwrap().captures().put(std::slice::from_ref(&given)).await.unwrap();
    let mut changed = settings.clone();
    (changed.seal.key, changed.seal.old_keys) = (OTHER_KEY.to_owned(), KEY.to_owned());
    // The check and the bodies.
    assert_eq!(Store::open(&changed).await.unwrap().reseal(u64::MAX).await.unwrap().done, 2);
    changed.seal.old_keys.clear();
    let store = Store::open(&changed).await.unwrap();
    assert_eq!(store.captures().get(given.id).await.unwrap(), Some(given));
}
