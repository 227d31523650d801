//! The settings as types, and the checks that types cannot express.

use std::{net::SocketAddr, path::PathBuf};

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{Mistake, Networks, storage::Mode};
use crate::grpc::Address;

const LONGEST_PREFIX: usize = 32;

/// All settings of a process. Meanings and defaults: `defaults.toml`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each section is described in defaults.toml")]
pub struct Settings {
    pub http: Http,
    pub ops: Ops,
    pub data: Data,
    pub storage: Storage,
    pub media: Media,
    pub seal: Seal,
    pub admin: Admin,
    pub keys: Keys,
    pub upstream: Upstream,
    pub internal: Internal,
    pub grpc: Grpc,
    pub peers: Peers,
    pub log: Log,
    pub lifecycle: Lifecycle,
}

macro_rules! section {
    ($( $Name:ident { $( $field:ident: $Type:ty ),* $(,)? } )*) => { $(
        /// One section of the settings; its fields are described in `defaults.toml`.
        #[derive(Clone, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "each field is described in defaults.toml")]
        pub struct $Name { $( pub $field: $Type, )* }
    )* };
}

section! {
    Http {
        listen: SocketAddr,
        max_body_bytes: usize,
        trusted_proxies: Networks,
        max_in_flight: usize,
        max_connections: usize,
        head_timeout_seconds: u64,
        body_timeout_seconds: u64,
        write_timeout_seconds: u64,
        idle_timeout_seconds: u64,
        idempotency_seconds: u64,
    }
    Ops { listen: SocketAddr }
    Data { dir: PathBuf }
    Storage { mode: Mode, url: String, redis_url: String }
    Media {
        url: String,
        endpoint: String,
        region: String,
        access_key: String,
        secret_key: String,
        path_style: bool,
    }
    Seal { key: String, key_file: String, old_keys: String }
    Admin { password: String }
    Keys { prefix: String }
    Upstream { url: Url, assets_url: Url, allow_private_images: bool }
    Internal { secret: String, tls_ca: String, tls_cert: String, tls_key: String }
    Grpc {
        chat: SocketAddr,
        token_pool: SocketAddr,
        media_cache: SocketAddr,
        config: SocketAddr,
        max_in_flight: usize,
        reflection: bool,
    }
    Peers { chat: String, token_pool: String, media_cache: String, config: String }
    Log { format: LogFormat }
    Lifecycle { drain_delay_ms: u64, grace_seconds: u64 }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One object per line.
    Json,
}

impl Settings {
    /// What the types cannot say.
    pub(super) fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        mistakes.extend(self.storage.check());
        for (name, url) in
            [("upstream.url", &self.upstream.url), ("upstream.assets_url", &self.upstream.assets_url)]
        {
            if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(url)) {
                mistakes
                    .push(Mistake(format!("{name}: {url} must be https (plain http is for loopback only)")));
            }
        }
        let peers = &self.peers;
        for (name, address) in [
            ("peers.chat", &peers.chat),
            ("peers.token_pool", &peers.token_pool),
            ("peers.media_cache", &peers.media_cache),
            ("peers.config", &peers.config),
        ] {
            if let (false, Err(wrong)) = (address.is_empty(), address.parse::<Address>()) {
                mistakes.push(Mistake(format!("{name}: {wrong}")));
            }
        }
        mistakes.extend(self.internal.check());
        if self.grpc.max_in_flight == 0 {
            mistakes.push(Mistake("grpc.max_in_flight: 0 would refuse everybody".to_owned()));
        }
        mistakes.extend(self.http.check());
        mistakes.extend(self.media.check());
        mistakes.extend(self.keys.check());
        mistakes
    }

    /// The settings in force as TOML, secrets masked.
    pub fn dump(&self) -> String {
        let mut shown = self.clone();
        for secret in [
            &mut shown.internal.secret,
            &mut shown.seal.key,
            &mut shown.admin.password,
            &mut shown.storage.url,
            &mut shown.storage.redis_url,
            &mut shown.media.access_key,
            &mut shown.media.secret_key,
        ] {
            *secret = grok2api_proto::mask(secret);
        }
        // Several at once: not even their ends.
        if !shown.seal.old_keys.is_empty() {
            shown.seal.old_keys = "…".to_owned();
        }
        toml::to_string(&shown).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.dump())
    }
}

impl Keys {
    fn check(&self) -> Option<Mistake> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let right = (1..=LONGEST_PREFIX).contains(&self.prefix.len()) && self.prefix.bytes().all(letter);
        let rule = format!("1 to {LONGEST_PREFIX} letters, digits, - and _");
        (!right).then(|| Mistake(format!("keys.prefix: {:?} is not {rule}", self.prefix)))
    }
}

impl Internal {
    fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if HeaderValue::from_str(&self.secret).is_err() {
            mistakes.push(Mistake("internal.secret: only visible ASCII characters can be sent".to_owned()));
        }
        let files = [&self.tls_ca, &self.tls_cert, &self.tls_key];
        if files.iter().any(|file| file.is_empty()) && files.iter().any(|file| !file.is_empty()) {
            let told = "internal.tls_ca, internal.tls_cert and internal.tls_key belong together: all or none";
            mistakes.push(Mistake(told.to_owned()));
        }
        mistakes
    }
}

/// Whether the address stays on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
