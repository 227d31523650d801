//! Why nobody can serve, in terms a client can act on.

use std::time::Duration;

use grok2api_proto::{Error, Kind};

use crate::{
    eligible::{Reason, Verdict},
    wanted::Refused,
};

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
    unwritten: usize,
    /// There was only one account to be asked.
    only: bool,
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

    /// The verdict on the only account that was asked for, if there is such an account. A verdict that let it pass was
    /// overtaken by another caller.
    pub(crate) fn of_only(verdict: Option<Verdict>) -> Self {
        let reason = verdict.map(|verdict| verdict.err().unwrap_or(Reason::Saturated));
        Self { only: true, ..Self::of(reason.into_iter()) }
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
            Reason::Unwritten => self.unwritten += 1,
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
        let busy = self.saturated + self.unwritten > 0;
        Refused { error: self.error(now), busy, unwritten: self.unwritten > 0 }
    }

    /// The error for the caller.
    pub(crate) fn error(&self, now: i64) -> Error {
        if self.only {
            return self.of_one(now);
        }
        if self.saturated + self.unwritten > 0 {
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

    /// Why the one account that was asked for cannot serve.
    fn of_one(&self, now: i64) -> Error {
        let reasons = [
            (self.tier_too_low, "its tier is too low for the model"),
            (self.tag_missing, "it has none of the tags that were asked for"),
            (self.disabled, "it is disabled"),
            (self.banned, "it is banned"),
            (self.invalid, "its token is invalid"),
            (self.excluded, "it was tried already"),
            (self.cooling, "it rests after a failure"),
            (self.exhausted, "its quota is used up"),
            (self.saturated + self.unwritten, "it is busy"),
        ];
        let reason = reasons.into_iter().find(|(count, _)| *count > 0);
        let reason = reason.map_or("there is no such account in the pool", |(_, text)| text);
        let message = format!("the account that was asked for cannot serve: {reason}");
        let error = Error::new(Kind::Unavailable, "account_cannot_serve", message);
        match self.recovery {
            Some((at, _)) => error.retry_after(wait(at, now)),
            None if self.saturated + self.unwritten > 0 => error.retry_after(BUSY_RETRY),
            None => error,
        }
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
            Some((at, _)) => error.retry_after(wait(at, now)),
            None => error,
        }
    }

    fn recovers(&mut self, at: i64, recovering: Recovering) {
        if self.recovery.is_none_or(|(known, _)| at < known) {
            self.recovery = Some((at, recovering));
        }
    }
}

/// Rounded up to whole seconds: HTTP knows no smaller, and too early would be refused again.
fn wait(at: i64, now: i64) -> Duration {
    Duration::from_secs(u64::try_from(at - now).unwrap_or_default().div_ceil(1000).max(1))
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

    #[rstest]
    #[case(None, "there is no such account in the pool", None, false)]
    #[case(Some(Err(Reason::Disabled)), "it is disabled", None, false)]
    #[case(Some(Err(Reason::TierTooLow)), "its tier is too low for the model", None, false)]
    #[case(Some(Err(COOLING)), "it rests after a failure", Some(5), false)]
    #[case(Some(Err(NEVER)), "its quota is used up", None, false)]
    #[case(Some(Err(Reason::Saturated)), "it is busy", Some(1), true)]
    #[case(Some(Ok(())), "it is busy", Some(1), true)]
    fn one_account_is_refused_by_its_own_reason(
        #[case] verdict: Option<Verdict>,
        #[case] reason: &str,
        #[case] seconds: Option<u64>,
        #[case] busy: bool,
    ) {
        let refused = Refusal::of_only(verdict).refused(NOW);
        assert_eq!((refused.error.code.as_ref(), refused.busy), ("account_cannot_serve", busy));
        assert!(refused.error.message.ends_with(reason), "{}", refused.error.message);
        assert_eq!(refused.error.retry_after, seconds.map(Duration::from_secs));
    }

    #[test]
    fn an_empty_pool_tells_how_to_fill_it() {
        assert!(Refusal::default().error(NOW).message.contains("grok2api accounts add"));
    }
}
