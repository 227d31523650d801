//! What a started process tells the person who started it.

use grok2api_kit::settings::{Mode, Settings};
use grok2api_proto::{
    keys::ListRequest,
    pool::{ListAccountsRequest, TokenPool},
};
use grok2api_storage::place;

use crate::{
    instance::{Addresses, Instance, reachable},
    roles::{Role, Roles},
};

/// The lines after start: where things are, what is missing, what to do next. The last is for scripts.
pub(crate) async fn text(instance: &Instance, settings: &Settings, roles: &Roles) -> String {
    let mut lines = vec![format!("grok2api {}", env!("CARGO_PKG_VERSION"))];
    if let Some(http) = instance.addresses.http {
        lines.push(format!("  API       http://{}/v1   (OpenAI-compatible)", reachable(http)));
    }
    if roles.has(Role::Chat) {
        lines.push(format!("  upstream  {}", settings.upstream.url));
    }
    if roles.need_storage() {
        if settings.storage.mode != Mode::File {
            lines.push(format!("  store     {}", place(settings)));
        }
        lines.push(format!("  data      {}", settings.data.dir.display()));
        if roles.has(Role::TokenPool) {
            lines.push(format!("  leases    {}", leases(settings)));
        }
    }
    if instance.addresses.http.is_some() {
        lines.push(
            "  console   not in this version; accounts and parameters are managed by the command line".into(),
        );
    }
    if roles.has(Role::TokenPool) {
        lines.extend(no_accounts(instance.services.pool.as_ref(), settings).await);
    }
    if roles.has(Role::Gateway) && is_open(instance).await {
        lines.push(
            "\nWARNING: no api_key is set and there is no client key: whoever reaches the port may use the accounts. \
             To close it:"
                .into(),
        );
        lines.push(format!("  {} client-keys create <name>", program(settings)));
    }
    lines.push(ready(&instance.addresses));
    lines.join("\n")
}

/// Whether the API asks for no key.
async fn is_open(instance: &Instance) -> bool {
    let services = &instance.services;
    services.runtime.current().config.api_key.is_empty()
        && services.keys.list(ListRequest {}).await.is_ok_and(|answer| answer.keys.is_empty())
}

/// Where the pool's leases are counted.
fn leases(settings: &Settings) -> &'static str {
    match settings.storage.hot_url() {
        Some(_) => "in Redis, shared by every token-pool",
        None if settings.storage.mode == Mode::File => "in this process",
        None => "in this process, which must be the only token-pool; REDIS_URL lets several share them",
    }
}

async fn no_accounts(pool: &dyn TokenPool, settings: &Settings) -> Vec<String> {
    if accounts(pool).await != Some(0) {
        return Vec::new();
    }
    vec![
        "\nThere are no accounts yet. Add the value of the `sso` cookie of a signed-in grok.com session:"
            .into(),
        format!("  {} accounts add <token>", program(settings)),
        "It is used at once; this process need not be restarted.".into(),
    ]
}

/// The command line that works on the same data; an address of a store holds a password and is not repeated.
fn program(settings: &Settings) -> String {
    let binary = std::env::args().next().unwrap_or_else(|| "grok2api".to_owned());
    let directory = settings.data.dir.display();
    let (storage, seal) = (&settings.storage, &settings.seal);
    let mut words = match storage.mode {
        Mode::File => Vec::new(),
        Mode::Mysql => vec!["STORAGE_MODE=mysql DATABASE_URL=…".to_owned()],
        Mode::Redis => vec!["STORAGE_MODE=redis DATABASE_URL=…".to_owned()],
    };
    words.extend((!storage.redis_url.is_empty()).then(|| "REDIS_URL=…".to_owned()));
    words.extend((!seal.key.is_empty()).then(|| "G2A_MASTER_KEY=…".to_owned()));
    words.extend((!seal.key_file.is_empty()).then(|| format!("G2A_MASTER_KEY_FILE={}", seal.key_file)));
    words.extend([format!("G2A_DATA_DIR={directory}"), binary]);
    words.join(" ")
}

async fn accounts(pool: &dyn TokenPool) -> Option<usize> {
    pool.list_accounts(ListAccountsRequest::default()).await.ok().map(|answer| answer.accounts.len())
}

fn ready(addresses: &Addresses) -> String {
    format!("ready {addresses}")
}
