//! Which readings the pool wants, and what they bring.

use uuid::Uuid;

use super::{Pool, Urgency};
use crate::reading::{ReadEnd, ReadJob};

impl Pool {
    /// The next reading to make, if one is due and the budget allows it.
    pub(crate) fn next_read(&mut self, now: i64) -> Option<ReadJob> {
        self.advance(now);
        let budget = self.roster.limits().readings_per_minute as usize;
        loop {
            let (target, urgency) = self.reads.take(budget, now)?;
            let (classes, number) = (self.roster.classes(), self.readings + 1);
            let account = self.roster.get(target.0);
            let job =
                account.and_then(|account| ReadJob::of(account, classes, (target, urgency), number, now));
            match job {
                None => {
                    self.reads.uncount();
                    self.reads.done(target, true, now);
                }
                Some(job) => {
                    self.readings = number;
                    if job.anonymous {
                        // Whose it is will be asked along with it.
                        self.reads.count(urgency, now);
                    }
                    return Some(job);
                }
            }
        }
    }

    /// Takes in what a reading brought.
    pub(crate) fn read_done(&mut self, job: &ReadJob, end: &ReadEnd, now: i64) {
        let id = job.target.0;
        let read = self.roster.change(id, now, |account, _| account.take(job, end, now)).unwrap_or_default();
        self.roster.write(id);
        if read.probe {
            self.reads.want(job.target, Urgency::Used, now);
        }
        self.reads.done(job.target, read.ok, now);
        if let Some(pause) = end.pause_ms() {
            self.reads.pause(now + pause);
        }
        if read.satisfied {
            self.reads.satisfied(job.target);
        }
    }

    /// Everything that comes of a reading has come of it: those who wait for it may know.
    pub(crate) fn read_told(&mut self, job: &ReadJob) {
        if let Some(account) = self.roster.get_mut(job.target.0) {
            account.window_mut(job.target.1).told(job.number);
        }
    }

    /// Asks for readings of accounts, ahead of everything else. Returns how many had begun before.
    pub(crate) fn ask(&mut self, ids: &[Uuid], now: i64) -> u64 {
        ids.iter().for_each(|id| self.want_all(*id, Urgency::Asked, now));
        self.readings
    }

    /// Asks for readings of every window of an account.
    pub(crate) fn want_all(&mut self, id: Uuid, urgency: Urgency, now: i64) {
        self.roster.targets(id).into_iter().for_each(|target| self.reads.want(target, urgency, now));
    }

    /// Asks for what is not known of an account.
    pub(super) fn want_unknown(&mut self, id: Uuid, urgency: Urgency, now: i64) {
        self.roster.unknown(id, now).into_iter().for_each(|target| self.reads.want(target, urgency, now));
    }
}
