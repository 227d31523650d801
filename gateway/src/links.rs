//! Addresses of generated media: where they lead and, when the parameter `link_secret` is set, until when.

mod base;
mod signature;

use std::net::SocketAddr;

use axum::{extract::ConnectInfo, http::request::Parts};
use grok2api_kit::clock::Clock;
use grok2api_proto::{config::RuntimeConfig, media::Kind};

use crate::Deps;
pub(crate) use signature::Signer;

const HOUR_SECONDS: i64 = 60 * 60;

/// Writes the links of one answer. The default leads to this very host, for everybody.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// `https://host`, without a slash at the end; empty for links within the site.
    base: String,
    /// With what they are signed, and their last second.
    signed: Option<(Signer, i64)>,
}

impl Links {
    /// For the answer to a request.
    pub(crate) fn of(deps: &Deps, parts: &Parts) -> Self {
        let applied = deps.runtime.current();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let proxied = peer.is_some_and(|ConnectInfo(peer)| deps.trusted_proxies.contain(peer.ip()));
        let base = base::of(&applied.config, &parts.uri, &parts.headers, proxied);
        Self { base, ..Self::within(&applied.config) }
    }

    /// For pages of this site.
    pub(crate) fn within(config: &RuntimeConfig) -> Self {
        let expires = Clock::system().now_ms() / 1000 + i64::from(config.link_hours) * HOUR_SECONDS;
        Self { base: String::new(), signed: Signer::of(config).map(|signer| (signer, expires)) }
    }

    /// Unsigned ones that begin with this.
    pub fn to(base: impl Into<String>) -> Self {
        Self { base: base.into(), signed: None }
    }

    /// The address of an image.
    pub fn image(&self, name: &str) -> String {
        self.link(Kind::Image, name)
    }

    /// The address of a video.
    pub fn video(&self, name: &str) -> String {
        self.link(Kind::Video, name)
    }

    pub(crate) fn link(&self, kind: Kind, name: &str) -> String {
        let path = if kind == Kind::Video { "videos" } else { "images" };
        let base = &self.base;
        match &self.signed {
            None => format!("{base}/{path}/{name}"),
            Some((signer, expires)) => {
                format!("{base}/{path}/{name}?signature={}", signer.sign(kind, name, *expires))
            }
        }
    }
}
