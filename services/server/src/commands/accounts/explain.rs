//! `accounts explain`.

use std::sync::Arc;

use grok2api_kit::clock::Clock;
use grok2api_proto::pool::{ExplainRequest, ExplainResponse, Reason, Tier, TokenPool, Verdict};

use super::TierArg;
use crate::commands::{Failure, say};

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct Args {
    /// The model a client would ask for.
    #[arg(long, group = "what")]
    model: Option<String>,
    /// A quota class instead of a model, such as `normal` or `heavy`.
    #[arg(long, group = "what")]
    class: Option<String>,
    /// Units of the request, with --class.
    #[arg(long, default_value_t = 1, conflicts_with = "model")]
    cost: u32,
    /// The lowest tier that would do, with --class.
    #[arg(long, value_enum, conflicts_with = "model")]
    tier: Option<TierArg>,
    /// Only accounts with one of these tags.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Accounts to show.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

impl Args {
    pub(super) async fn run(self, pool: &Arc<dyn TokenPool>) -> Result<(), Failure> {
        let explanation = pool.explain(self.request()?).await?;
        show(&explanation, Clock::system().now_ms());
        Ok(())
    }

    fn request(self) -> Result<ExplainRequest, Failure> {
        let (class, cost, tier) = match &self.model {
            Some(model) => {
                let model = grok2api_chat::models::find(model)?;
                (model.class.clone(), model.cost, Tier::from(model.minimum_tier))
            }
            None => {
                let tier = self.tier.map_or(Tier::Basic, Tier::from);
                (self.class.unwrap_or_default(), self.cost, tier)
            }
        };
        let (minimum_tier, tags, limit) = (tier.into(), self.tags, self.limit.max(1));
        Ok(ExplainRequest { class, cost, minimum_tier, tags, limit, ..ExplainRequest::default() })
    }
}

fn show(explanation: &ExplainResponse, now: i64) {
    say(&format!("{} of {} accounts may serve", explanation.eligible, explanation.accounts));
    for count in &explanation.reasons {
        say(&format!("{:>6} {}", count.accounts, words(count.reason())));
    }
    if !explanation.refusal_code.is_empty() {
        say(&format!("a request is refused now: {} ({})", explanation.refusal, explanation.refusal_code));
    }
    if explanation.verdicts.is_empty() {
        return;
    }
    say(&format!("\n{:<5}{:<38}{:<12}{:<7}{:<8}{:<7}VERDICT", "", "ID", "TOKEN", "TIER", "UNITS", "BUSY"));
    for (number, verdict) in explanation.verdicts.iter().enumerate() {
        say(&row(number + 1, verdict, now));
    }
    let shown = explanation.verdicts.len();
    if shown < explanation.accounts as usize {
        say(&format!("and {} more", explanation.accounts as usize - shown));
    }
}

fn row(number: usize, verdict: &Verdict, now: i64) -> String {
    let number = if verdict.reason() == Reason::Unspecified { format!("{number}.") } else { String::new() };
    let units = verdict.available.map_or_else(|| "?".to_owned(), |units| units.to_string());
    let tier = super::small(&verdict.tier());
    let (id, token, busy) = (&verdict.account_id, &verdict.masked_token, verdict.in_flight);
    format!("{number:<5}{id:<38}{token:<12}{tier:<7}{units:<8}{busy:<7}{}", why(verdict, now))
}

fn why(verdict: &Verdict, now: i64) -> String {
    let ends = match verdict.until {
        0 => String::new(),
        until => format!(", for {} s more", (until - now).max(0).unsigned_abs().div_ceil(1000)),
    };
    let cause = if verdict.cause.is_empty() { String::new() } else { format!(" ({})", verdict.cause) };
    format!("{}{ends}{cause}", words(verdict.reason()))
}

fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::Unspecified => "may serve",
        Reason::TierTooLow => "tier too low",
        Reason::TagMissing => "has none of the tags",
        Reason::Disabled => "switched off",
        Reason::Banned => "banned",
        Reason::Invalid => "invalid",
        Reason::Excluded => "tried already",
        Reason::Cooling => "cooling",
        Reason::Exhausted => "quota used up",
        Reason::Saturated => "busy",
    }
}
