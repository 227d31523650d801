//! What a media cache must do, however it is reached.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what fails in a helper fails the test")]

mod assets;
mod fixture;
mod replicas;
mod videos;

use std::time::{Duration, SystemTime};

use futures_util::{TryStreamExt as _, future::join_all};
use grok2api_proto::{
    Kind as Failure,
    media::{ClearRequest, FetchRequest, Kind, ListRequest, ReadRequest, RemoveRequest, UsageRequest},
};
use rstest::rstest;

use assets::Answer;
use fixture::{Fixture, NOW, Place, TOKEN, Way, eventually, jpeg, mp4};

const IMAGE: &str = "users/u-1/generated/i-1/image.jpg";
const VIDEO: &str = "users/u-1/generated/v-1/generated_video.mp4";

#[rstest]
#[tokio::test]
async fn an_asset_is_fetched_with_its_owners_cookies_and_kept(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let item = fixture.image(IMAGE, 5000).await;
    assert_eq!((item.kind(), item.content_type.as_str(), item.size), (Kind::Image, "image/jpeg", 5000));
    assert_eq!(item.created_at, NOW);
    assert_eq!(item.owner, "key:of-the-test");
    assert!(item.name.ends_with(".jpg") && !item.name.contains("u-1"), "{}", item.name);
    assert!(item.etag.starts_with('"') && item.etag.len() == 66, "{}", item.etag);
    assert_eq!(fixture.assets.requests(), [(format!("/{IMAGE}"), format!("sso={TOKEN}; sso-rw={TOKEN}"))]);
    assert_eq!(fixture.stat(&item.name).await.unwrap(), item);
    assert_eq!(fixture.read(&item, 0, None).await.unwrap().concat(), jpeg(5000));
    assert_eq!(fixture.files("images"), [item.name]);
}

#[rstest]
#[tokio::test]
async fn many_callers_cause_one_request(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.assets.script(IMAGE, [Answer::Bytes(jpeg(200_000))]);
    let items = join_all((0..50).map(|_| fixture.fetch(Kind::Image, IMAGE))).await;
    assert!(items.iter().all(|item| item.as_ref().unwrap() == items[0].as_ref().unwrap()));
    fixture.fetch(Kind::Image, &format!("/{IMAGE}")).await.unwrap();
    assert_eq!(fixture.assets.requests().len(), 1);
}

#[rstest]
#[case::forbidden(403)]
#[case::missing(404)]
#[case::limited(429)]
#[case::broken(502)]
#[tokio::test]
async fn a_fresh_asset_may_be_refused_for_a_moment(
    #[case] status: u16,
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.assets.script(IMAGE, [Answer::Status(status), Answer::Bytes(jpeg(100))]);
    assert_eq!(fixture.fetch(Kind::Image, IMAGE).await.unwrap().size, 100);
    assert_eq!(fixture.assets.requests().len(), 2);
}

#[rstest]
#[case::forbidden(Answer::Status(403), "asset_forbidden", 4)]
#[case::missing(Answer::Status(404), "asset_missing", 4)]
#[case::broken(Answer::Status(500), "asset_fetch_failed", 4)]
#[case::unauthenticated(Answer::Status(401), "asset_forbidden", 1)]
#[case::gone(Answer::Status(410), "asset_missing", 1)]
#[case::page(Answer::Page, "asset_not_media", 1)]
#[case::other_kind(Answer::Bytes(mp4(100)), "asset_not_media", 1)]
#[case::empty(Answer::Bytes("".into()), "asset_not_media", 1)]
#[case::cut(Answer::Cut(jpeg(50_000), 100_000), "asset_fetch_failed", 4)]
#[case::huge(Answer::Cut(jpeg(50_000), (64 << 20) + 1), "asset_too_large", 1)]
#[tokio::test]
async fn a_failed_fetch_is_an_error_that_leaves_nothing_behind(
    #[case] answer: Answer,
    #[case] code: &str,
    #[case] requests: usize,
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.assets.script(IMAGE, [answer]);
    let error = fixture.fetch(Kind::Image, IMAGE).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Failure::Upstream, code));
    assert!(!error.message.contains("http") && !error.message.contains("u-1"), "{error}");
    assert_eq!(fixture.assets.requests().len(), requests);
    assert_eq!(fixture.images().await, (0, 0));
    assert!(fixture.files("images").is_empty());
    fixture.image(IMAGE, 100).await;
}

#[rstest]
#[case::foreign("https://evil.example/users/u/image.jpg", Kind::Image, "untrusted_asset")]
#[case::nothing("", Kind::Image, "invalid_value")]
#[case::no_kind(IMAGE, Kind::Unspecified, "invalid_value")]
#[tokio::test]
async fn what_cannot_be_fetched_is_refused_without_a_request(
    #[case] location: &str,
    #[case] kind: Kind,
    #[case] code: &str,
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    assert_eq!(fixture.fetch(kind, location).await.unwrap_err().code, code);
    assert!(fixture.assets.requests().is_empty());
}

