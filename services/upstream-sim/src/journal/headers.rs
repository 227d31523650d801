//! What a record keeps of a request's headers.

use axum::http::{HeaderMap, header};

/// The headers the protocol reference cares about (1.2).
const KEPT: &[&str] = &[
    "user-agent",
    "x-statsig-id",
    "x-xai-request-id",
    "origin",
    "referer",
    "content-type",
    "accept",
    "accept-language",
    "accept-encoding",
    "range",
    "if-none-match",
    "sec-fetch-site",
    "authorization",
    // What a client of the product sends and the upstream must never see.
    "x-api-key",
    "x-request-id",
    "x-forwarded-for",
    "traceparent",
    "idempotency-key",
];

/// The headers worth keeping, tokens masked.
pub(crate) fn selected(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let text =
        |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let kept = KEPT.iter().filter_map(|name| text(name).map(|value| (*name, value)));
    let mut kept: Vec<_> = kept.collect();
    if let Some(cookie) = text("cookie") {
        kept.push(("cookie", masked_cookie(&cookie)));
    }
    kept
}

/// The value of one cookie; order and spacing do not matter.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The SSO token, from the `sso` cookie.
pub(crate) fn sso_token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, "sso").filter(|token| !token.is_empty())
}

fn masked_cookie(cookie: &str) -> String {
    let mask_pair = |pair: &str| match pair.split_once('=') {
        Some((key, value)) if matches!(key.trim(), "sso" | "sso-rw") => format!("{key}={}", mask(value)),
        _ => pair.to_owned(),
    };
    cookie.split(';').map(mask_pair).collect::<Vec<_>>().join(";")
}

/// `abcd…wxyz`; a short token is all dots.
fn mask(token: &str) -> String {
    let count = token.chars().count();
    if count <= 8 {
        return "…".to_owned();
    }
    let head: String = token.chars().take(4).collect();
    let tail: String = token.chars().skip(count - 4).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("sso-rw=t;sso=t")]
    #[case("sso=t; sso-rw=t; cf_clearance=c")]
    #[case("  cf_clearance=c ;  sso = t ")]
    fn the_sso_cookie_is_found_in_any_order(#[case] line: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, line.parse().unwrap());
        assert_eq!(sso_token(&headers), Some("t"));
    }

    #[test]
    fn tokens_are_masked_and_the_rest_is_kept() {
        assert_eq!(
            masked_cookie("sso-rw=sim-basic-one;sso=short;cf_clearance=keep-me"),
            "sso-rw=sim-…-one;sso=…;cf_clearance=keep-me"
        );
    }
}
