//! Outgoing HTTP, built in one place.
//!
//! A clearance cookie is valid only with the user agent and the exit it was obtained with, so the three travel as
//! one unit: an [`Egress`] is made from one revision of the runtime configuration and replaced as a whole. All
//! values are the operator's and are passed through as they are. Source: `grok-web-protocol.md` sections 1.2, 1.3.

mod cookie;
mod public;
mod sent;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use grok2api_proto::{Error, Kind, Result, config::RuntimeConfig};
use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::{Client, Proxy, RequestBuilder, redirect};
use url::Url;
use uuid::Uuid;

pub use cookie::cookie;
pub use public::{Fetched, PublicFetch, is_public};
pub use sent::send;

use crate::{runtime::Runtime, settings::Upstream};

/// Hosts that serve generated media without cookies.
const PUBLIC_MEDIA_HOSTS: [&str; 3] = ["imagine-public.x.ai", "imgen.x.ai", "vidgen.x.ai"];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 5;

/// Where the upstream lives.
#[derive(Clone, Debug)]
pub struct Endpoints {
    api: Url,
    assets: Url,
}

/// The way to the upstream under one revision of the configuration.
pub struct Egress {
    endpoints: Endpoints,
    api: Client,
    assets: Client,
    headers: HeaderMap,
    statsig: Option<HeaderValue>,
    clearance: String,
}

/// The [`Egress`] of the newest revision.
#[derive(Clone)]
pub struct Gateway {
    endpoints: Endpoints,
    runtime: Runtime,
    current: Arc<ArcSwapOption<(u64, Arc<Egress>)>>,
}

impl From<&Upstream> for Endpoints {
    fn from(settings: &Upstream) -> Self {
        Self { api: settings.url.clone(), assets: settings.assets_url.clone() }
    }
}

impl Gateway {
    /// Follows the runtime configuration.
    pub fn new(endpoints: Endpoints, runtime: Runtime) -> Self {
        Self { endpoints, runtime, current: Arc::default() }
    }

    /// The way to use for a request that begins now.
    ///
    /// # Errors
    /// `invalid_proxy`, `invalid_header` when a configured value cannot be used.
    pub fn current(&self) -> Result<Arc<Egress>> {
        let revision = self.runtime.current();
        if let Some(known) = self.current.load().as_deref()
            && known.0 == revision.number
        {
            return Ok(known.1.clone());
        }
        let egress = Arc::new(Egress::new(&self.endpoints, &revision.config)?);
        self.current.store(Some(Arc::new((revision.number, egress.clone()))));
        Ok(egress)
    }
}

impl Egress {
    /// Builds clients and constant headers.
    ///
    /// # Errors
    /// `invalid_proxy`, `invalid_header`.
    pub fn new(endpoints: &Endpoints, config: &RuntimeConfig) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        for (name, value, parameter) in [
            (header::USER_AGENT, &config.user_agent, "user_agent"),
            (header::ACCEPT_LANGUAGE, &config.accept_language, "accept_language"),
        ] {
            if !value.is_empty() {
                headers.insert(name, header_value(value, parameter)?);
            }
        }
        let statsig = match config.x_statsig_id.as_str() {
            "" => None,
            value => Some(header_value(value, "x_statsig_id")?),
        };
        Ok(Self {
            endpoints: endpoints.clone(),
            api: client(&config.proxy_url, redirect::Policy::none())?,
            assets: client(&config.proxy_url, media_redirects(endpoints))?,
            headers,
            statsig,
            clearance: cookie::clearance(&config.cf_clearance),
        })
    }

    /// A request to `/rest/…` as the account of `token`; `referer` is a path (`/`, `/imagine`).
    ///
    /// # Errors
    /// `invalid_token` when the token cannot be a header value.
    pub fn api(&self, method: Method, path: &str, referer: &str, token: &str) -> Result<RequestBuilder> {
        let base = self.endpoints.api.as_str().trim_end_matches('/');
        let mut request = self
            .api
            .request(method, format!("{base}{path}"))
            .headers(self.headers.clone())
            .header(header::COOKIE, cookie(token, &self.clearance)?)
            .header(header::ORIGIN, base)
            .header(header::REFERER, format!("{base}{referer}"))
            .header("x-xai-request-id", Uuid::new_v4().to_string());
        if let Some(statsig) = &self.statsig {
            request = request.header("x-statsig-id", statsig.clone());
        }
        Ok(request)
    }

    /// A GET of an asset: a path relative to the assets host, or an address on a trusted host. Cookies go to the
    /// assets host only.
    ///
    /// # Errors
    /// `untrusted_asset` for any other address.
    pub fn asset(&self, location: &str, token: &str) -> Result<RequestBuilder> {
        let url = self.endpoints.asset_url(location)?;
        let own = url.origin() == self.endpoints.assets.origin();
        let api = self.endpoints.api.as_str().trim_end_matches('/');
        let request =
            self.assets.get(url).headers(self.headers.clone()).header(header::REFERER, format!("{api}/"));
        if own { Ok(request.header(header::COOKIE, cookie(token, &self.clearance)?)) } else { Ok(request) }
    }
}

impl Endpoints {
    /// One address that serves both, as the simulator does.
    ///
    /// # Errors
    /// `internal_error` when it is no address.
    pub fn at(address: &str) -> Result<Self> {
        let url = Url::parse(address);
        let url = url.map_err(|error| Error::internal(format!("the address {address:?}: {error}")))?;
        Ok(Self { api: url.clone(), assets: url })
    }

