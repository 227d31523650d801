//! What every board does.

use std::time::Duration;

use bytes::Bytes;
use grok2api_storage::board::{Board, Count, open};
use grok2api_testkit::RedisServer;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_board_of_one_process_keeps_the_contract() {
    keeps_the_contract(&*open(None).await.unwrap()).await;
}

#[tokio::test]
async fn a_board_in_redis_keeps_the_contract_and_is_shared() {
    let server = RedisServer::start();
    let (one, other) = (open(Some(&server.url())).await.unwrap(), open(Some(&server.url())).await.unwrap());
    keeps_the_contract(&*one).await;
    one.post("shared", "a", Bytes::from_static(b"note"), LONG).await.unwrap();
    assert_eq!(other.read("shared").await.unwrap(), [("a".to_owned(), Bytes::from_static(b"note"))]);
    one.count("shared", LONG).await.unwrap();
    assert_eq!(other.count("shared", LONG).await.unwrap().number, 2);
}

async fn keeps_the_contract(board: &dyn Board) {
    let names = async |topic| -> Vec<String> {
        board.read(topic).await.unwrap().into_iter().map(|(name, _)| name).collect()
    };
    board.post("t", "b", Bytes::from_static(&[0, 58, 255]), LONG).await.unwrap();
    board.post("t", "a", Bytes::from_static(b"old"), LONG).await.unwrap();
    board.post("t", "a", Bytes::from_static(b"new"), LONG).await.unwrap();
    board.post("other", "c", Bytes::new(), LONG).await.unwrap();
    let (a, b) = ("a".to_owned(), "b".to_owned());
    let expected = [(a, Bytes::from_static(b"new")), (b, Bytes::from_static(&[0, 58, 255]))];
    assert_eq!(board.read("t").await.unwrap(), expected);
    assert!(board.take("t", "a").await.unwrap() && !board.take("t", "a").await.unwrap());
    assert_eq!(names("t").await, ["b"]);
    board.post("t", "short", Bytes::new(), Duration::from_millis(1)).await.unwrap();
    while names("t").await.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(board.counted("n").await.unwrap(), Count::default());
    assert_eq!(board.count("n", LONG).await.unwrap().number, 1);
    let second = board.count("n", Duration::from_millis(1)).await.unwrap();
    assert!(second.number == 2 && second.ends_in > Duration::from_secs(50), "{second:?}");
    assert_eq!(board.counted("n").await.unwrap().number, 2);
    board.forget("n").await.unwrap();
    assert_eq!(board.count("n", Duration::from_millis(1)).await.unwrap().number, 1);
    while board.counted("n").await.unwrap().number > 0 {
        tokio::task::yield_now().await;
    }
}
