//! Why nobody can serve, in terms a client can act on.

use std::time::Duration;

use grok2api_proto::{Error, Kind};

use crate::{eligible::Reason, wanted::Refused};

/// A pool that is merely busy is asked again this soon.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// Counts the reasons of all accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    tier_too_low: usize,
    tag_missing: usize,
    disabled: usize,
    invalid: usize,
    banned: usize,
    excluded: usize,
    cooling: usize,
    exhausted: usize,
    saturated: usize,
    /// The earliest time at which one of them can serve again.
    recovery: Option<(i64, Recovering)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recovering {
    Cooling,
    Exhausted,
}

impl Refusal {
    pub(crate) fn of(reasons: impl Iterator<Item = Reason>) -> Self {
        let mut refusal = Self::default();
        reasons.for_each(|reason| refusal.count(reason));
        refusal
    }

    fn count(&mut self, reason: Reason) {
        match reason {
            Reason::TierTooLow => self.tier_too_low += 1,
            Reason::TagMissing => self.tag_missing += 1,
            Reason::Disabled => self.disabled += 1,
            Reason::Invalid => self.invalid += 1,
            Reason::Banned => self.banned += 1,
            Reason::Excluded => self.excluded += 1,
            Reason::Saturated => self.saturated += 1,
            Reason::Cooling { until } => {
                self.cooling += 1;
                self.recovers(until, Recovering::Cooling);
            }
            Reason::Exhausted { until } => {
                self.exhausted += 1;
                if let Some(until) = until {
                    self.recovers(until, Recovering::Exhausted);
                }
            }
        }
    }

    /// The one account that was asked for lacks nothing but a free slot.
    pub(crate) fn busy() -> Self {
        Self { saturated: 1, ..Self::default() }
    }

    /// The answer to the caller.
    pub(crate) fn refused(&self, now: i64) -> Refused {
        Refused { error: self.error(now), busy: self.saturated > 0 }
    }

    /// The error for the caller.
    pub(crate) fn error(&self, now: i64) -> Error {
        if self.saturated > 0 {
            let text = "every account that could serve is busy";
            return Error::new(Kind::Unavailable, "pool_saturated", text).retry_after(BUSY_RETRY);
        }
        if self.cooling + self.exhausted > 0 {
            return self.recovering(now);
        }
        if self.excluded > 0 {
            return Error::new(
                Kind::Unavailable,
                "no_account_left",
                "every usable account was tried already",
            );
        }
        let unusable = self.disabled + self.invalid + self.banned;
        if unusable == 0 && self.tier_too_low > 0 {
            let text = "no account of the pool has the tier this model needs";
            return Error::new(Kind::Unavailable, "no_account_for_tier", text);
        }
        if unusable == 0 && self.tag_missing > 0 {
            let text = "no account of the pool has a tag that was asked for";
            return Error::new(Kind::Unavailable, "no_account_for_tags", text);
        }
        let text = if unusable == 0 {
            "the pool holds no accounts; add one with `grok2api accounts add`".to_owned()
        } else {
            format!(
                "no account is usable ({} invalid, {} banned, {} disabled); add one with `grok2api accounts add`",
                self.invalid, self.banned, self.disabled
            )
        };
        Error::new(Kind::Unavailable, "no_accounts", text)
    }

    fn recovering(&self, now: i64) -> Error {
        let cooling = match self.recovery {
            Some((_, recovering)) => recovering == Recovering::Cooling,
            None => self.exhausted == 0,
        };
        let (kind, code, text) = if cooling {
            // The upstream's failures are no limit of the client's.
            (Kind::Unavailable, "pool_cooling", "every account that could serve is resting after a failure")
        } else {
            (Kind::RateLimited, "pool_exhausted", "the quota of every account that could serve is used up")
        };
        let error = Error::new(kind, code, text);
        match self.recovery {
            // Rounded up to whole seconds: HTTP knows no smaller, and too early would be refused again.
            Some((at, _)) => {
                let wait = u64::try_from(at - now).unwrap_or_default();
                error.retry_after(Duration::from_secs(wait.div_ceil(1000).max(1)))
            }
            None => error,
        }
    }

    fn recovers(&mut self, at: i64, recovering: Recovering) {
        if self.recovery.is_none_or(|(known, _)| at < known) {
            self.recovery = Some((at, recovering));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOW: i64 = 1_000_000;
    const COOLING: Reason = Reason::Cooling { until: NOW + 4_500 };
    const EXHAUSTED: Reason = Reason::Exhausted { until: Some(NOW + 60_000) };
    const NEVER: Reason = Reason::Exhausted { until: None };

    #[rstest]
    #[case(&[], "no_accounts", Kind::Unavailable, None)]
    #[case(&[Reason::Invalid, Reason::Banned, Reason::TierTooLow], "no_accounts", Kind::Unavailable, None)]
    #[case(&[Reason::TierTooLow], "no_account_for_tier", Kind::Unavailable, None)]
    #[case(&[Reason::TagMissing, Reason::TagMissing], "no_account_for_tags", Kind::Unavailable, None)]
    #[case(&[Reason::Excluded, Reason::Disabled], "no_account_left", Kind::Unavailable, None)]
    #[case(&[Reason::Excluded, EXHAUSTED], "pool_exhausted", Kind::RateLimited, Some(60))]
    #[case(&[NEVER, Reason::Invalid], "pool_exhausted", Kind::RateLimited, None)]
    #[case(&[EXHAUSTED, COOLING], "pool_cooling", Kind::Unavailable, Some(5))]
    #[case(&[NEVER, COOLING], "pool_cooling", Kind::Unavailable, Some(5))]
    #[case(&[EXHAUSTED, COOLING, Reason::Saturated], "pool_saturated", Kind::Unavailable, Some(1))]
    fn the_reason_and_the_earliest_recovery_are_told(
        #[case] reasons: &[Reason],
        #[case] code: &str,
        #[case] kind: Kind,
        #[case] seconds: Option<u64>,
    ) {
        let error = Refusal::of(reasons.iter().copied()).error(NOW);
        assert_eq!((error.code.as_ref(), error.kind), (code, kind));
        assert_eq!(error.retry_after, seconds.map(Duration::from_secs));
    }

    #[test]
    fn an_empty_pool_tells_how_to_fill_it() {
        assert!(Refusal::default().error(NOW).message.contains("grok2api accounts add"));
    }
}
