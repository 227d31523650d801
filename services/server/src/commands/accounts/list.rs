//! `accounts list`.

use std::sync::Arc;

use clap::ValueEnum;
use grok2api_proto::pool::{Account, ListAccountsRequest, Status, Tier, TokenPool, Window};
use serde_json::{Value, json};

use super::TierArg;
use crate::commands::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only accounts of this tier.
    #[arg(long, value_enum)]
    tier: Option<TierArg>,
    /// Only accounts of this status.
    #[arg(long, value_enum)]
    status: Option<StatusArg>,
    /// Only accounts with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// As JSON, with windows and failures.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusArg {
    Active,
    Cooling,
    Invalid,
    Banned,
    Disabled,
    Unreadable,
}

impl Args {
    pub(super) async fn run(self, pool: &Arc<dyn TokenPool>) -> Result<(), Failure> {
        let mut accounts = pool.list_accounts(ListAccountsRequest::default()).await?.accounts;
        let none = accounts.is_empty();
        accounts.retain(|account| self.wants(account));
        if self.json {
            say(&Value::from_iter(accounts.iter().map(object)).to_string());
        } else if none {
            say("there are no accounts; add one with: grok2api accounts add <token>");
        } else {
            say(&format!("{:<38}{:<12}{:<7}{:<10}{:<28}NOTE", "ID", "TOKEN", "TIER", "STATUS", "QUOTA"));
            accounts.iter().for_each(|account| say(&row(account)));
        }
        Ok(())
    }

    fn wants(&self, account: &Account) -> bool {
        self.tier.is_none_or(|tier| Tier::from(tier) == account.tier())
            && self.status.is_none_or(|wanted| status(account) == Some(wanted))
            && self.tag.as_ref().is_none_or(|tag| account.tags.contains(tag))
    }
}

/// What an account is to people: switched off is a status of its own.
fn status(account: &Account) -> Option<StatusArg> {
    match account.status() {
        _ if account.disabled => Some(StatusArg::Disabled),
        Status::Active => Some(StatusArg::Active),
        Status::Cooling => Some(StatusArg::Cooling),
        Status::Invalid => Some(StatusArg::Invalid),
        Status::Banned => Some(StatusArg::Banned),
        Status::Unreadable => Some(StatusArg::Unreadable),
        Status::Unspecified => None,
    }
}

fn status_name(account: &Account) -> String {
    let value = status(account).and_then(|status| status.to_possible_value());
    value.map_or_else(|| "unknown".to_owned(), |value| value.get_name().to_owned())
}

fn row(account: &Account) -> String {
    let status = status_name(account);
    let tier =
        if account.tier() == Tier::Unspecified { "-".to_owned() } else { super::small(&account.tier()) };
    let quota: Vec<String> = account.windows.iter().map(quota).collect();
    let quota = if quota.is_empty() { "unknown".to_owned() } else { quota.join(" ") };
    let priority = (account.priority != 0).then(|| format!("priority {}", account.priority));
    let tags = account.tags.iter().map(|tag| format!("[{tag}]"));
    let cause = Some(&account.cause).filter(|cause| !cause.is_empty()).map(|cause| format!("({cause})"));
    let note = Some(account.note.clone()).filter(|note| !note.is_empty());
    let said: Vec<String> = tags.chain(priority).chain(note).chain(cause).collect();
    let (id, token) = (&account.id, &account.masked_token);
    format!("{id:<38}{token:<12}{tier:<7}{status:<10}{quota:<28}{}", said.join(" "))
}

fn quota(window: &Window) -> String {
    match (window.remaining, window.total) {
        (Some(remaining), Some(total)) => format!("{} {remaining}/{total}", window.class),
        (Some(remaining), None) => format!("{} {remaining}/?", window.class),
        (None, _) => format!("{} unknown", window.class),
    }
}

fn object(account: &Account) -> Value {
    let windows = account.windows.iter().map(|window| {
        json!({
            "class": window.class,
            "total": window.total,
            "remaining": window.remaining,
            "reserved": window.reserved,
            "reset_at": window.reset_at,
            "source": super::small(&window.source()),
            "observed_at": window.observed_at,
            "read_error": window.read_error,
        })
    });
    let failures = account.failures.iter().map(|failure| {
        json!({
            "at": failure.at,
            "outcome": super::small(&failure.outcome()),
            "cause": failure.cause,
            "penalised": failure.penalised,
        })
    });
    json!({
        "id": account.id,
        "masked_token": account.masked_token,
        "tier": super::small(&account.tier()),
        "status": status_name(account),
        "cause": account.cause,
        "until": account.until,
        "in_flight": account.in_flight,
        "tags": account.tags,
        "priority": account.priority,
        "note": account.note,
        "user_id": account.user_id,
        "created_at": account.created_at,
        "last_used_at": account.last_used_at,
        "windows": Value::from_iter(windows),
        "failures": Value::from_iter(failures),
    })
}