#[rstest]
#[tokio::test]
async fn a_film_is_read_in_parts(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let film = mp4(700_001);
    fixture.assets.script(VIDEO, [Answer::Bytes(film.clone())]);
    let item = fixture.fetch(Kind::Video, VIDEO).await.unwrap();
    assert_eq!(item.content_type, "video/mp4");
    let chunks = fixture.read(&item, 0, None).await.unwrap();
    assert!(chunks.len() > 1 && chunks.iter().all(|chunk| chunk.len() <= 256 * 1024));
    assert_eq!(chunks.concat(), film);
    assert_eq!(fixture.read(&item, 100, Some(200_000)).await.unwrap().concat(), film[100..200_100]);
    assert_eq!(fixture.read(&item, 700_000, Some(50)).await.unwrap().concat(), film[700_000..]);
    assert!(fixture.read(&item, 5, Some(0)).await.unwrap().concat().is_empty());
    let error = fixture.read(&item, 700_001, None).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_ref()), (Failure::InvalidRequest, "range_not_satisfiable"));
}

#[rstest]
#[tokio::test]
async fn only_plain_names_of_held_items_are_served(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let mut item = fixture.image(IMAGE, 100).await;
    fixture.place.put("unknown.jpg", &jpeg(100));
    let above = format!("../images/{}", item.name);
    for name in
        ["", "unknown.jpg", "../grok2api.db", "..", ".hidden", "a/b", "a\\b", "%2e%2e", above.as_str()]
    {
        assert_eq!(fixture.stat(name).await.unwrap_err().code, "media_not_found", "{name}");
        item.name = name.to_owned();
        let error = fixture.read(&item, 0, None).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_ref()), (Failure::NotFound, "media_not_found"), "{name}");
    }
}

#[rstest]
#[tokio::test]
async fn the_least_recently_used_item_goes_first(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let mut items = Vec::new();
    for location in ["a", "b"] {
        items.push(fixture.image(location, 400 << 10).await);
        fixture.clock.advance(Duration::from_secs(1));
    }
    fixture.read(&items[0], 0, Some(1)).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let last = fixture.image("c", 400 << 10).await;
    assert_eq!(fixture.images().await, (2, 800 << 10));
    assert_eq!(fixture.stat(&items[1].name).await.unwrap_err().code, "media_not_found");
    let mut kept = [items[0].name.clone(), last.name];
    kept.sort_unstable();
    assert_eq!(fixture.files("images"), kept);
}

#[rstest]
#[tokio::test]
async fn an_item_over_the_limit_stays_until_the_next_one(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.image("small", 100).await;
    fixture.clock.advance(Duration::from_secs(1));
    let large = fixture.image("large", 2 << 20).await;
    assert_eq!(fixture.images().await, (1, 2 << 20));
    assert_eq!(fixture.read(&large, 0, None).await.unwrap().concat().len(), 2 << 20);
    fixture.clock.advance(Duration::from_secs(1));
    fixture.image("next", 100).await;
    assert_eq!(fixture.images().await, (1, 100));
}

#[rstest]
#[tokio::test]
async fn a_lowered_limit_acts_at_once(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.limit(2);
    eventually(async || {
        let kinds = fixture.cache.usage(UsageRequest {}).await.unwrap().kinds;
        kinds.iter().all(|usage| usage.limit_bytes == 2 << 20)
    })
    .await;
    for location in ["a", "b", "c"] {
        fixture.image(location, 600 << 10).await;
        fixture.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(fixture.images().await.0, 3);
    fixture.limit(1);
    eventually(async || fixture.images().await == (1, 600 << 10)).await;
}

#[rstest]
#[tokio::test]
async fn clearing_a_kind_leaves_the_other_one(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.image("a", 100).await;
    let image = fixture.image("b", 300_000).await;
    fixture.assets.script(VIDEO, [Answer::Bytes(mp4(100))]);
    fixture.fetch(Kind::Video, VIDEO).await.unwrap();
    let request = ReadRequest { kind: image.kind, name: image.name, ..Default::default() };
    let being_read = fixture.cache.read(request).await.unwrap();
    let cleared = fixture.cache.clear(ClearRequest { kind: Kind::Image.into() }).await.unwrap();
    assert_eq!((cleared.deleted, fixture.images().await), (2, (0, 0)));
    assert_eq!((fixture.files("images").len(), fixture.files("videos").len()), (0, 1));
    let chunks: Vec<_> = being_read.map_ok(|chunk| chunk.data).try_collect().await.unwrap();
    assert_eq!(chunks.concat(), jpeg(300_000));
}

#[rstest]
#[tokio::test]
async fn items_are_listed_from_the_newest_and_deleted_one_by_one(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        fixture.clock.advance(Duration::from_secs(1));
        made.push(fixture.image(name, 100).await);
    }
    let page = |cursor: &str, limit| {
        let (kind, cursor) = (Kind::Image.into(), cursor.to_owned());
        fixture.cache.list(ListRequest { kind, cursor, limit })
    };
    let first = page("", 2).await.unwrap();
    assert_eq!(first.items, [made[2].clone(), made[1].clone()]);
    let rest = page(&first.next_cursor, 2).await.unwrap();
    assert_eq!((rest.items, rest.next_cursor.as_str()), (vec![made[0].clone()], ""));
    assert_eq!(page("nonsense", 2).await.unwrap_err().code, "invalid_value");
    let remove = |name: &str| {
        let (kind, name) = (Kind::Image.into(), name.to_owned());
        fixture.cache.remove(RemoveRequest { kind, name })
    };
    assert!(remove(&made[1].name).await.unwrap().removed);
    assert!(!remove(&made[1].name).await.unwrap().removed);
    assert_eq!(remove("../master.key").await.unwrap_err().code, "media_not_found");
    assert_eq!((page("", 9).await.unwrap().items.len(), fixture.files("images").len()), (2, 2));
}

