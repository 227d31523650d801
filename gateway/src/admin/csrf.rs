//! Requests that another site makes a browser send.

use axum::http::{HeaderMap, HeaderValue, header};

/// Sent by clients that are no browsers; a page of another site cannot send it without being allowed to.
const OWN: &str = "x-g2a-csrf";

/// Whether the console itself sends it: what browsers say is believed, the newer header first. `None` when nothing says
/// where it comes from.
pub(super) fn is_own(headers: &HeaderMap) -> Option<bool> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return Some(site == "same-origin");
    }
    if let Some(origin) = text(header::ORIGIN.as_str()) {
        let asked = origin.split_once("://").map(|(_, host)| host);
        let hosts = ["x-forwarded-host", header::HOST.as_str()].map(|name| headers.get(name).and_then(first));
        return Some(asked.is_some_and(|asked| hosts.contains(&Some(asked.to_ascii_lowercase()))));
    }
    headers.contains_key(OWN).then_some(true)
}

fn first(value: &HeaderValue) -> Option<String> {
    value.to_str().ok()?.split(',').next().map(|host| host.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::same_origin(&[("sec-fetch-site", "same-origin")], Some(true))]
    #[case::same_site(&[("sec-fetch-site", "same-site"), ("origin", "http://g.example")], Some(false))]
    #[case::cross_site(&[("sec-fetch-site", "cross-site"), ("x-g2a-csrf", "1")], Some(false))]
    #[case::address_bar(&[("sec-fetch-site", "none")], Some(false))]
    #[case::origin(&[("origin", "http://G.example:8000"), ("host", "g.example:8000")], Some(true))]
    #[case::proxied(&[("origin", "https://g.example"), ("host", "10.0.0.2"), ("x-forwarded-host", "g.example")], Some(true))]
    #[case::other_port(&[("origin", "http://g.example:1"), ("host", "g.example:8000")], Some(false))]
    #[case::other_origin(&[("origin", "http://evil.example"), ("host", "g.example"), ("x-g2a-csrf", "1")], Some(false))]
    #[case::hidden_origin(&[("origin", "null"), ("host", "g.example")], Some(false))]
    #[case::header(&[("x-g2a-csrf", "1")], Some(true))]
    #[case::silent(&[("host", "g.example")], None)]
    fn only_the_console_itself_is_believed(
        #[case] headers: &[(&'static str, &'static str)],
        #[case] own: Option<bool>,
    ) {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(is_own(&headers), own);
    }
}
