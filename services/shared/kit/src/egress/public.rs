//! Fetching an address a client gave: public addresses only, on every redirect, within a size and a time.

use std::{
    error::Error as StdError,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use grok2api_proto::{Error, Kind, Result};
use http::header;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use url::{Host, Url};

const MAX_REDIRECTS: usize = 3;

/// Fetches behind the guard.
#[derive(Clone)]
pub struct PublicFetch {
    client: Client,
    allow_private: bool,
}

/// What was fetched.
pub struct Fetched {
    /// The body, whole.
    pub data: Bytes,
    /// The declared media type, without parameters; may be empty.
    pub media_type: String,
}

impl PublicFetch {
    /// `allow_private` switches the address guard off, for operators who fetch from their own network.
    ///
    /// # Errors
    /// `internal_error` when the client cannot be built.
    pub fn new(allow_private: bool) -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "part of the one factory of outgoing HTTP")]
        let builder = Client::builder();
        let client = builder
            .no_proxy()
            .dns_resolver(Arc::new(PublicResolver { allow_private }))
            .redirect(redirects(allow_private))
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|_| Error::internal("the HTTP client cannot be built"))?;
        Ok(Self { client, allow_private })
    }

    /// GETs `address` whole.
    ///
    /// # Errors
    /// `invalid_url`, `forbidden_url`, `fetch_failed`, `too_large`; the caller adds the parameter's name.
    pub async fn get(&self, address: &str, max_bytes: usize, time: Duration) -> Result<Fetched> {
        let url = Url::parse(address).map_err(|error| {
            Error::new(Kind::InvalidRequest, "invalid_url", format!("not an address: {error}"))
        })?;
        check(&url, self.allow_private)
            .map_err(|reason| Error::new(Kind::InvalidRequest, "forbidden_url", reason))?;
        tokio::time::timeout(time, self.fetch(url, max_bytes))
            .await
            .map_err(|_| failed(format!("no answer within {} s", time.as_secs())))?
    }

    async fn fetch(&self, url: Url, max_bytes: usize) -> Result<Fetched> {
        let sent = super::send("attachment", self.client.get(url)).await;
        let (mut response, _step) = sent.map_err(|error| failed(reason_of(&error)))?;
        if !response.status().is_success() {
            return Err(failed(format!("the address answered {}", response.status().as_u16())));
        }
        let media_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map(|value| value.trim().to_ascii_lowercase())
            .unwrap_or_default();
        let mut data = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(reason_of(&error)))? {
            if data.len() + chunk.len() > max_bytes {
                let limit = max_bytes / (1024 * 1024);
                return Err(Error::new(Kind::TooLarge, "too_large", format!("larger than {limit} MiB")));
            }
            data.extend_from_slice(&chunk);
        }
        Ok(Fetched { data: data.freeze(), media_type })
    }
}

/// Whether an address is on the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast();
    let reserved = a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special && !reserved
}

/// Global unicast is 2000::/3, less documentation and the special 2001:0::/23.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let global = first & 0xe000 == 0x2000;
    let documentation = (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    let special = first == 0x2001 && second < 0x200;
    global && !documentation && !special
}

/// The IPv4 address inside ::ffff:0:0/96, ::/96, 64:ff9b::/96 and 2002::/16.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// What the resolver is not asked about: scheme, user-info, IP literals.
fn check(url: &Url, allow_private: bool) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme {} is not http or https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("addresses with a user name are not fetched".to_owned());
    }
    let literal = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) => None,
        None => return Err("the address has no host".to_owned()),
    };
    match literal {
        Some(ip) if !allow_private && !is_public(ip) => Err("the address is not public".to_owned()),
        _ => Ok(()),
    }
}

fn redirects(allow_private: bool) -> redirect::Policy {
    redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error("too many redirects");
        }
        match check(attempt.url(), allow_private) {
            Ok(()) => attempt.follow(),
            Err(reason) => attempt.error(reason),
        }
    })
}

struct PublicResolver {
    allow_private: bool,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let usable: Vec<SocketAddr> = found.filter(|at| allow_private || is_public(at.ip())).collect();
            if usable.is_empty() {
                return Err(Box::<dyn StdError + Send + Sync>::from("the address is not public"));
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

fn failed(reason: impl Into<String>) -> Error {
    Error::new(Kind::InvalidRequest, "fetch_failed", reason)
}

/// The innermost cause, which names the reason; never the address.
fn reason_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("the address could not be fetched: {cause}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("8.8.8.8", true)]
    #[case("127.0.0.1", false)]
    #[case("10.1.2.3", false)]
    #[case("172.16.0.1", false)]
    #[case("172.32.0.1", true)]
    #[case("192.168.1.1", false)]
    #[case("169.254.169.254", false)]
    #[case("100.64.0.1", false)]
    #[case("100.128.0.1", true)]
    #[case("0.0.0.0", false)]
    #[case("198.18.0.1", false)]
    #[case("224.0.0.1", false)]
    #[case("255.255.255.255", false)]
    #[case("::1", false)]
    #[case("::", false)]
    #[case("::ffff:127.0.0.1", false)]
    #[case("::ffff:8.8.8.8", true)]
    #[case("64:ff9b::7f00:1", false)]
    #[case("2002:7f00:1::", false)]
    #[case("fe80::1", false)]
    #[case("fc00::1", false)]
    #[case("2001:db8::1", false)]
    #[case("2606:4700::1111", true)]
    fn only_the_public_internet_is_public(#[case] ip: &str, #[case] public: bool) {
        assert_eq!(is_public(ip.parse().unwrap()), public, "{ip}");
    }

    #[rstest]
    #[case("http://127.0.0.1/a.png", "forbidden_url")]
    #[case("http://[::1]/a.png", "forbidden_url")]
    #[case("http://2130706433/a.png", "forbidden_url")]
    #[case("http://0x7f.1/a.png", "forbidden_url")]
    #[case("http://user@example.com/a.png", "forbidden_url")]
    #[case("ftp://example.com/a.png", "forbidden_url")]
    #[case("nonsense", "invalid_url")]
    #[case("http://localhost:1/a.png", "fetch_failed")]
    #[tokio::test]
    async fn private_addresses_are_refused_in_every_spelling(#[case] address: &str, #[case] code: &str) {
        let fetch = PublicFetch::new(false).unwrap();
        let error = fetch.get(address, 1024, Duration::from_secs(5)).await.err().unwrap();
        assert_eq!(error.code, code, "{error}");
    }
}
