//! What every store of client keys does. Each test gets two handles on one empty store.

use grok2api_kit::settings::Mode;
use grok2api_storage::{
    Error,
    client_keys::{Budget, ClientKey, ClientKeys, Limits, Period, Spec, Unit, digest},
};
use uuid::Uuid;

use crate::support::Stand;

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    macro_rules! run {
        ($($name:ident),* $(,)?) => { $(
            let (one, other) = stand.two().await;
            $name(&*one.client_keys(), &*other.client_keys()).await;
        )* };
    }
    run! {
        everything_of_a_key_is_kept,
        a_known_id_or_digest_is_taken,
        an_update_of_an_old_version_is_refused,
        every_write_is_seen_by_the_other_handle,
        a_use_is_noted_and_is_no_write,
        uses_side_by_side_are_all_noted_in_whatever_order,
        writers_side_by_side_lose_nothing,
    }
}

fn key(number: u8) -> ClientKey {
    ClientKey {
        id: Uuid::now_v7(),
        digest: digest(&[number]),
        masked: format!("sk-g2a-…{number:04}"),
        created_at: 1_000 + i64::from(number),
        last_used_at: None,
        revoked_at: None,
        spec: Spec { name: format!("key {number}"), ..Spec::default() },
        version: 1,
    }
}

async fn add(store: &dyn ClientKeys, number: u8) -> ClientKey {
    let key = key(number);
    store.insert(&key).await.unwrap();
    key
}

async fn everything_of_a_key_is_kept(one: &dyn ClientKeys, other: &dyn ClientKeys) {
    let mut full = key(1);
    full.last_used_at = Some(7);
    full.spec = Spec {
        name: "Büro \"1\" 🔑".into(),
        note: "a\nb".into(),
        disabled: true,
        expires_at: Some(-1),
        models: ["grok-4".into(), "grok-3".into()].into(),
        addresses: ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()].into(),
        account_tags: ["team a".into()].into(),
        limits: Limits { requests_per_minute: Some(1), tokens_per_minute: Some(u64::MAX), concurrency: None },
        budgets: vec![
            Budget { unit: Unit::Units, period: Period::Lifetime, amount: 3 },
            Budget { unit: Unit::Tokens, period: Period::Week, amount: 4 },
        ],
    };
    one.insert(&full).await.unwrap();
    assert_eq!(other.get(full.id).await.unwrap().unwrap(), full);
    assert_eq!(other.find(&full.digest).await.unwrap().unwrap(), full);
    full.spec = Spec::default();
    full.revoked_at = Some(9);
    let version = one.update(&full).await.unwrap();
    assert!(version > full.version);
    full.version = version;
    assert_eq!(other.get(full.id).await.unwrap().unwrap(), full);
    assert_eq!(one.get(Uuid::now_v7()).await.unwrap(), None);
    assert_eq!(one.find(&digest(b"nobody")).await.unwrap(), None);
}

async fn a_known_id_or_digest_is_taken(one: &dyn ClientKeys, other: &dyn ClientKeys) {
    let first = add(one, 1).await;
    for clash in [ClientKey { id: first.id, ..key(2) }, ClientKey { digest: first.digest, ..key(3) }] {
        let refused = other.insert(&clash).await;
        assert!(matches!(refused, Err(Error::Taken { .. })), "{refused:?}");
    }
    assert_eq!(one.changed_since(0).await.unwrap().keys, [first]);
}

async fn an_update_of_an_old_version_is_refused(one: &dyn ClientKeys, other: &dyn ClientKeys) {
    let first = add(one, 1).await;
    one.update(&first).await.unwrap();
    let refused = other.update(&first).await;
    assert!(matches!(refused, Err(Error::Conflict { expected: 1, found: 2 })), "{refused:?}");
    let refused = other.update(&key(2)).await;
    assert!(matches!(refused, Err(Error::Conflict { found: 0, .. })), "{refused:?}");
}

async fn every_write_is_seen_by_the_other_handle(one: &dyn ClientKeys, other: &dyn ClientKeys) {
    assert_eq!(other.version().await.unwrap(), 0);
    let (mut first, second) = (add(one, 1).await, add(one, 2).await);
    let changes = other.changed_since(0).await.unwrap();
    assert_eq!((changes.keys.len(), changes.version), (2, one.version().await.unwrap()));
    assert!(changes.keys.contains(&second));
    first.spec.note = "changed".into();
    first.version = one.update(&first).await.unwrap();
    let later = other.changed_since(changes.version).await.unwrap();
    assert_eq!(later.keys, [first]);
    assert!(later.version > changes.version && later.version == other.version().await.unwrap());
    assert!(other.changed_since(later.version).await.unwrap().keys.is_empty());
}

async fn a_use_is_noted_and_is_no_write(one: &dyn ClientKeys, other: &dyn ClientKeys) {
    let (mut first, second) = (add(one, 1).await, add(one, 2).await);
    let version = one.version().await.unwrap();
    one.used(&[(first.id, 50), (Uuid::now_v7(), 60)]).await.unwrap();
    one.used(&[(first.id, 40)]).await.unwrap();
    assert_eq!(other.get(first.id).await.unwrap().unwrap().last_used_at, Some(50));
    assert_eq!(other.get(second.id).await.unwrap().unwrap().last_used_at, None);
    assert_eq!(other.version().await.unwrap(), version);
    // A writer that has not seen the use does not take it back.
    first.spec.note = "changed".into();
    one.update(&first).await.unwrap();
    assert_eq!(other.get(first.id).await.unwrap().unwrap().last_used_at, Some(50));
    one.used(&[]).await.unwrap();
}

async fn writers_side_by_side_lose_nothing(one: &dyn ClientKeys, other: &dyn ClientKeys) {
    let write = async |store: &dyn ClientKeys, numbers: std::ops::Range<u8>| {
        for number in numbers {
            let mut kept = add(store, number).await;
            kept.spec.note = "written".into();
            store.update(&kept).await.unwrap();
        }
    };
    tokio::join!(write(one, 0..30), write(other, 30..60));
    let all = one.changed_since(0).await.unwrap();
    assert_eq!((all.keys.len(), all.version), (60, 120));
    assert!(all.keys.iter().all(|key| key.spec.note == "written" && key.version == 2));
}

/// Two processes that have served the same keys, and name them in opposite orders.
async fn uses_side_by_side_are_all_noted_in_whatever_order(one: &dyn ClientKeys, other: &dyn ClientKeys) {
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(add(one, number).await.id);
    }
    for at in 1..20 {
        let there: Vec<_> = ids.iter().map(|id| (*id, 2 * at)).collect();
        let back: Vec<_> = ids.iter().rev().map(|id| (*id, 2 * at + 1)).collect();
        let (there, back) = tokio::join!(one.used(&there), other.used(&back));
        assert!(there.is_ok() && back.is_ok(), "{there:?} {back:?}");
    }
    let keys = one.changed_since(0).await.unwrap().keys;
    assert!(keys.iter().all(|key| key.last_used_at == Some(39)), "{keys:?}");
}
