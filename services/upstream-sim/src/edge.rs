//! The headers that the network in front of the upstream puts on every answer, and a few that it might. None of them may
//! reach a client of the product.

use axum::{
    http::{HeaderName, HeaderValue},
    response::Response,
};

const HEADERS: [(&str, &str); 22] = [
    ("server", "cloudflare"),
    ("cf-ray", "8f0a1b2c3d4e5f60-FRA"),
    ("cf-cache-status", "DYNAMIC"),
    ("set-cookie", "__cf_bm=secret-of-the-account; path=/; HttpOnly; Secure"),
    ("alt-svc", "h3=\":443\"; ma=86400"),
    ("nel", "{\"report_to\":\"cf-nel\"}"),
    ("report-to", "{\"group\":\"cf-nel\"}"),
    ("strict-transport-security", "max-age=31536000"),
    ("content-security-policy", "default-src 'self'"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-powered-by", "upstream"),
    ("x-request-id", "upstream-request"),
    ("x-xai-request-id", "upstream-request"),
    ("traceparent", "00-11111111111111111111111111111111-2222222222222222-01"),
    ("x-ratelimit-limit-requests", "1"),
    ("x-ratelimit-remaining-requests", "0"),
    ("x-should-retry", "true"),
    ("access-control-allow-origin", "https://grok.com"),
    ("via", "1.1 upstream"),
    ("keep-alive", "timeout=5"),
    ("proxy-authenticate", "Basic"),
    ("warning", "199 upstream"),
];

/// Puts them on an answer that does not have them.
pub(crate) async fn mark(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        let entry = response.headers_mut().entry(HeaderName::from_static(name));
        entry.or_insert(HeaderValue::from_static(value));
    }
    response
}
