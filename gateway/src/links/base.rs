//! Where clients reach us, for media links.

use axum::http::{HeaderMap, Uri, header};
use grok2api_proto::config::RuntimeConfig;

/// `scheme://host` without a slash at the end: the runtime parameter `base_url`, else what the request says of
/// itself, and a trusted proxy of it; empty when nobody says anything, which makes links relative.
pub(super) fn of(config: &RuntimeConfig, uri: &Uri, headers: &HeaderMap, proxied: bool) -> String {
    if !config.base_url.is_empty() {
        return config.base_url.trim_end_matches('/').to_owned();
    }
    let authority = || uri.authority().map(axum::http::uri::Authority::as_str);
    let named = |name: &str| first(headers, name).filter(|host| is_host(host));
    let forwarded = |name: &str| first(headers, name).filter(|_| proxied);
    let host = forwarded("x-forwarded-host").filter(|host| is_host(host));
    let host = host.or_else(|| named(header::HOST.as_str())).or_else(authority);
    let https = forwarded("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    host.map_or_else(String::new, |host| format!("{}://{host}", if https { "https" } else { "http" }))
}

/// The first entry of a list that proxies append to: the one nearest to the client.
fn first<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim)
}

/// A name or address with an optional port; nothing that could leave a link.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::configured("https://g.example/", &[("host", "a")], "https://g.example")]
    #[case::configured_above_all("https://g.example", &[("x-forwarded-host", "b")], "https://g.example")]
    #[case::host("", &[("host", "127.0.0.1:8000")], "http://127.0.0.1:8000")]
    #[case::proxy("", &[("host", "a"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "g.example")], "https://g.example")]
    #[case::chain("", &[("host", "a"), ("x-forwarded-proto", "https, http")], "https://a")]
    #[case::odd_scheme("", &[("host", "a"), ("x-forwarded-proto", "javascript")], "http://a")]
    #[case::odd_host("", &[("host", "a"), ("x-forwarded-host", "b\"><script>")], "http://a")]
    #[case::ipv6("", &[("host", "[::1]:8000")], "http://[::1]:8000")]
    #[case::nothing("", &[], "")]
    fn links_lead_back_to_where_the_client_came_from(
        #[case] base_url: &str,
        #[case] headers: &[(&'static str, &'static str)],
        #[case] expected: &str,
    ) {
        let config = RuntimeConfig { base_url: base_url.into(), ..Default::default() };
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(of(&config, &Uri::from_static("/v1/chat/completions"), &headers, true), expected);
    }

    #[test]
    fn what_nobody_trusted_forwards_is_not_believed() {
        let pairs = [("host", "a"), ("x-forwarded-host", "g.example"), ("x-forwarded-proto", "https")];
        let headers = pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = headers.into_iter().collect();
        let uri = Uri::from_static("/v1/chat/completions");
        assert_eq!(of(&RuntimeConfig::default(), &uri, &headers, false), "http://a");
    }
}