    /// The address of an asset, if its host is trusted.
    fn asset_url(&self, location: &str) -> Result<Url> {
        let untrusted =
            || Error::new(Kind::Upstream, "untrusted_asset", "the upstream named an asset on a foreign host");
        if !location.contains("://") {
            let base = self.assets.as_str().trim_end_matches('/');
            let path = location.trim_start_matches('/');
            return Url::parse(&format!("{base}/{path}")).map_err(|_| untrusted());
        }
        let url = Url::parse(location).map_err(|_| untrusted())?;
        if self.trusts(&url) { Ok(url) } else { Err(untrusted()) }
    }

    fn trusts(&self, url: &Url) -> bool {
        let plain = url.username().is_empty() && url.password().is_none();
        let public =
            url.scheme() == "https" && url.host_str().is_some_and(|host| PUBLIC_MEDIA_HOSTS.contains(&host));
        plain && (public || url.origin() == self.assets.origin())
    }
}

/// Follows redirects between trusted hosts only.
fn media_redirects(endpoints: &Endpoints) -> redirect::Policy {
    let endpoints = endpoints.clone();
    redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else if endpoints.trusts(attempt.url()) {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

fn client(proxy: &str, redirects: redirect::Policy) -> Result<Client> {
    #[expect(clippy::disallowed_methods, reason = "this is the one factory of outgoing HTTP")]
    let builder = Client::builder();
    let builder =
        builder.no_proxy().redirect(redirects).connect_timeout(CONNECT_TIMEOUT).tcp_keepalive(TCP_KEEPALIVE);
    let builder = match proxy.trim() {
        "" => builder,
        proxy => builder.proxy(Proxy::all(remote_dns(proxy)).map_err(|_| invalid_proxy())?),
    };
    builder.build().map_err(|_| Error::internal("the HTTP client cannot be built"))
}

/// The proxy resolves names: a local look-up would leak them and often fails behind SOCKS.
fn remote_dns(proxy: &str) -> String {
    for (local, remote) in [("socks5://", "socks5h://"), ("socks4://", "socks4a://")] {
        if let Some(rest) = proxy.strip_prefix(local) {
            return format!("{remote}{rest}");
        }
    }
    proxy.to_owned()
}

fn invalid_proxy() -> Error {
    Error::new(Kind::Unavailable, "invalid_proxy", "the configured proxy_url cannot be used")
}

fn header_value(value: &str, parameter: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value).map_err(|_| {
        Error::new(
            Kind::Unavailable,
            "invalid_header",
            format!("the configured {parameter} cannot be a header value"),
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints {
            api: Url::parse("https://grok.com").unwrap(),
            assets: Url::parse("https://assets.grok.com").unwrap(),
        }
    }

    #[rstest]
    #[case("users/u/generated/i/image.jpg", "https://assets.grok.com/users/u/generated/i/image.jpg")]
    #[case("/users/u/image.jpg", "https://assets.grok.com/users/u/image.jpg")]
    #[case("https://assets.grok.com/users/u/image.jpg", "https://assets.grok.com/users/u/image.jpg")]
    #[case(
        "https://imagine-public.x.ai/imagine-public/images/i.jpg",
        "https://imagine-public.x.ai/imagine-public/images/i.jpg"
    )]
    fn trusted_assets_are_joined_with_one_slash(#[case] location: &str, #[case] url: &str) {
        assert_eq!(endpoints().asset_url(location).unwrap().as_str(), url);
    }

    #[rstest]
    #[case("https://evil.example/users/u/image.jpg")]
    #[case("http://assets.grok.com/x.jpg")]
    #[case("https://user:pw@assets.grok.com/x.jpg")]
    #[case("https://assets.grok.com.evil.example/x.jpg")]
    #[case("file:///etc/passwd")]
    fn other_addresses_are_refused(#[case] location: &str) {
        assert_eq!(endpoints().asset_url(location).unwrap_err().code, "untrusted_asset");
    }

    #[test]
    fn cookies_stay_with_the_assets_host() {
        let config =
            RuntimeConfig { cf_clearance: "abc".into(), user_agent: "UA".into(), ..Default::default() };
        let egress = Egress::new(&endpoints(), &config).unwrap();
        let own = egress.asset("users/u/image.jpg", "tok").unwrap().build().unwrap();
        assert_eq!(own.headers()["cookie"], "sso=tok; sso-rw=tok; cf_clearance=abc");
        let public = egress.asset("https://imgen.x.ai/i.jpg", "tok").unwrap().build().unwrap();
        assert!(!public.headers().contains_key("cookie"));
    }

    #[test]
    fn api_requests_carry_what_the_operator_configured() {
        let config =
            RuntimeConfig { x_statsig_id: "stat".into(), user_agent: "UA/1".into(), ..Default::default() };
        let egress = Egress::new(&endpoints(), &config).unwrap();
        let request = egress.api(Method::POST, "/rest/rate-limits", "/", "tok").unwrap().build().unwrap();
        assert_eq!(request.url().as_str(), "https://grok.com/rest/rate-limits");
        let headers = request.headers();
        assert_eq!(headers["x-statsig-id"], "stat");
        assert_eq!(headers["user-agent"], "UA/1");
        assert_eq!(headers["origin"], "https://grok.com");
        assert_eq!(headers["referer"], "https://grok.com/");
        assert!(Uuid::parse_str(headers["x-xai-request-id"].to_str().unwrap()).is_ok());
    }

    #[rstest]
    #[case("socks5://h:1", "socks5h://h:1")]
    #[case("socks4://h:1", "socks4a://h:1")]
    #[case("http://h:1", "http://h:1")]
    fn socks_proxies_resolve_names_themselves(#[case] given: &str, #[case] used: &str) {
        assert_eq!(remote_dns(given), used);
    }
}
