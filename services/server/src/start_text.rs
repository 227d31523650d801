//! What a started process tells the person who started it.

use grok2api_kit::settings::Settings;
use grok2api_proto::{pool::ListAccountsRequest, pool::TokenPool};

use crate::{instance::Addresses, instance::Instance};

/// The lines after start: where things are, what is missing, what to do next. The last is for scripts.
pub(crate) async fn text(instance: &Instance, settings: &Settings) -> String {
    let mut lines = vec![format!("grok2api {}", env!("CARGO_PKG_VERSION"))];
    if let Some(http) = instance.addresses.http {
        lines.push(format!("  API       http://{http}/v1   (OpenAI-compatible)"));
        lines.push(format!("  upstream  {}", settings.upstream.url));
        lines.push(format!("  data      {}", settings.data.dir.display()));
        lines.push(
            "  console   not in this version; the command line manages accounts: grok2api accounts --help"
                .into(),
        );
        lines.extend(warnings(instance, settings).await);
    }
    lines.push(ready(&instance.addresses));
    lines.join("\n")
}

async fn warnings(instance: &Instance, settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if accounts(instance.services.pool.as_ref()).await == Some(0) {
        lines.push(
            "\nThere are no accounts yet. Add the value of the `sso` cookie of a signed-in grok.com session:"
                .into(),
        );
        lines.push(format!("  {} accounts add <token>", program(settings)));
        lines.push("It is used at once; this process need not be restarted.".into());
    }
    if instance.services.runtime.current().config.api_key.is_empty() {
        lines.push(
            "\nWARNING: no api_key is set: whoever reaches the port may use the accounts. To set one:".into(),
        );
        lines.push(format!("  {} parameters set api_key <key>", program(settings)));
    }
    lines
}

/// The command line that works on the same data.
fn program(settings: &Settings) -> String {
    let binary = std::env::args().next().unwrap_or_else(|| "grok2api".to_owned());
    format!("G2A_DATA_DIR={} {binary}", settings.data.dir.display())
}

async fn accounts(pool: &dyn TokenPool) -> Option<usize> {
    pool.list_accounts(ListAccountsRequest {}).await.ok().map(|answer| answer.accounts.len())
}

fn ready(addresses: &Addresses) -> String {
    format!("ready {addresses}")
}
