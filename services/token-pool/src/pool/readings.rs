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
    /// The upstream's user is not known yet.
    pub(crate) anonymous: bool,
    pub(crate) began_at: i64,
    /// The operator waits for it.
    asked: bool,
    /// Counts the readings in the order they began.
    number: u64,
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

impl Pool {
    /// The next reading to make, if one is due and the budget allows it.
    pub(crate) fn next_read(&mut self, now: i64) -> Option<ReadJob> {
        self.advance(now);
        loop {
            let (target, urgency) = self.reads.take(now)?;
            let Some(slot) = self.slots.get(&target.0) else { continue };
            let account = &slot.account;
            // What the operator asks for is read whatever its state.
            if urgency != Urgency::Asked && (!account.stored.enabled || account.is_dead()) {
                self.reads.done(target, true, now);
                continue;
            }
            let window = account.window(target.1);
            let name = window.rate_limit_name.as_deref().unwrap_or(self.classes.rate_limit_name(target.1));
            self.readings += 1;
            return Some(ReadJob {
                target,
                token: account.stored.token.clone(),
                tier: account.stored.tier,
                rate_limit_name: name.to_owned(),
                counter: self.classes.counter(target.1),
                anonymous: account.stored.user_id.is_none(),
                began_at: now,
                asked: urgency == Urgency::Asked,
                number: self.readings,
                mark: window.mark(),
            });
        }
    }

    /// Takes in what a reading brought.
    pub(crate) fn read_done(&mut self, job: &ReadJob, end: ReadEnd, now: i64) {
        let (id, class) = job.target;
        let error = match &end {
            ReadEnd::Reading(_) => None,
            ReadEnd::Refused(_, cause) | ReadEnd::Failed(cause) => Some(cause.clone()),
        };
        let error = match end {
            ReadEnd::Reading(reading) => self.adopt(job, reading, now).err(),
            ReadEnd::Refused(outcome, cause) => {
                let blame = Blame {
                    outcome,
                    effect: policy::rule(outcome).effect,
                    class,
                    began_at: job.began_at,
                    retry_after_ms: None,
                    cause,
                };
                self.record(id, &blame, true, now);
                self.blame(id, &blame, now);
                error
            }
            ReadEnd::Failed(_) => error,
        };
        self.reads.done(job.target, error.is_none(), now);
        if let Some(slot) = self.slots.get_mut(&id) {
            let window = slot.account.window_mut(class);
            window.read_error = error.map(String::into_boxed_str);
            if window.read_error.is_none() && window.is_settled() {
                self.reads.satisfied(job.target);
            }
        }
    }

    /// Everything that comes of a reading has come of it: those who wait for it may know.
    pub(crate) fn read_told(&mut self, job: &ReadJob) {
        if let Some(slot) = self.slots.get_mut(&job.target.0) {
            slot.account.window_mut(job.target.1).read_number = job.number;
        }
    }

    /// Asks for readings of an account, ahead of everything else. Returns which.
    pub(crate) fn ask(&mut self, id: Uuid, now: i64) -> Vec<Target> {
        let Some(slot) = self.slots.get(&id) else { return Vec::new() };
        let targets: Vec<Target> =
            self.classes.of_tier(slot.account.stored.tier).map(|class| (id, class)).collect();
        targets.iter().for_each(|target| self.reads.want(*target, Urgency::Asked, now));
        targets
    }

    /// How many readings have begun; tells later what has been read since.
    pub(crate) fn readings(&self) -> u64 {
        self.readings
    }

    /// How far a reading is that was asked for when [`Pool::readings`] gave `since`.
    pub(crate) fn asked(&self, target: Target, since: u64) -> Asked {
        let Some(slot) = self.slots.get(&target.0) else { return Asked::Gone };
        let window = slot.account.window(target.1);
        match &window.read_error {
            _ if window.read_number <= since => Asked::Pending,
            None => Asked::Read,
            Some(error) => Asked::Failed(error.to_string()),
        }
    }

    /// Of windows that came due, those to read now. The others are read once they are used.
    pub(super) fn unless_idle(&mut self, id: Uuid, due: Vec<ClassId>, now: i64) -> Vec<ClassId> {
        match self.slots.get_mut(&id) {
            Some(slot) if slot.account.is_idle(now) => {
                due.iter().for_each(|class| slot.account.window_mut(*class).doubt());
                Vec::new()
            }
            _ => due,
        }
    }

    /// Takes over what the upstream reports, if it can be believed.
    fn adopt(&mut self, job: &ReadJob, reading: Reading, now: i64) -> Result<(), String> {
        let (id, class) = job.target;
        let adopted = self.change(id, now, |account, _| {
            // The credential was taken: what it was struck for is disproved. "Invalid" and "banned" wait for a person.
            account.absolve();
            if job.asked && account.is_dead() {
                account.status = Status::Active;
            }
            account.window_mut(class).observe(reading, job.mark, now)
        });
        self.unwritten.insert(id);
        adopted.unwrap_or(Ok(()))
    }

    /// Asks for what is not known of an account.
    pub(super) fn want_unknown(&mut self, id: Uuid, urgency: Urgency, now: i64) {
        let Some(slot) = self.slots.get(&id).filter(|slot| !slot.account.is_idle(now)) else { return };
        let tier = slot.account.stored.tier;
        let unknown = self.classes.of_tier(tier).filter(|class| slot.account.window(*class).wants_reading());
        let unknown: Vec<ClassId> = unknown.collect();
        unknown.into_iter().for_each(|class| self.reads.want((id, class), urgency, now));
    }
}
