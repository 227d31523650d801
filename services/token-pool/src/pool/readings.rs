//! Which readings the pool wants, and what they bring.

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{Status, Tier, Token};
use uuid::Uuid;

use super::{Pool, Target, Urgency};
use crate::{
    account::Blame,
    classes::{ClassId, Counter},
    policy,
    window::{Mark, Reading},
};

/// A reading to make.
#[derive(Clone, Debug)]
pub(crate) struct ReadJob {
    pub(crate) target: Target,
    pub(crate) token: Token,
    pub(crate) tier: Tier,
    pub(crate) rate_limit_name: String,
    pub(crate) counter: Counter,
    pub(crate) began_at: i64,
    mark: Mark,
}

/// How a reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// Plausible numbers.
    Reading(Reading),
    /// The credential was refused.
    Refused(Outcome, String),
    /// Nothing was learned; what is known stays.
    Nothing,
}

impl Pool {
    /// The next reading to make, if one is due and the budget allows it.
    pub(crate) fn next_read(&mut self, now: i64) -> Option<ReadJob> {
        self.advance(now);
        loop {
            let target = self.reads.take(now)?;
            let Some(slot) = self.slots.get(&target.0) else { continue };
            let account = &slot.account;
            if !account.stored.enabled
                || matches!(account.status, Status::Invalid { .. } | Status::Banned { .. })
            {
                self.reads.done(target, true, now);
                continue;
            }
            let window = account.window(target.1);
            let name = window.rate_limit_name.as_deref().unwrap_or(self.classes.rate_limit_name(target.1));
            return Some(ReadJob {
                target,
                token: account.stored.token.clone(),
                tier: account.stored.tier,
                rate_limit_name: name.to_owned(),
                counter: self.classes.counter(target.1),
                began_at: now,
                mark: window.mark(),
            });
        }
    }

    /// Takes in what a reading brought.
    pub(crate) fn read_done(&mut self, job: &ReadJob, end: ReadEnd, now: i64) {
        let (id, class) = job.target;
        self.reads.done(job.target, matches!(end, ReadEnd::Reading(_)), now);
        match end {
            ReadEnd::Nothing => {}
            ReadEnd::Reading(reading) => {
                self.change(id, now, |account, _| {
                    account.window_mut(class).observe(reading, job.mark, now);
                });
                // The credential was taken: what it was struck for is disproved.
                self.absolve(id);
                self.unwritten.insert(id);
                if self.slots.get(&id).is_some_and(|slot| slot.account.window(class).is_settled()) {
                    self.reads.forget(job.target);
                }
            }
            ReadEnd::Refused(outcome, cause) => {
                let effect = policy::rule(outcome).effect;
                self.blame(
                    id,
                    &Blame { effect, class, began_at: job.began_at, retry_after_ms: None, cause },
                    now,
                );
            }
        }
    }

    /// Asks for what is not known of an account.
    pub(super) fn want_unknown(&mut self, id: Uuid, urgency: Urgency, now: i64) {
        let Some(slot) = self.slots.get(&id) else { return };
        let tier = slot.account.stored.tier;
        let unknown = self.classes.of_tier(tier).filter(|class| slot.account.window(*class).wants_reading());
        let unknown: Vec<ClassId> = unknown.collect();
        unknown.into_iter().for_each(|class| self.reads.want((id, class), urgency, now));
    }
}
