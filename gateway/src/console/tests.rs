use axum::http::HeaderName;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use rstest::rstest;
use sha2::{Digest as _, Sha256};

use super::*;

const SCRIPT: File =
    File { name: "assets/a-1.js", tag: "\"1\"", plain: b"plain", br: Some(b"br"), gzip: Some(b"gzip") };
const FONT: File = File { name: "assets/b-2.woff2", tag: "\"2\"", plain: b"font", br: None, gzip: None };
const PAGE: File = File { name: INDEX, tag: "\"3\"", plain: b"page", br: None, gzip: None };

fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

#[rstest]
#[case("", "plain", None)]
#[case("gzip, deflate, br, zstd", "br", Some("br"))]
#[case("gzip", "gzip", Some("gzip"))]
#[case("br;q=0, gzip;q=0.5", "gzip", Some("gzip"))]
#[case("identity, brotli", "plain", None)]
#[tokio::test]
async fn text_is_sent_as_small_as_the_client_takes_it(
    #[case] accepts: &'static str,
    #[case] body: &str,
    #[case] encoding: Option<&str>,
) {
    let response = answer(&SCRIPT, &headers(&[(header::ACCEPT_ENCODING, accepts)]));
    let told = response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
    assert_eq!(told, encoding);
    assert_eq!(response.headers()[header::VARY], "accept-encoding");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
}

#[test]
fn files_with_a_fingerprint_are_kept_and_the_page_is_asked_for_anew() {
    let kept = answer(&FONT, &HeaderMap::new());
    assert_eq!(kept.headers()[header::CACHE_CONTROL], FOR_GOOD);
    assert_eq!(kept.headers()[header::CONTENT_TYPE], "font/woff2");
    let page = answer(&PAGE, &HeaderMap::new());
    assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
    assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let again = answer(&PAGE, &headers(&[(header::IF_NONE_MATCH, "\"3\"")]));
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
}

#[test]
fn files_are_found_by_name() {
    let files = [SCRIPT, FONT, PAGE];
    assert_eq!(find(&files, "assets/b-2.woff2").map(|file| file.tag), Some("\"2\""));
    assert!(find(&files, "assets/").is_none() && find(&files, "../Cargo.toml").is_none());
    assert!(FILES.is_sorted_by_key(|file| file.name));
}

#[test]
fn the_built_page_keeps_the_policy() {
    let Some(file) = find(FILES, INDEX) else { return };
    let page = std::str::from_utf8(file.plain).unwrap();
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("://"), "{page}");
    for script in page.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').unwrap();
        assert!(tag.contains("src=\"/manage/") && rest.starts_with("</script>"), "{script}");
    }
}

#[test]
fn the_policy_of_the_missing_console_admits_its_own_style_and_nothing_else() {
    let (_, rest) = MISSING.split_once("<style>").unwrap();
    let (style, rest) = rest.split_once("</style>").unwrap();
    assert!(!rest.contains("<style") && !MISSING.contains("<script") && !MISSING.contains("style="));
    let hash = STANDARD.encode(Sha256::digest(style));
    assert!(MISSING_POLICY.contains(&format!("'sha256-{hash}'")), "the style's hash is {hash}");
}
