//! An explanation as it travels.

use std::{collections::BTreeMap, sync::Arc};

use grok2api_proto::{
    Result,
    pool::{ExplainResponse, Reason as WireReason, ReasonCount, Verdict},
};
use grok2api_storage::accounts::Status;

use crate::{account::Account, eligible::Reason, roster::Explanation, shared::Shared, view, wanted::Wanted};

const DEFAULT_LIMIT: usize = 100;

/// What a lease would do now.
pub(super) async fn explain(shared: &Arc<Shared>, wanted: &Wanted, limit: u32) -> Result<ExplainResponse> {
    let limit = if limit == 0 { DEFAULT_LIMIT } else { limit as usize };
    shared.call(shared.hot.advance()).await?;
    let bound = match &wanted.affinity {
        Some(conversation) => shared.hot.bound(conversation).await?,
        None => None,
    };
    Ok(shared.look(|roster, now| {
        let explanation = roster.explain(wanted, bound, now);
        let mut response = summary(&explanation, now);
        response.verdicts = explanation
            .verdicts
            .iter()
            .take(limit)
            .map(|(account, verdict)| Verdict {
                reason: verdict.map_or_else(reason, |()| WireReason::Unspecified).into(),
                until: verdict.err().and_then(Reason::until).unwrap_or_default(),
                available: account.window(explanation.class).available(),
                bound: explanation.bound == Some(account.stored.id),
                ..describe(account)
            })
            .collect();
        response
    }))
}

fn summary(explanation: &Explanation<'_>, now: i64) -> ExplainResponse {
    let mut counts = BTreeMap::<i32, u32>::new();
    let refused = explanation.verdicts.iter().filter_map(|(_, verdict)| verdict.err());
    refused.for_each(|refused| *counts.entry(reason(refused).into()).or_default() += 1);
    let total = u32::try_from(explanation.verdicts.len()).unwrap_or(u32::MAX);
    let mut response = ExplainResponse {
        accounts: total,
        eligible: total - counts.values().sum::<u32>(),
        ..Default::default()
    };
    response.reasons =
        counts.into_iter().map(|(reason, accounts)| ReasonCount { reason, accounts }).collect();
    response.reasons.sort_by_key(|count| std::cmp::Reverse(count.accounts));
    if let Some(refusal) = &explanation.refusal {
        let error = refusal.error(now);
        let wait = error.retry_after.unwrap_or_default().as_millis();
        response.retry_after_ms = u64::try_from(wait).unwrap_or(u64::MAX);
        (response.refusal_code, response.refusal) = (error.code.into_owned(), error.message);
    }
    response
}

fn describe(account: &Account) -> Verdict {
    let cause = match &account.status {
        Status::Active => "",
        Status::Cooling { cause, .. } | Status::Invalid { cause, .. } | Status::Banned { cause, .. } => cause,
    };
    Verdict {
        account_id: account.stored.id.to_string(),
        masked_token: account.stored.token.masked(),
        tier: view::tier(account.stored.tier).into(),
        priority: account.stored.priority,
        in_flight: account.in_flight,
        cause: cause.to_owned(),
        ..Verdict::default()
    }
}

fn reason(reason: Reason) -> WireReason {
    match reason {
        Reason::TierTooLow => WireReason::TierTooLow,
        Reason::TagMissing => WireReason::TagMissing,
        Reason::Disabled => WireReason::Disabled,
        Reason::Banned => WireReason::Banned,
        Reason::Invalid => WireReason::Invalid,
        Reason::Excluded => WireReason::Excluded,
        Reason::Cooling { .. } => WireReason::Cooling,
        Reason::Exhausted { .. } => WireReason::Exhausted,
        Reason::Saturated | Reason::Unwritten => WireReason::Saturated,
    }
}
