//! `accounts export`.

use std::sync::Arc;

use clap::ValueEnum;
use futures_util::StreamExt as _;
use grok2api_proto::pool::{ExportAccountsRequest, ExportedAccount, TokenPool};
use serde_json::json;

use crate::commands::{Failure, complain, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ids or tokens; all accounts when none is named.
    #[arg(value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// How to write them.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A JSON object a line, with everything that is said of an account.
    Jsonl,
    /// A token a line.
    Lines,
}

impl Args {
    pub(super) async fn run(self, pool: &Arc<dyn TokenPool>) -> Result<(), Failure> {
        let request =
            ExportAccountsRequest { accounts: self.accounts, requested_by: "the command line".to_owned() };
        let mut batches = pool.export_accounts(request).await?;
        let mut count = 0;
        while let Some(batch) = batches.next().await {
            for account in &batch?.accounts {
                say(&match self.format {
                    Format::Jsonl => object(account),
                    Format::Lines => account.token.clone(),
                });
                count += 1;
            }
        }
        complain(&format!("{count} accounts exported with their full tokens"));
        Ok(())
    }
}

fn object(account: &ExportedAccount) -> String {
    json!({
        "token": account.token,
        "tier": super::small(&account.tier()),
        "note": account.note,
        "tags": account.tags,
        "priority": account.priority,
        "enabled": !account.disabled,
    })
    .to_string()
}