#[rstest]
#[tokio::test]
async fn bytes_that_were_taken_away_are_fetched_again(
    #[values(Way::Direct, Way::Wired, Way::Tcp, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let item = fixture.image(IMAGE, 100).await;
    fixture.place.delete(&item.name);
    assert_eq!(fixture.read(&item, 0, None).await.unwrap_err().code, "media_not_found");
    assert_eq!(fixture.fetch(Kind::Image, IMAGE).await.unwrap(), item);
    assert_eq!(fixture.read(&item, 0, None).await.unwrap().concat(), jpeg(100));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_ends_when_its_caller_leaves_and_leaves_nothing(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    fixture.assets.script(IMAGE, [Answer::Stall(jpeg(6 << 20))]);
    let request = FetchRequest { kind: Kind::Image.into(), location: IMAGE.into(), ..Default::default() };
    let fetching = fixture.cache.fetch(request);
    let begun = eventually(async || fixture.drafts() > 0);
    tokio::select! {
        _ = fetching => panic!("the asset never ends"),
        () = begun => {}
    }
    eventually(async || fixture.drafts() == 0 && fixture.files("images").is_empty()).await;
}

#[rstest]
#[tokio::test]
async fn a_large_film_that_breaks_off_leaves_nothing_and_a_whole_one_is_kept(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let fixture = Fixture::new(how).await;
    let film = mp4(12 << 20);
    fixture.assets.script(VIDEO, [Answer::Cut(film.slice(..7 << 20), 12 << 20), Answer::Bytes(film.clone())]);
    let item = fixture.fetch(Kind::Video, VIDEO).await.unwrap();
    assert_eq!((fixture.assets.requests().len(), item.size), (2, 12 << 20));
    assert_eq!((fixture.drafts(), fixture.files("videos").len()), (0, 1));
    assert_eq!(fixture.read(&item, 0, None).await.unwrap().concat(), film);
    let part = fixture.read(&item, (5 << 20) - 10, Some(20)).await.unwrap().concat();
    assert_eq!(part, film[(5 << 20) - 10..(5 << 20) + 10]);
}

#[rstest]
#[tokio::test]
async fn items_and_their_order_outlive_the_process(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let mut fixture = Fixture::new(how).await;
    let item = fixture.image(IMAGE, 5000).await;
    fixture.restart(|_| {}).await;
    assert_eq!(fixture.stat(&item.name).await.unwrap(), item);
    assert_eq!(fixture.fetch(Kind::Image, IMAGE).await.unwrap(), item);
    assert_eq!(fixture.assets.requests().len(), 1);
}

#[rstest]
#[tokio::test]
async fn the_start_brings_index_and_files_in_line(
    #[values(Way::Direct, Way::Bucket, Way::TcpMariaDb, Way::TcpRedis)] how: Way,
) {
    let mut fixture = Fixture::new(how).await;
    let gone = fixture.image("gone", 100).await;
    let short = fixture.image("short", 200).await;
    let kept = fixture.image("kept", 300).await;
    let seed = "users-u-1-generated-i-1-image.jpg";
    fixture
        .restart(|place| {
            place.delete(&gone.name);
            place.put(&short.name, b"<html>");
            place.put(seed, &jpeg(400));
            place.put("notes.txt", b"not ours");
        })
        .await;
    assert_eq!(fixture.images().await, (2, 700));
    assert_eq!(fixture.files("images"), sorted([kept.name.as_str(), "notes.txt", seed]));
    assert_eq!(fixture.stat(seed).await.unwrap().content_type, "image/jpeg");
    assert_eq!(fixture.stat("notes.txt").await.unwrap_err().code, "media_not_found");
}

#[tokio::test]
async fn drafts_go_at_the_start_when_they_are_abandoned() {
    let mut fixture = Fixture::new(Way::Direct).await;
    let draft = |place: &Place, name: &str, minutes: u64| {
        place.put(name, b"half");
        let Place::Directory(directory) = place else { unreachable!("a directory") };
        let file = std::fs::File::options().write(true).open(directory.join("images").join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(minutes * 60)).unwrap();
    };
    fixture
        .restart(|place| {
            draft(place, "a.jpg#1", 16);
            draft(place, "b.jpg#2", 5);
        })
        .await;
    assert_eq!(fixture.files("images"), ["b.jpg#2"], "another process may still be writing the younger one");
}

fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
    names.sort_unstable();
    names
}
