//! Where a request comes from, behind the operator's own proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use grok2api_kit::settings::Networks;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The nearest address that is not a trusted proxy's: each proxy appends whom it heard, so the list is believed from its
/// end on as long as the one who says so is trusted.
pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> IpAddr {
    let mut address = peer.to_canonical();
    let values = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let heard: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    for text in heard.into_iter().rev() {
        if !trusted.contain(address) {
            break;
        }
        match read(text) {
            Some(before) => address = before.to_canonical(),
            // What comes before cannot be believed either.
            None => break,
        }
    }
    address
}

/// Some proxies write the port as well.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::direct("192.0.2.1", &[], "192.0.2.1")]
    #[case::mapped("::ffff:192.0.2.1", &[], "192.0.2.1")]
    #[case::claimed("192.0.2.1", &["198.51.100.7"], "192.0.2.1")]
    #[case::proxied("10.0.0.1", &["198.51.100.7"], "198.51.100.7")]
    #[case::forged("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7")]
    #[case::two_proxies("10.0.0.1", &["198.51.100.7, 10.0.0.2"], "198.51.100.7")]
    #[case::two_lines("10.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7")]
    #[case::port("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7")]
    #[case::ipv6("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1")]
    #[case::ipv6_bare("10.0.0.1", &["2001:db8::1"], "2001:db8::1")]
    #[case::nonsense("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1")]
    #[case::silent("10.0.0.1", &[], "10.0.0.1")]
    fn only_what_trusted_proxies_say_is_believed(
        #[case] peer: &str,
        #[case] forwarded: &[&'static str],
        #[case] expected: &str,
    ) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted = "10.0.0.0/8".to_owned().try_into().unwrap();
        assert_eq!(of(peer.parse().unwrap(), &headers, &trusted).to_string(), expected);
    }
}
