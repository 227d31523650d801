//! Which requests are the same.

use std::sync::Arc;

use axum::body::Body;
use grok2api_proto::keys::Facts;
use rstest::rstest;

use super::*;
use crate::caller::ClientKey;

fn parts(path: &str) -> Parts {
    Request::post(path).body(Body::empty()).unwrap().into_parts().0
}

fn caller(key: &str) -> Caller {
    Caller::with(Arc::new(ClientKey::new(Facts { id: key.into(), ..Facts::default() })))
}

#[test]
fn a_key_is_its_callers_and_its_routes_own() {
    let usual = id(&caller("a"), &parts("/v1/chat/completions"), b"key");
    assert_eq!(usual, id(&caller("a"), &parts("/chat/completions?x=1"), b"key"));
    assert_eq!(usual, id(&caller("a"), &parts("/v1/v1/chat/completions"), b"key"));
    for other in [
        id(&caller("b"), &parts("/v1/chat/completions"), b"key"),
        id(&Caller::default(), &parts("/v1/chat/completions"), b"key"),
        id(&caller("a"), &parts("/v1/images/edits"), b"key"),
        id(&caller("a"), &parts("/v1/chat/completions"), b"yek"),
        id(&caller("a/chat"), &parts("/completions"), b"key"),
    ] {
        assert_ne!(usual, other);
    }
}

#[rstest]
#[case::json("application/json", "{}", "application/json", "{}", true)]
#[case::space("application/json", "{}", "application/json", "{ }", false)]
#[case::boundary(
    "multipart/form-data; boundary=one",
    "--one\r\na\r\n--one--",
    "multipart/form-data; boundary=\"second\"; x=y",
    "--second\r\na\r\n--second--",
    true
)]
#[case::field(
    "multipart/form-data; boundary=one",
    "--one\r\na\r\n--one--",
    "multipart/form-data; boundary=one",
    "--one\r\nb\r\n--one--",
    false
)]
fn forms_are_the_same_whatever_their_boundary(
    #[case] kind: &'static str,
    #[case] body: &str,
    #[case] other_kind: &'static str,
    #[case] other_body: &str,
    #[case] same: bool,
) {
    let print = |kind: &'static str, body: &str| {
        let headers =
            HeaderMap::from_iter([(axum::http::header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        fingerprint(&headers, body.as_bytes())
    };
    assert_eq!(print(kind, body) == print(other_kind, other_body), same);
}
