//! `grok2api accounts …`, on the data directory; a running product follows within a second.

use std::{io::Read as _, path::PathBuf, sync::Arc};

use clap::ValueEnum;
use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime, settings::Settings};
use grok2api_proto::{
    config::RuntimeConfig,
    mask,
    pool::{
        Account, AddAccountsRequest, AddResult, ClearAccountsRequest, ListAccountsRequest, NewAccount,
        RemoveAccountsRequest, Status, Tier, TokenPool, Window,
    },
};

use super::{Failure, say};
use crate::{StartError, compose::Store};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Add accounts by their `sso` token (`sso=…` and whole cookie strings are understood).
    Add {
        /// Tokens.
        #[arg(required = true, value_name = "TOKEN")]
        tokens: Vec<String>,
        /// What the accounts are.
        #[arg(long, value_enum, default_value_t = TierArg::Basic)]
        tier: TierArg,
        /// A note shown in lists.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Add the accounts of a file, a token a line; `-` reads standard input.
    Import {
        /// The file.
        file: PathBuf,
        /// What the accounts are.
        #[arg(long, value_enum, default_value_t = TierArg::Basic)]
        tier: TierArg,
    },
    /// Show all accounts; tokens masked.
    List,
    /// Remove accounts by id or token.
    Remove {
        /// Ids or tokens.
        #[arg(required = true, value_name = "ACCOUNT")]
        accounts: Vec<String>,
    },
    /// End cooldowns and lift "invalid" and "banned" marks; all accounts, or those named.
    Clear {
        /// Ids or tokens.
        #[arg(value_name = "ACCOUNT")]
        accounts: Vec<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum TierArg {
    Basic,
    Super,
    Heavy,
}

impl From<TierArg> for Tier {
    fn from(tier: TierArg) -> Self {
        match tier {
            TierArg::Basic => Tier::Basic,
            TierArg::Super => Tier::Super,
            TierArg::Heavy => Tier::Heavy,
        }
    }
}

pub(crate) async fn run(settings: &Settings, command: Command) -> Result<(), Failure> {
    let store = Store::open(settings).await?;
    let tasks = Tasks::new();
    let failed = |error| StartError::one("accounts", error);
    let accounts = store.sqlite.accounts(store.sealer.clone()).await.map_err(failed)?;
    let pool = grok2api_token_pool::start(grok2api_token_pool::Deps {
        accounts,
        runtime: Runtime::fixed(RuntimeConfig::default()),
        egress: None,
        clock: Clock::system(),
        tasks: tasks.clone(),
    });
    let pool = pool.await.map_err(|error| StartError::one("accounts", error))?;
    let done = execute(&pool, command).await;
    super::finish(&tasks).await;
    store.sqlite.close().await;
    done
}

async fn execute(pool: &Arc<dyn TokenPool>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { tokens, tier, note } => add(pool, tokens, tier, &note).await,
        Command::Import { file, tier } => {
            let text =
                read(&file).map_err(|error| Failure::Code(1, format!("{}: {error}", file.display())))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            add(pool, lines.map(str::to_owned).collect(), tier, "").await
        }
        Command::List => list(pool).await,
        Command::Remove { accounts } => {
            let answer = pool.remove_accounts(RemoveAccountsRequest { accounts }).await?;
            say(&format!("{} removed", answer.removed));
            match answer.unknown.as_slice() {
                [] => Ok(()),
                unknown => Err(Failure::Code(1, format!("no such account: {}", unknown.join(", ")))),
            }
        }
        Command::Clear { accounts } => {
            let answer = pool.clear_accounts(ClearAccountsRequest { accounts }).await?;
            say(&format!("{} cleared", answer.cleared));
            Ok(())
        }
    }
}

fn read(file: &std::path::Path) -> std::io::Result<String> {
    if file.as_os_str() != "-" {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

async fn add(
    pool: &Arc<dyn TokenPool>,
    tokens: Vec<String>,
    tier: TierArg,
    note: &str,
) -> Result<(), Failure> {
    let shown: Vec<String> = tokens.iter().map(|token| mask(token.trim())).collect();
    let new = |token| NewAccount { token, tier: Tier::from(tier).into(), note: note.to_owned() };
    let accounts = tokens.into_iter().map(new).collect();
    let reports = pool.add_accounts(AddAccountsRequest { accounts }).await?.reports;
    let (mut added, mut known, mut refused) = (0, 0, 0);
    for (number, (report, token)) in reports.iter().zip(&shown).enumerate() {
        match report.result() {
            AddResult::Added => added += 1,
            AddResult::Merged => known += 1,
            AddResult::Refused | AddResult::Unspecified => {
                refused += 1;
                say(&format!("entry {}: {token}: {}", number + 1, report.reason));
            }
        }
    }
    let summary = format!("{added} added, {known} known already, {refused} refused");
    if refused > 0 {
        return Err(Failure::Code(1, summary));
    }
    say(&summary);
    Ok(())
}

async fn list(pool: &Arc<dyn TokenPool>) -> Result<(), Failure> {
    let accounts = pool.list_accounts(ListAccountsRequest {}).await?.accounts;
    if accounts.is_empty() {
        say("there are no accounts; add one with: grok2api accounts add <token>");
        return Ok(());
    }
    say(&format!("{:<38}{:<12}{:<7}{:<10}{:<28}NOTE", "ID", "TOKEN", "TIER", "STATUS", "QUOTA"));
    accounts.iter().for_each(|account| say(&row(account)));
    Ok(())
}

fn row(account: &Account) -> String {
    let tier = format!("{:?}", account.tier()).to_lowercase();
    let status = match account.status() {
        Status::Unspecified => "unknown".to_owned(),
        status => format!("{status:?}").to_lowercase(),
    };
    let quota: Vec<String> = account.windows.iter().map(quota).collect();
    let quota = if quota.is_empty() { "unknown".to_owned() } else { quota.join(" ") };
    let cause = if account.cause.is_empty() { String::new() } else { format!(" ({})", account.cause) };
    format!(
        "{:<38}{:<12}{tier:<7}{status:<10}{quota:<28}{}{cause}",
        account.id, account.masked_token, account.note
    )
}

fn quota(window: &Window) -> String {
    match (window.remaining, window.total) {
        (Some(remaining), Some(total)) => format!("{} {remaining}/{total}", window.class),
        _ => format!("{} unknown", window.class),
    }
}
