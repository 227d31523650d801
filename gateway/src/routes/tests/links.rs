//! Links that are signed: whoever writes one signs it, and whoever serves media asks for it.

use grok2api_proto::{
    chat::{End, Media, chat_event},
    media::Kind,
};
use grok2api_testkit::Step;
use rstest::rstest;

use super::*;
use crate::{Links, links::Signer};

const SECRET: &str = "a secret of sixteen";

fn signing(secret: &str) -> impl FnOnce(&mut RuntimeConfig) {
    let secret = secret.to_owned();
    move |config| config.link_secret = secret
}

/// A gateway that draws `a.jpg` and films `v.mp4`.
fn gateway(secret: &str) -> Gateway {
    let media = |name: &str, kind: &str| Media { name: name.into(), content_type: kind.into(), size: 10 };
    let turn = Turn::of([Step::Batch(vec![
        chat_event::Kind::Image(media("a.jpg", "image/jpeg")),
        chat_event::Kind::Video(media("v.mp4", "video/mp4")),
        chat_event::Kind::End(End::default()),
    ])]);
    let gateway = Gateway::configured([turn], signing(secret));
    gateway.media.put(Kind::Image, "a.jpg", "image/jpeg", "0123456789");
    gateway.media.put(Kind::Image, "b.jpg", "image/jpeg", "other");
    gateway.media.put(Kind::Video, "v.mp4", "video/mp4", "film");
    gateway
}

/// Links of an answer, without what they begin with.
fn links(text: &str) -> Vec<String> {
    let ends = |c: char| matches!(c, ')' | '"' | '\\');
    let rest = text.split("http://g.example").skip(1);
    rest.map(|rest| rest.split(ends).next().unwrap_or_default().to_owned()).collect()
}

fn to(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).header("host", "g.example").body(body.to_string().into()).unwrap()
}

fn signed(secret: &str, kind: Kind, name: &str) -> String {
    let mut config = runtime_config();
    config.link_secret = secret.into();
    Links::within(&config).link(kind, name)
}

#[rstest]
#[case::whole("/v1/chat/completions", hello(), 2)]
#[case::streamed("/v1/chat/completions", streamed(), 2)]
#[case::images("/v1/images/generations", json!({"prompt": "a moon"}), 1)]
#[case::messages("/v1/messages", hello(), 2)]
#[case::messages_streamed("/v1/messages", streamed(), 2)]
#[tokio::test]
async fn every_link_we_write_opens_what_it_leads_to(
    #[case] path: &str,
    #[case] body: Value,
    #[case] count: usize,
) {
    let gateway = gateway(SECRET);
    let links = links(gateway.ask(to(path, &body)).await.text());
    assert_eq!(links.len(), count);
    for link in links {
        assert!(link.contains("?signature="), "{link}");
        let answer = gateway.get(&link).await;
        assert_eq!(answer.status, 200, "{link}: {}", answer.text());
        let kept = answer.header("cache-control").unwrap();
        let seconds: i64 = kept.strip_prefix("private, max-age=").unwrap().parse().unwrap();
        assert!((86_000..=86_400).contains(&seconds), "{kept}");
        let bare = link.split('?').next().unwrap();
        gateway.get(bare).await.is_error(403, "permission_error", "link_not_signed");
    }
}

#[rstest]
#[case::none("/images/a.jpg".into(), "link_not_signed")]
#[case::forged(format!("{}x", signed(SECRET, Kind::Image, "a.jpg")), "link_not_signed")]
#[case::with_another_secret(signed("another secret of ours", Kind::Image, "a.jpg"), "link_not_signed")]
#[case::of_another(signed(SECRET, Kind::Image, "b.jpg").replace("b.jpg", "a.jpg"), "link_not_signed")]
#[case::of_another_kind(signed(SECRET, Kind::Image, "v.mp4").replace("/images", "/videos"), "link_not_signed")]
#[case::as_the_seed_linked_it("/images/v.mp4".into(), "link_not_signed")]
#[case::of_nothing("/images/nothing.jpg".into(), "link_not_signed")]
#[tokio::test]
async fn what_is_not_signed_for_that_is_refused(#[case] link: String, #[case] code: &str) {
    let gateway = gateway(SECRET);
    gateway.get(&link).await.is_error(403, "permission_error", code);
    let head = Request::head(&link).body(Body::empty()).unwrap();
    assert_eq!(gateway.ask(head).await.status, 403);
}

#[tokio::test]
async fn a_link_ends_in_its_second() {
    let mut config = runtime_config();
    config.link_secret = SECRET.into();
    let now = grok2api_kit::clock::Clock::system().now_ms() / 1000;
    let signature = Signer::of(&config).unwrap().sign(Kind::Image, "a.jpg", now - 1);
    let link = format!("/images/a.jpg?signature={signature}");
    gateway(SECRET).get(&link).await.is_error(403, "permission_error", "link_expired");
}

#[tokio::test]
async fn a_signed_link_is_served_in_parts_and_by_its_head() {
    let gateway = gateway(SECRET);
    let link = signed(SECRET, Kind::Image, "a.jpg");
    let part = Request::get(&link).header("range", "bytes=2-4").body(Body::empty()).unwrap();
    let part = gateway.ask(part).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "234"));
    let head = gateway.ask(Request::head(&link).body(Body::empty()).unwrap()).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, Some("10")));
    let tag = part.header("etag").unwrap();
    let known = Request::get(&link).header("if-none-match", tag).body(Body::empty()).unwrap();
    let known = gateway.ask(known).await;
    assert!(known.status == 304 && known.header("cache-control").unwrap().starts_with("private, "));
    // What the seed linked below `/images` is a video all the same.
    let film = signed(SECRET, Kind::Video, "v.mp4");
    assert_eq!(gateway.get(&film.replace("/videos/", "/images/")).await.text(), "film");
}

#[tokio::test]
async fn a_signature_does_no_harm_where_none_is_needed() {
    let answer = gateway("").get(&signed(SECRET, Kind::Image, "a.jpg")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("cache-control")),
        (200, Some("public, max-age=86400"))
    );
}
