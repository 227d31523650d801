//! `accounts set`.

use std::sync::Arc;

use grok2api_proto::pool::{ChangeAccountsRequest, Tier, TokenPool};

use super::TierArg;
use crate::commands::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ids or tokens.
    #[arg(required = true, value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// What they are.
    #[arg(long, value_enum)]
    tier: Option<TierArg>,
    /// A note shown in lists.
    #[arg(long)]
    note: Option<String>,
    /// Higher is tried first among accounts of one tier; 0 is usual.
    #[arg(long, allow_hyphen_values = true)]
    priority: Option<i32>,
    /// Let them serve again.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Let them serve no more.
    #[arg(long)]
    disable: bool,
    /// Add a tag.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Take a tag away.
    #[arg(long = "untag", value_name = "TAG")]
    untags: Vec<String>,
}

impl Args {
    pub(super) async fn run(self, pool: &Arc<dyn TokenPool>) -> Result<(), Failure> {
        let request = ChangeAccountsRequest {
            accounts: self.accounts,
            tier: self.tier.map_or(Tier::Unspecified, Tier::from).into(),
            note: self.note,
            priority: self.priority,
            enabled: (self.enable || self.disable).then_some(self.enable),
            add_tags: self.tags,
            remove_tags: self.untags,
        };
        let answer = pool.change_accounts(request).await?;
        say(&format!("{} changed", answer.changed));
        super::all_known(&answer.unknown)
    }
}
