//! Who would serve a request now, and why not the others.

use uuid::Uuid;

use super::{Refusal, Roster};
use crate::{
    account::Account,
    classes::ClassId,
    eligible::{Reason, Verdict, eligible},
    order::{self, Key},
    wanted::Wanted,
};

/// Every account's verdict: who would be tried, in order, then the others, the soonest to recover first.
#[derive(Debug)]
pub(crate) struct Explanation<'a> {
    pub(crate) verdicts: Vec<(&'a Account, Verdict)>,
    /// The account the conversation is bound to.
    pub(crate) bound: Option<Uuid>,
    pub(crate) class: ClassId,
    /// What a lease would be refused with, if nobody may serve.
    pub(crate) refusal: Option<Refusal>,
}

/// Where a verdict stands: bound first, then in order, then by recovery; what never recovers comes last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    refused: bool,
    unbound: bool,
    recovery: i64,
    key: Key,
}

impl Roster {
    /// Explains what a lease would do now, for a conversation that is bound to this account.
    pub(crate) fn explain(&self, wanted: &Wanted, bound: Option<Uuid>, now: i64) -> Explanation<'_> {
        let class = self.classes.find(&wanted.class);
        let request = self.request(wanted, class);
        let mut verdicts: Vec<_> =
            self.accounts().map(|account| (account, eligible(account, &request, now))).collect();
        verdicts.sort_by_cached_key(|(account, verdict)| Rank {
            refused: verdict.is_err(),
            unbound: bound != Some(account.stored.id),
            recovery: verdict.map_or_else(|reason| reason.until().unwrap_or(i64::MAX), |()| 0),
            key: order::key(account, class),
        });
        let none = verdicts.first().is_none_or(|(_, verdict)| verdict.is_err());
        let refusal = none.then(|| Refusal::of(verdicts.iter().filter_map(|(_, verdict)| verdict.err())));
        Explanation { verdicts, bound, class, refusal }
    }
}

impl Reason {
    /// When it ends by itself, if that is known.
    pub(crate) fn until(self) -> Option<i64> {
        match self {
            Reason::Cooling { until } => Some(until),
            Reason::Exhausted { until } => until,
            _ => None,
        }
    }
}
