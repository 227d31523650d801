//! What every store of requests that must not be done twice must do.

use std::sync::Arc;

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{
    Store,
    idempotency::{Claimed, Id, Idempotency, LARGEST},
};

use crate::support::Stand;

const LONG: u64 = 60_000;
const PRINT: [u8; 32] = [9; 32];

fn id(number: u8) -> Id {
    [number; 32]
}

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let requests = Store::open(&settings).await.unwrap().idempotency(&settings.storage).await.unwrap();
    one_of_many_gets_the_request(&requests).await;
    an_answer_is_for_the_same_request_only(&*requests).await;
    what_is_given_up_can_be_taken_again(&*requests).await;
    what_is_too_large_is_remembered_without(&*requests).await;
    claims_and_answers_end_by_themselves(&*requests).await;
    if mode == Mode::Redis {
        replicas_share_them(&stand).await;
    }
}

async fn one_of_many_gets_the_request(requests: &Arc<dyn Idempotency>) {
    let claims = (0..32).map(|number| {
        let requests = requests.clone();
        async move { requests.claim(&id(1), &PRINT, &number.to_string(), LONG).await.unwrap() }
    });
    let found = all(claims).await;
    assert_eq!(found.iter().filter(|one| **one == Claimed::Yours).count(), 1);
    assert_eq!(found.iter().filter(|one| **one == Claimed::Running).count(), 31);
}

async fn all<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut set = tokio::task::JoinSet::new();
    work.for_each(|one| drop(set.spawn(one)));
    set.join_all().await
}

async fn an_answer_is_for_the_same_request_only(requests: &dyn Idempotency) {
    let claim = async |print: &[u8; 32]| requests.claim(&id(2), print, "a", LONG).await.unwrap();
    assert_eq!(claim(&PRINT).await, Claimed::Yours);
    assert!(!requests.answer(&id(2), "b", Some(b"theirs"), LONG).await.unwrap());
    assert!(requests.answer(&id(2), "a", Some(&[0, 255, 13, 10]), LONG).await.unwrap());
    assert!(!requests.answer(&id(2), "a", Some(b"again"), LONG).await.unwrap());
    assert_eq!(claim(&PRINT).await, Claimed::Answered(vec![0, 255, 13, 10]));
    assert_eq!(claim(&[8; 32]).await, Claimed::Different);
    requests.release(&id(2), "a").await.unwrap();
    assert_eq!(claim(&PRINT).await, Claimed::Answered(vec![0, 255, 13, 10]), "what is done stays done");
}

async fn what_is_given_up_can_be_taken_again(requests: &dyn Idempotency) {
    let claim = async |owner: &str| requests.claim(&id(3), &PRINT, owner, LONG).await.unwrap();
    assert_eq!(claim("a").await, Claimed::Yours);
    requests.release(&id(3), "b").await.unwrap();
    assert_eq!(claim("b").await, Claimed::Running);
    requests.release(&id(3), "a").await.unwrap();
    assert_eq!(claim("b").await, Claimed::Yours);
    assert!(!requests.answer(&id(3), "a", Some(b"late"), LONG).await.unwrap());
}

async fn what_is_too_large_is_remembered_without(requests: &dyn Idempotency) {
    for (number, answer, kept) in
        [(4, Some(vec![7; LARGEST]), true), (5, Some(vec![7; LARGEST + 1]), false), (6, None, false)]
    {
        requests.claim(&id(number), &PRINT, "a", LONG).await.unwrap();
        assert!(requests.answer(&id(number), "a", answer.as_deref(), LONG).await.unwrap());
        let found = requests.claim(&id(number), &PRINT, "b", LONG).await.unwrap();
        assert_eq!(matches!(found, Claimed::Answered(_)), kept);
        assert_eq!(found == Claimed::NotKept, !kept);
    }
}

async fn claims_and_answers_end_by_themselves(requests: &dyn Idempotency) {
    requests.claim(&id(7), &PRINT, "gone", 1).await.unwrap();
    while requests.claim(&id(7), &PRINT, "next", 200).await.unwrap() != Claimed::Yours {}
    requests.renew(&[(id(7), "next".to_owned()), (id(200), "nobody".to_owned())], LONG).await.unwrap();
    requests.renew(&[(id(7), "gone".to_owned())], 1).await.unwrap();
    // Nothing but time can tell that it was renewed.
    tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    assert_eq!(requests.claim(&id(7), &PRINT, "other", LONG).await.unwrap(), Claimed::Running);
    assert!(requests.answer(&id(7), "next", Some(b"x"), 1).await.unwrap());
    while requests.claim(&id(7), &PRINT, "other", LONG).await.unwrap() != Claimed::Yours {}
    assert_eq!(requests.claim(&id(200), &PRINT, "other", LONG).await.unwrap(), Claimed::Yours);
}

async fn replicas_share_them(stand: &Stand) {
    let settings = stand.settings().await;
    let open = async || Store::open(&settings).await.unwrap().idempotency(&settings.storage).await.unwrap();
    let (one, two) = (open().await, open().await);
    one.claim(&id(1), &PRINT, "one", LONG).await.unwrap();
    assert_eq!(two.claim(&id(1), &PRINT, "two", LONG).await.unwrap(), Claimed::Running);
    one.answer(&id(1), "one", Some("gesagt ist gesagt".as_bytes()), LONG).await.unwrap();
    let answered = Claimed::Answered("gesagt ist gesagt".into());
    assert_eq!(two.claim(&id(1), &PRINT, "two", LONG).await.unwrap(), answered);
    let key = format!("{{g2a}}:idempotency:request:{}", "01".repeat(32));
    let stored = crate::support::command(&settings, redis::cmd("HGET").arg(key).arg("answer")).await;
    let redis::Value::BulkString(stored) = stored else { panic!("{stored:?}") };
    assert!(!String::from_utf8_lossy(&stored).contains("gesagt"), "answers are sealed");
    many_answers_are_bounded(&*one, &settings).await;
}

/// 256 MiB in all, of which others have taken all but 200 KiB for longer.
async fn many_answers_are_bounded(requests: &dyn Idempotency, settings: &Settings) {
    let (taken, answer) = ((256 << 20) - (200 << 10), vec![7; 64 << 10]);
    let entry = format!("{taken}:{}", "ff".repeat(32));
    let fill = [
        redis::cmd("SET").arg("{g2a}:idempotency:bytes").arg(taken).clone(),
        redis::cmd("ZADD").arg("{g2a}:idempotency:ends").arg(i64::MAX).arg(entry).clone(),
    ];
    for command in &fill {
        crate::support::command(settings, command).await;
    }
    for number in 100..106 {
        requests.claim(&id(number), &PRINT, "a", LONG).await.unwrap();
        requests.answer(&id(number), "a", Some(&answer), LONG + u64::from(number)).await.unwrap();
    }
    let bytes = crate::support::command(settings, redis::cmd("GET").arg("{g2a}:idempotency:bytes")).await;
    let redis::Value::BulkString(bytes) = bytes else { panic!("{bytes:?}") };
    let bytes: usize = String::from_utf8(bytes).unwrap().parse().unwrap();
    assert!((taken..=256 << 20).contains(&bytes), "{bytes}");
    for (number, kept) in [(100, false), (102, false), (103, true), (105, true)] {
        let found = requests.claim(&id(number), &PRINT, "b", LONG).await.unwrap();
        assert_eq!(matches!(found, Claimed::Answered(_)), kept, "{number}");
    }
}
