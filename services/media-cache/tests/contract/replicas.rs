//! Several services on one index and one store, and a store that is away.

use std::{sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use grok2api_proto::{
    Kind as Failure,
    media::{FetchRequest, Kind, MediaCache, StatRequest, UsageRequest},
};
use rstest::rstest;

use crate::{
    IMAGE,
    assets::Answer,
    fixture::{Fixture, Place, Way, eventually, jpeg},
};

/// Waits until the service has taken the limit over.
async fn limited(cache: &Arc<dyn MediaCache>, megabytes: u64) {
    eventually(async || {
        let kinds = cache.usage(UsageRequest {}).await.unwrap().kinds;
        kinds.iter().all(|usage| usage.limit_bytes == megabytes << 20)
    })
    .await;
}

#[rstest]
#[tokio::test]
async fn two_replicas_serve_one_cache(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let mut fixture = Fixture::new(how).await;
    let item = fixture.image(IMAGE, 5000).await;
    let other = fixture.replica().await.unwrap();
    let stat = StatRequest { kind: Kind::Image.into(), name: item.name.clone() };
    assert_eq!(other.stat(stat).await.unwrap(), item);
    let request = FetchRequest { kind: Kind::Image.into(), location: IMAGE.into(), ..Default::default() };
    assert_eq!(other.fetch(request).await.unwrap(), item);
    assert_eq!(fixture.assets.requests().len(), 1, "it is fetched once for both");
    fixture.cache = other;
    assert_eq!(fixture.read(&item, 0, None).await.unwrap().concat(), jpeg(5000));
}

#[rstest]
#[tokio::test]
async fn two_replicas_that_fetch_one_asset_at_once_keep_one_item(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.assets.script(IMAGE, [Answer::Bytes(jpeg(200_000))]);
    let other = fixture.replica().await.unwrap();
    let request = FetchRequest { kind: Kind::Image.into(), location: IMAGE.into(), ..Default::default() };
    let (first, second) = join(fixture.cache.fetch(request.clone()), other.fetch(request)).await;
    assert_eq!(first.unwrap().name, second.as_ref().unwrap().name);
    assert_eq!(fixture.images().await, (1, 200_000));
    assert_eq!(fixture.read(&second.unwrap(), 0, None).await.unwrap().concat(), jpeg(200_000));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_evict_at_once_evict_just_enough(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.limit(2);
    let other = fixture.replica().await.unwrap();
    limited(&fixture.cache, 2).await;
    let mut items = Vec::new();
    for number in 0..20 {
        items.push(fixture.image(&format!("i-{number}"), 100 << 10).await);
        fixture.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(fixture.images().await.0, 20);
    fixture.limit(1);
    limited(&fixture.cache, 1).await;
    limited(&other, 1).await;
    eventually(async || fixture.images().await.0 <= 10).await;
    // Whatever either of them still has to do, it does before it answers this.
    fixture.image("last", 100).await;
    assert_eq!(fixture.images().await, (11, (1000 << 10) + 100));
    for item in &items[10..] {
        assert_eq!(fixture.read(item, 0, None).await.unwrap().concat().len(), 100 << 10);
    }
    eventually(async || fixture.files("images").len() == 11).await;
}

#[rstest]
#[tokio::test]
async fn a_replica_that_starts_harms_nothing_that_is_fetched_meanwhile(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let locations: Vec<String> = (0..15).map(|number| format!("i-{number}")).collect();
    for location in &locations {
        fixture.assets.script(location, [Answer::Bytes(jpeg(1000))]);
    }
    let fetching = join_all(locations.iter().map(|location| fixture.fetch(Kind::Image, location)));
    let starting = join_all((0..3).map(|_| fixture.replica()));
    let (items, replicas) = join(fetching, starting).await;
    let refused: Vec<_> = replicas.iter().filter_map(|replica| replica.as_ref().err()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    for item in items {
        assert_eq!(fixture.read(&item.unwrap(), 0, None).await.unwrap().concat(), jpeg(1000));
    }
    assert_eq!(fixture.images().await, (15, 15_000));
}

#[tokio::test]
async fn a_bucket_that_goes_away_fails_requests_and_serves_again_when_it_is_back() {
    let mut fixture = Fixture::new(Way::Bucket).await;
    let item = fixture.image(IMAGE, 100).await;
    let Place::Bucket(server) = &mut fixture.place else { unreachable!("a bucket") };
    server.kill();
    let error = fixture.read(&item, 0, None).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Failure::Unavailable, "media_store_failed"));
    assert!(!error.message.contains("127.0.0.1"), "{error}");
    let error = fixture.replica().await.err().unwrap();
    assert!(error.message.starts_with("s3://media/some/where at http://127.0.0.1:"), "{error}");
    assert!(!error.message.contains('\n') && !error.message.contains("secret"), "{error}");
    let Place::Bucket(server) = &mut fixture.place else { unreachable!("a bucket") };
    server.start_again();
    assert_eq!(fixture.fetch(Kind::Image, IMAGE).await.unwrap(), item);
    assert_eq!(fixture.read(&item, 0, None).await.unwrap().concat(), jpeg(100));
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_at_the_start() {
    let fixture = Fixture::new(Way::Bucket).await;
    let Place::Bucket(server) = &fixture.place else { unreachable!("a bucket") };
    for key in server.keys("") {
        server.delete(&key);
    }
    server.remove_bucket();
    let error = fixture.replica().await.err().unwrap();
    assert!(error.message.contains("there is no such bucket"), "{error}");
}
