//! Who is to blame for what, and what it costs them: one table. Source: `grok-web-protocol.md` section 5.4.

use grok2api_proto::pool::Outcome;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) outcome: Outcome,
    /// Whose failure it is.
    pub(crate) scope: Scope,
    /// What happens to the account. Only `Window` and `Account` failures may have one.
    pub(crate) effect: Effect,
}

/// Whose failure an outcome is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Nobody,
    Request,
    Egress,
    Window,
    Account,
}

/// What an outcome does to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// Strikes and failures are forgotten.
    Absolve,
    /// The window is shut until the upstream's `Retry-After`, else until its reset, else for `default_ms`.
    CloseWindow {
        default_ms: i64,
        longest_ms: i64,
    },
    /// Rests for `first_ms`, twice as long each further time in a row. Soft.
    Cool {
        first_ms: i64,
        longest_ms: i64,
    },
    /// Rests for `ms`; counts for nothing. Soft.
    Pause {
        ms: i64,
    },
    /// A second strike within `within_ms` makes the account invalid; the first asks for a probe.
    Strike {
        within_ms: i64,
    },
    /// Out for good.
    Ban,
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// One request id can penalise at most so many accounts …
pub(crate) const PENALISED_PER_REQUEST: usize = 2;
/// … within this time.
pub(crate) const REQUEST_REMEMBERED_MS: i64 = 10 * MINUTE;
/// Failures remembered of an account, for the operator.
pub(crate) const HISTORY: usize = 20;
/// An account that nobody has used for so long is not read of our own accord, only once it is used.
pub(crate) const IDLE_MS: i64 = 24 * HOUR;
/// How long a window stays shut after a 429 when the upstream reports units left and named no time.
pub(crate) const BURST_PAUSE_MS: i64 = MINUTE;
/// The upstream does not say when a window resets, so a nearly empty one is read again this often.
pub(crate) const RECHECK_MS: i64 = 15 * MINUTE;
/// One of so many units of a window may be taken before the store knows: as much as a crash forgets at most.
pub(crate) const FORGETTABLE_SHARE: u32 = 4;
/// From the beginning of a reading to its row in the store it takes no longer, clocks that differ included.
pub(crate) const LONGEST_READING_MS: i64 = MINUTE;
/// How long no quota is read after the upstream has refused to tell one with a 429 that names no time …
pub(crate) const READ_PAUSE_MS: i64 = MINUTE;
/// … and how long at most.
pub(crate) const LONGEST_READ_PAUSE_MS: i64 = HOUR;
/// A window whose total is reported to be smaller than this part of what it was is not believed at once.
pub(crate) const IMPLAUSIBLE_SHRINK: u32 = 4;
/// Fewer units do not pay for the dearest ordinary request.
pub(crate) const LOW_UNITS: u32 = 4;

/// The failure policy, whole.
#[rustfmt::skip]
pub(crate) static TABLE: [Rule; 10] = [
    Rule { outcome: Outcome::Success,         scope: Scope::Nobody,  effect: Effect::Absolve },
    Rule { outcome: Outcome::ClientCancelled, scope: Scope::Nobody,  effect: Effect::Nothing },
    Rule { outcome: Outcome::RequestRefused,  scope: Scope::Request, effect: Effect::Nothing },
    Rule { outcome: Outcome::EgressRefused,   scope: Scope::Egress,  effect: Effect::Nothing },
    Rule { outcome: Outcome::Unknown,         scope: Scope::Nobody,  effect: Effect::Nothing },
    Rule { outcome: Outcome::RateLimited,     scope: Scope::Window,  effect: Effect::CloseWindow { default_ms: 15 * MINUTE, longest_ms: 24 * HOUR } },
    Rule { outcome: Outcome::UpstreamFailed,  scope: Scope::Account, effect: Effect::Cool { first_ms: 30 * SECOND, longest_ms: 30 * MINUTE } },
    Rule { outcome: Outcome::TransportFailed, scope: Scope::Account, effect: Effect::Pause { ms: 5 * SECOND } },
    Rule { outcome: Outcome::Unauthenticated, scope: Scope::Account, effect: Effect::Strike { within_ms: 10 * MINUTE } },
    Rule { outcome: Outcome::Banned,          scope: Scope::Account, effect: Effect::Ban },
];

/// Whether an outcome goes into the account's history.
pub(crate) fn is_failure(outcome: Outcome) -> bool {
    !matches!(
        outcome,
        Outcome::Unspecified | Outcome::Success | Outcome::ClientCancelled | Outcome::RequestRefused
    )
}

/// The row of an outcome; one without a row counts as unknown, which hurts nobody.
pub(crate) fn rule(outcome: Outcome) -> &'static Rule {
    static UNKNOWN: Rule = Rule { outcome: Outcome::Unknown, scope: Scope::Nobody, effect: Effect::Nothing };
    TABLE.iter().find(|rule| rule.outcome == outcome).unwrap_or(&UNKNOWN)
}

impl Effect {
    /// Whether it takes something from the account, so that the firewall counts it.
    pub(crate) fn is_penalty(self) -> bool {
        !matches!(self, Self::Nothing | Self::Absolve)
    }

    /// Whether it is spared the last usable account.
    pub(crate) fn is_soft(self) -> bool {
        matches!(self, Self::Cool { .. } | Self::Pause { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_exactly_one_row() {
        for number in 1..=10 {
            let outcome = Outcome::try_from(number).unwrap();
            assert_eq!(TABLE.iter().filter(|rule| rule.outcome == outcome).count(), 1, "{outcome:?}");
        }
        assert!(Outcome::try_from(11).is_err(), "a new outcome needs a row");
        assert_eq!(rule(Outcome::Unspecified).effect, Effect::Nothing);
    }

    #[test]
    fn only_failures_of_the_account_or_its_window_penalise() {
        for rule in &TABLE {
            let blamed = matches!(rule.scope, Scope::Account | Scope::Window);
            assert_eq!(rule.effect.is_penalty(), blamed, "{rule:?}");
        }
    }
}
