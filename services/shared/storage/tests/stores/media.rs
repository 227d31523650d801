//! What every media index must do. Each function wants an empty index.

use grok2api_kit::settings::Mode;
use grok2api_storage::media::{Item, Kind, MediaIndex, Usage, Use};

use crate::support::Stand;

const NOW: i64 = 1_760_000_000_000;

fn item(kind: Kind, name: &str, size: u64, last_used_at: i64) -> Item {
    Item {
        kind,
        name: name.into(),
        source: format!("source-of-{name}"),
        content_type: "image/jpeg".into(),
        size,
        etag: format!("\"{name}\""),
        created_at: NOW,
        last_used_at,
        owner: format!("key:of-{name}"),
    }
}

fn names(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.name.as_str()).collect()
}

fn used(kind: Kind, name: &str, at: i64) -> Use {
    Use { kind, name: name.into(), at }
}

#[rstest::rstest]
#[tokio::test]
async fn every_store_keeps_the_contract(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    items_come_back_as_they_were_given(&*stand.fresh().await.media()).await;
    kinds_are_apart(&*stand.fresh().await.media()).await;
    a_name_or_a_source_names_one_item(&*stand.fresh().await.media()).await;
    the_least_recently_used_comes_first(&*stand.fresh().await.media()).await;
    pages_follow_each_other(&*stand.fresh().await.media()).await;
    the_newest_comes_first(&*stand.fresh().await.media()).await;
    writers_side_by_side_agree(&*stand.fresh().await.media()).await;
    what_is_removed_is_gone(&*stand.fresh().await.media()).await;
}

async fn items_come_back_as_they_were_given(index: &dyn MediaIndex) {
    let large = Item { size: 1 << 40, ..item(Kind::Video, "film.mp4", 0, NOW) };
    index.put(&large).await.unwrap();
    assert_eq!(index.get(Kind::Video, "film.mp4").await.unwrap(), Some(large.clone()));
    assert_eq!(index.find(Kind::Video, "source-of-film.mp4").await.unwrap(), Some(large));
    assert_eq!(index.get(Kind::Video, "FILM.mp4").await.unwrap(), None);
    assert_eq!(index.find(Kind::Video, "film.mp4").await.unwrap(), None);
}

async fn kinds_are_apart(index: &dyn MediaIndex) {
    index.put(&item(Kind::Image, "same", 1, NOW)).await.unwrap();
    index.put(&item(Kind::Video, "same", 2, NOW)).await.unwrap();
    assert_eq!(index.usage(Kind::Image).await.unwrap(), Usage { items: 1, bytes: 1 });
    assert_eq!(index.clear(Kind::Image).await.unwrap(), 1);
    assert_eq!(index.usage(Kind::Image).await.unwrap(), Usage::default());
    assert_eq!(index.usage(Kind::Video).await.unwrap(), Usage { items: 1, bytes: 2 });
}

async fn a_name_or_a_source_names_one_item(index: &dyn MediaIndex) {
    index.put(&item(Kind::Image, "a.jpg", 1, NOW)).await.unwrap();
    index.put(&item(Kind::Image, "a.jpg", 5, NOW + 1)).await.unwrap();
    assert_eq!(index.usage(Kind::Image).await.unwrap(), Usage { items: 1, bytes: 5 });
    let renamed = Item { source: "source-of-a.jpg".into(), ..item(Kind::Image, "a.png", 7, NOW) };
    index.put(&renamed).await.unwrap();
    assert_eq!(index.get(Kind::Image, "a.jpg").await.unwrap(), None);
    assert_eq!(index.usage(Kind::Image).await.unwrap(), Usage { items: 1, bytes: 7 });
}

async fn the_least_recently_used_comes_first(index: &dyn MediaIndex) {
    for (name, at) in [("b", 20), ("a", 10), ("c", 30), ("d", 30)] {
        index.put(&item(Kind::Image, name, 1, at)).await.unwrap();
    }
    assert_eq!(names(&index.least_recently_used(Kind::Image, 10).await.unwrap()), ["a", "b", "c", "d"]);
    let uses = [used(Kind::Image, "a", 40), used(Kind::Image, "c", 5), used(Kind::Image, "unknown", 50)];
    index.touch(&uses).await.unwrap();
    index.touch(&[]).await.unwrap();
    assert_eq!(names(&index.least_recently_used(Kind::Image, 3).await.unwrap()), ["b", "c", "d"]);
    assert_eq!(index.get(Kind::Image, "a").await.unwrap().unwrap().last_used_at, 40);
    assert_eq!(index.usage(Kind::Image).await.unwrap().items, 4);
}

async fn pages_follow_each_other(index: &dyn MediaIndex) {
    for name in ["c", "a", "b"] {
        index.put(&item(Kind::Image, name, 1, NOW)).await.unwrap();
    }
    assert_eq!(names(&index.page(Kind::Image, "", 2).await.unwrap()), ["a", "b"]);
    assert_eq!(names(&index.page(Kind::Image, "b", 2).await.unwrap()), ["c"]);
    assert!(index.page(Kind::Video, "", 2).await.unwrap().is_empty());
}

async fn what_is_removed_is_gone(index: &dyn MediaIndex) {
    index.put(&item(Kind::Image, "a", 1, NOW)).await.unwrap();
    assert!(!index.remove(Kind::Video, "a").await.unwrap());
    assert!(index.remove(Kind::Image, "a").await.unwrap());
    assert!(!index.remove(Kind::Image, "a").await.unwrap());
    assert_eq!(index.find(Kind::Image, "source-of-a").await.unwrap(), None);
    assert_eq!(index.clear(Kind::Image).await.unwrap(), 0);
}

async fn writers_side_by_side_agree(index: &dyn MediaIndex) {
    let write = async |from: u64| {
        for number in from..from + 40 {
            index.put(&item(Kind::Image, &format!("{}.jpg", number % 30), 1, NOW)).await.unwrap();
            index.touch(&[used(Kind::Image, "7.jpg", NOW + 1)]).await.unwrap();
        }
    };
    tokio::join!(write(0), write(20), write(40));
    assert_eq!(index.usage(Kind::Image).await.unwrap(), Usage { items: 30, bytes: 30 });
    assert_eq!(index.page(Kind::Image, "", 100).await.unwrap().len(), 30);
    assert_eq!(index.clear(Kind::Image).await.unwrap(), 30);
}

async fn the_newest_comes_first(index: &dyn MediaIndex) {
    let made = |name: &str, at: i64| Item { created_at: at, ..item(Kind::Image, name, 1, NOW) };
    for item in [made("b", 1), made("a", 2), made("d", 2), made("c", 2), made("e", 3)] {
        index.put(&item).await.unwrap();
    }
    index.put(&item(Kind::Video, "film", 1, NOW)).await.unwrap();
    let mut all = Vec::new();
    let mut before: Option<(i64, String)> = None;
    loop {
        let from = before.as_ref().map(|(at, name)| (*at, name.as_str()));
        let page = index.newest(Kind::Image, from, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.created_at, last.name.clone()));
        all.extend(page);
    }
    assert_eq!(names(&all), ["e", "d", "c", "a", "b"]);
    index.remove(Kind::Image, "d").await.unwrap();
    let rest = index.newest(Kind::Image, Some((2, "d")), 9).await.unwrap();
    assert_eq!(names(&rest), ["c", "a", "b"], "a page goes on behind an item that is gone");
    assert!(index.newest(Kind::Image, None, 0).await.unwrap().is_empty());
    index.clear(Kind::Image).await.unwrap();
    assert!(index.newest(Kind::Image, None, 9).await.unwrap().is_empty());
}
