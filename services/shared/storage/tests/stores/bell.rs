//! Rings reach who listens, and who comes back is told that something may have been missed.

use std::time::Duration;

use grok2api_storage::bell::{Bell, Listener, Topic};
use grok2api_testkit::RedisServer;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

async fn heard(listener: &mut Listener) {
    timeout(SOON, listener.heard()).await.expect("it is heard");
}

#[tokio::test]
async fn a_ring_is_heard_by_all_who_share_the_redis_and_its_database() {
    let server = RedisServer::start();
    let open =
        async |database: &str| Bell::open(Some(&format!("{}/{database}", server.url()))).await.unwrap();
    let (one, other, apart) = (open("0").await, open("0").await, open("1").await);
    let mut listeners = [&one, &other].map(|bell| bell.listen(Topic::Configuration));
    let mut stranger = apart.listen(Topic::Configuration);
    for listener in listeners.iter_mut().chain([&mut stranger]) {
        // That it listens now.
        heard(listener).await;
    }
    for bell in [&one, &other] {
        bell.ring(Topic::Configuration).await;
        for listener in &mut listeners {
            heard(listener).await;
        }
    }
    // The server has told the others, so it has told everybody.
    assert!(timeout(Duration::ZERO, stranger.heard()).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_it_listens_again_and_says_so() {
    let mut server = RedisServer::start();
    let bell = Bell::open(Some(&server.url())).await.unwrap();
    let mut listener = bell.listen(Topic::Configuration);
    heard(&mut listener).await;
    tokio::task::block_in_place(|| server.kill());
    // Lost, and no failure.
    timeout(SOON, bell.ring(Topic::Configuration)).await.expect("it does not wait");
    tokio::task::block_in_place(|| server.start_again());
    heard(&mut listener).await;
    // The first may be lost: who rings finds out then that his connection is gone.
    let rung = async {
        loop {
            bell.ring(Topic::Configuration).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = heard(&mut listener) => {}
        () = rung => {}
    }
}

#[tokio::test]
async fn without_a_redis_nobody_hears() {
    let bell = Bell::open(None).await.unwrap();
    bell.ring(Topic::Configuration).await;
    assert!(timeout(Duration::ZERO, bell.listen(Topic::Configuration).heard()).await.is_err());
}
