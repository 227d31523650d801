//! One reading of a true quota, and what an account makes of it. Pure.

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{Status, Tier, Token};

use crate::{
    account::{Account, Blame},
    classes::{Classes, Counter},
    policy,
    pool::{Target, Urgency},
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
    /// The upstream's user is not known yet.
    pub(crate) anonymous: bool,
    pub(crate) began_at: i64,
    /// The operator waits for it.
    pub(crate) asked: bool,
    /// Counts the readings in the order they began.
    pub(crate) number: u64,
    mark: Mark,
}

/// How a reading ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// Plausible numbers.
    Reading(Reading),
    /// The credential was refused.
    Refused(Outcome, String),
    /// Nothing was learned, and why; what is known stays.
    Failed(String),
    /// Too many readings were made: for so long, if it is told, nobody is to make any.
    Limited(Option<i64>, String),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// It was taken over.
    pub(crate) ok: bool,
    /// Nobody needs another one.
    pub(crate) satisfied: bool,
    /// The credential should be probed.
    pub(crate) probe: bool,
}

/// How far a reading is that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Pending,
    Read,
    Failed(String),
    /// Its account is gone.
    Gone,
}

impl ReadJob {
    /// A reading that begins now; none when the account is out of use and nobody asks for it.
    pub(crate) fn of(
        account: &Account,
        classes: &Classes,
        (target, urgency): (Target, Urgency),
        number: u64,
        now: i64,
    ) -> Option<Self> {
        let asked = urgency.is_asked();
        if !asked && (!account.stored.enabled || account.is_dead()) {
            return None;
        }
        let window = account.window(target.1);
        let name = window.rate_limit_name.as_deref().unwrap_or(classes.rate_limit_name(target.1));
        Some(Self {
            target,
            token: account.stored.token.clone(),
            tier: account.stored.tier,
            rate_limit_name: name.to_owned(),
            counter: classes.counter(target.1),
            anonymous: account.stored.user_id.is_none(),
            began_at: now,
            asked,
            number,
            mark: window.mark(),
        })
    }
}

impl ReadEnd {
    /// For how long no reading is to be made of any account.
    pub(crate) fn pause_ms(&self) -> Option<i64> {
        let Self::Limited(wait, _) = self else { return None };
        Some(wait.unwrap_or(policy::READ_PAUSE_MS).clamp(0, policy::LONGEST_READ_PAUSE_MS))
    }
}

impl Account {
    /// Takes in what a reading brought.
    pub(crate) fn take(&mut self, job: &ReadJob, end: &ReadEnd, now: i64) -> Read {
        let class = job.target.1;
        let mut probe = false;
        let error = match end {
            ReadEnd::Reading(reading) => self.believe(job, *reading, now).err(),
            ReadEnd::Refused(outcome, cause) => {
                let blame = Blame {
                    outcome: *outcome,
                    effect: policy::rule(*outcome).effect,
                    class,
                    began_at: job.began_at,
                    retry_after_ms: None,
                    cause: cause.clone(),
                };
                self.record(&blame, true, now);
                probe = self.blame(&blame, now);
                Some(cause.clone())
            }
            ReadEnd::Failed(cause) | ReadEnd::Limited(_, cause) => Some(cause.clone()),
        };
        let window = self.window_mut(class);
        window.read_error = error.map(String::into_boxed_str);
        let ok = window.read_error.is_none();
        Read { ok, satisfied: ok && window.is_settled(), probe }
    }

    /// How far a reading is that was asked for when so many had begun.
    pub(crate) fn asked(&self, target: Target, since: u64) -> Asked {
        let window = self.window(target.1);
        match &window.read_error {
            _ if window.read_number <= since => Asked::Pending,
            None => Asked::Read,
            Some(error) => Asked::Failed(error.to_string()),
        }
    }

    /// What the upstream reports, if it can be believed. The credential was taken: what it was struck for is
    /// disproved. "Invalid" and "banned" wait for a person.
    fn believe(&mut self, job: &ReadJob, reading: Reading, now: i64) -> Result<(), String> {
        self.absolve();
        if job.asked && self.is_dead() {
            self.status = Status::Active;
        }
        self.window_mut(job.target.1).observe(reading, job.mark, now)
    }
}
