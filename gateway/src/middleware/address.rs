//! Where a request comes from, behind the operator's own proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue};
use grok2api_kit::settings::Networks;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The nearest address that is not a trusted proxy's: each proxy appends whom it heard, so the list is believed from its
/// end on as long as the one who says so is trusted. `None` when a trusted proxy says what is no address: it is
/// somebody's, but nobody knows whose.
pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> Option<IpAddr> {
    let mut address = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
    let heard: Vec<&[u8]> = lines.flat_map(|line| line.split(|byte| *byte == b',')).collect();
    for text in heard.into_iter().rev() {
        if !trusted.contain(address) {
            break;
        }
        address = std::str::from_utf8(text).ok().and_then(|text| read(text.trim()))?.to_canonical();
    }
    Some(address)
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
        assert_eq!(of(peer.parse().unwrap(), &headers, &trusted), Some(expected.parse().unwrap()));
    }

    #[rstest]
    #[case::nonsense(&[&b"198.51.100.7, unknown"[..]])]
    #[case::empty(&[&b"198.51.100.7,"[..]])]
    #[case::no_text(&[&b"198.51.100.7"[..], &b"\xff"[..]])]
    #[case::behind_a_proxy(&[&b"\xff, 10.0.0.2"[..]])]
    fn what_a_trusted_proxy_says_unreadably_is_nobodys_address(#[case] forwarded: &[&[u8]]) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value).unwrap());
        }
        let trusted = "10.0.0.0/8".to_owned().try_into().unwrap();
        assert_eq!(of("10.0.0.1".parse().unwrap(), &headers, &trusted), None);
        assert!(of("192.0.2.1".parse().unwrap(), &headers, &trusted).is_some(), "nobody asked them");
    }

    #[test]
    fn what_a_client_writes_before_its_own_address_is_not_read() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_bytes(b"\xff, 198.51.100.7").unwrap());
        let trusted = "10.0.0.0/8".to_owned().try_into().unwrap();
        assert_eq!(
            of("10.0.0.1".parse().unwrap(), &headers, &trusted),
            Some("198.51.100.7".parse().unwrap())
        );
    }
}
