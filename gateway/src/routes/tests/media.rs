//! Images and videos.

use grok2api_proto::media::Kind;
use rstest::rstest;

use super::*;

const TAG: &str = "\"10-a.jpg\"";

async fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let gateway = Gateway::new();
    gateway.media.put(Kind::Image, "a.jpg", "image/jpeg", "0123456789");
    gateway.media.put(Kind::Image, "page.html", "text/html", "<script>");
    gateway.media.put(Kind::Image, "empty.png", "image/png", "");
    gateway.media.put(Kind::Video, "v.mp4", "video/mp4", "film");
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    gateway.ask(request.body(Body::empty()).unwrap()).await
}

#[rstest]
#[case("/images/a.jpg", "image/jpeg", "0123456789")]
#[case("/videos/v.mp4", "video/mp4", "film")]
#[case::as_the_seed_linked_it("/images/v.mp4", "video/mp4", "film")]
#[case::nothing_that_runs("/images/page.html", "application/octet-stream", "<script>")]
#[case("/images/empty.png", "image/png", "")]
#[tokio::test]
async fn an_item_comes_whole(#[case] path: &str, #[case] content_type: &str, #[case] bytes: &str) {
    for method in ["GET", "HEAD"] {
        let answer = ask(method, path, &[]).await;
        assert_eq!(answer.status, 200);
        let length = bytes.len().to_string();
        for (name, value) in [
            ("content-type", content_type),
            ("content-length", length.as_str()),
            ("accept-ranges", "bytes"),
            ("cache-control", "public, max-age=86400"),
            ("access-control-allow-origin", "*"),
            ("x-content-type-options", "nosniff"),
            ("content-disposition", "inline"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{method} {name}");
        }
        assert!(answer.header("etag").is_some());
        assert_eq!(answer.text(), if method == "GET" { bytes } else { "" });
    }
}

#[rstest]
#[case::part("bytes=2-4", 206, Some("bytes 2-4/10"), "234")]
#[case::suffix("bytes=-3", 206, Some("bytes 7-9/10"), "789")]
#[case::open("bytes=8-", 206, Some("bytes 8-9/10"), "89")]
#[case::several("bytes=0-1,3-4", 200, None, "0123456789")]
#[case::nonsense("pages=1", 200, None, "0123456789")]
#[tokio::test]
async fn a_part_is_served(
    #[case] range: &str,
    #[case] status: u16,
    #[case] content_range: Option<&str>,
    #[case] bytes: &str,
) {
    let answer = ask("GET", "/images/a.jpg", &[("range", range)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-range")), (status, content_range));
    assert_eq!(
        (answer.text(), answer.header("content-length")),
        (bytes, Some(bytes.len().to_string().as_str()))
    );
}

#[tokio::test]
async fn a_part_behind_the_end_does_not_exist() {
    let answer = ask("GET", "/images/a.jpg", &[("range", "bytes=10-")]).await;
    answer.is_error(416, "invalid_request_error", "range_not_satisfiable");
    assert_eq!(answer.header("content-range"), Some("bytes */10"));
}

#[rstest]
#[case::same(TAG, 206)]
#[case::other("\"other\"", 200)]
#[case::a_date("Wed, 21 Oct 2015 07:28:00 GMT", 200)]
#[tokio::test]
async fn a_part_of_something_else_is_not_mixed_in(#[case] if_range: &str, #[case] status: u16) {
    let answer = ask("GET", "/images/a.jpg", &[("range", "bytes=0-1"), ("if-range", if_range)]).await;
    assert_eq!(answer.status, status);
}

/// A validator that matches wins over the range.
#[rstest]
#[case::strong(TAG, 304)]
#[case::weak("W/\"10-a.jpg\"", 304)]
#[case::one_of_many("\"x\", \"10-a.jpg\"", 304)]
#[case::any("*", 304)]
#[case::other("\"x\"", 206)]
#[tokio::test]
async fn what_the_client_has_is_not_sent_again(#[case] tags: &str, #[case] status: u16) {
    let answer = ask("GET", "/images/a.jpg", &[("if-none-match", tags), ("range", "bytes=0-1")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (status, Some(TAG)));
    assert_eq!(answer.text().is_empty(), status == 304);
}

#[rstest]
#[tokio::test]
async fn a_name_that_is_no_name_is_not_there(
    #[values("..%2fa.jpg", "%2e%2e", ".hidden", "a%00.jpg", "a%5cb", "%ff", "nope.jpg", "a.jpg%2f")]
    name: &str,
) {
    let answer = ask("GET", &format!("/images/{name}"), &[]).await;
    answer.is_error(404, "invalid_request_error", "media_not_found");
}
