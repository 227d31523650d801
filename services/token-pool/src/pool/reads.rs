//! Which windows to read from the upstream, and when: a queue with single flight, back-off and a budget. Pure.

use std::collections::{BTreeSet, HashMap, VecDeque};

use uuid::Uuid;

use crate::classes::ClassId;

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const FIRST_RETRY_MS: i64 = 30_000;
pub(crate) const LONGEST_RETRY_MS: i64 = 60 * MINUTE_MS;
/// One of so many readings is kept for the urgent ones.
const URGENT_SHARE: usize = 4;

/// One window of one account.
pub(crate) type Target = (Uuid, ClassId);

/// What is served first when the budget is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// The operator waits for it, and a request has just met it.
    Pressing,
    /// The operator waits for it.
    Asked,
    /// A request has just met it: unknown after use, a 429, a strike.
    Used,
    /// Its reset came due.
    Reset,
    /// Nobody has used it yet.
    Idle,
}

impl Urgency {
    /// Whether a request that was made for it may use all of the budget. What is asked for in bulk must leave a part of
    /// it, or an account that has just failed would wait for hours.
    pub(crate) fn is_urgent(self) -> bool {
        matches!(self, Self::Pressing | Self::Used)
    }

    /// Whether the operator waits for it.
    pub(crate) fn is_asked(self) -> bool {
        matches!(self, Self::Pressing | Self::Asked)
    }

    /// Both of two wishes for one reading.
    fn and(self, other: Self) -> Self {
        let both = (self.is_asked() || other.is_asked()) && (self.is_urgent() || other.is_urgent());
        if both { Self::Pressing } else { self.min(other) }
    }

    /// The most urgent first.
    pub(crate) const ALL: [Self; 5] = [Self::Pressing, Self::Asked, Self::Used, Self::Reset, Self::Idle];
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    queue: BTreeSet<(Urgency, i64, Target)>,
    entries: HashMap<Target, Entry>,
    /// What was asked of the upstream in the last minute, newest last: when, and whether it was urgent.
    begun: VecDeque<(i64, bool)>,
    /// Nothing is read before.
    paused_until: i64,
}

#[derive(Debug, Default)]
struct Entry {
    queued: Option<(Urgency, i64)>,
    running: bool,
    failures: u32,
    not_before: i64,
}

impl Reads {
    /// Asks for a reading; a more urgent wish replaces a lesser one, and back-off holds for all but the operator.
    pub(crate) fn want(&mut self, target: Target, urgency: Urgency, now: i64) {
        let entry = self.entries.entry(target).or_default();
        let urgency = entry.queued.map_or(urgency, |(queued, _)| queued.and(urgency));
        let due = if urgency.is_asked() { now } else { now.max(entry.not_before) };
        let place = (urgency, due);
        if entry.queued.is_some_and(|queued| queued <= place) {
            return;
        }
        if let Some((urgency, due)) = entry.queued.replace(place) {
            self.queue.remove(&(urgency, due, target));
        }
        self.queue.insert((place.0, place.1, target));
    }

    /// The next reading to begin, if one is due and so many a minute allow it.
    pub(crate) fn take(&mut self, budget: usize, now: i64) -> Option<(Target, Urgency)> {
        while self.begun.pop_front_if(|(at, _)| *at + MINUTE_MS <= now).is_some() {}
        if self.begun.len() >= budget || now < self.paused_until {
            return None;
        }
        let bulk = self.begun.iter().filter(|(_, urgent)| !urgent).count();
        let (urgency, due, target) = self.first_due(bulk >= bulk_budget(budget), now)?;
        self.queue.remove(&(urgency, due, target));
        let entry = self.entries.entry(target).or_default();
        (entry.queued, entry.running) = (None, true);
        self.count(urgency, now);
        Some((target, urgency))
    }

    /// Counts a request to the upstream that is made along with a reading.
    pub(crate) fn count(&mut self, urgency: Urgency, now: i64) {
        self.begun.push_back((now, urgency.is_urgent()));
    }

    /// What was counted last is not made.
    pub(crate) fn uncount(&mut self) {
        self.begun.pop_back();
    }

    /// Makes no reading before that time.
    pub(crate) fn pause(&mut self, until: i64) {
        self.paused_until = self.paused_until.max(until);
    }

    /// Ends a reading; a failed one is tried again later.
    pub(crate) fn done(&mut self, target: Target, ok: bool, now: i64) {
        let Some(entry) = self.entries.get_mut(&target) else { return };
        entry.running = false;
        if ok {
            (entry.failures, entry.not_before) = (0, 0);
            if entry.queued.is_none() {
                self.entries.remove(&target);
            }
            return;
        }
        let wait = FIRST_RETRY_MS.saturating_mul(1 << entry.failures.min(20)).min(LONGEST_RETRY_MS);
        (entry.failures, entry.not_before) = (entry.failures + 1, now + wait);
        // What the operator has asked for meanwhile is still to come.
        if let Some((urgency, due)) = entry.queued.take_if(|(urgency, _)| !urgency.is_asked()) {
            self.queue.remove(&(urgency, due, target));
        }
        self.want(target, Urgency::Idle, now);
    }

    /// All is known of the window: nobody needs another reading, unless the operator has asked for one meanwhile.
    pub(crate) fn satisfied(&mut self, target: Target) {
        let queued = self.entries.get(&target).and_then(|entry| entry.queued);
        if queued.is_none_or(|(urgency, _)| !urgency.is_asked()) {
            self.forget(target);
        }
    }

    /// The account is gone.
    pub(crate) fn forget(&mut self, target: Target) {
        if let Some(Entry { queued: Some((urgency, due)), .. }) = self.entries.remove(&target) {
            self.queue.remove(&(urgency, due, target));
        }
    }

    fn first_due(&self, only_urgent: bool, now: i64) -> Option<(Urgency, i64, Target)> {
        let mut urgencies = Urgency::ALL.into_iter().filter(|urgency| urgency.is_urgent() || !only_urgent);
        urgencies.find_map(|urgency| {
            let from = (urgency, i64::MIN, (Uuid::nil(), ClassId::new(0)));
            let until = (urgency, now, (Uuid::max(), ClassId::new(usize::MAX)));
            self.queue.range(from..=until).find(|(_, _, target)| !self.is_running(*target)).copied()
        })
    }

    fn is_running(&self, target: Target) -> bool {
        self.entries.get(&target).is_some_and(|entry| entry.running)
    }
}

/// How much of a minute's budget may go to what is not urgent.
pub(crate) fn bulk_budget(budget: usize) -> usize {
    budget - (budget / URGENT_SHARE).max(usize::from(budget > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: usize = 60;

    fn target(number: u128) -> Target {
        (Uuid::from_u128(number), ClassId::new(0))
    }

    fn take(reads: &mut Reads, now: i64) -> Option<Target> {
        reads.take(BUDGET, now).map(|(target, _)| target)
    }

    #[test]
    fn the_urgent_come_first_and_one_window_is_read_once_at_a_time() {
        let mut reads = Reads::default();
        reads.want(target(1), Urgency::Idle, 0);
        reads.want(target(2), Urgency::Reset, 0);
        reads.want(target(3), Urgency::Used, 0);
        reads.want(target(1), Urgency::Used, 1);
        assert_eq!(take(&mut reads, 1), Some(target(3)));
        assert_eq!(take(&mut reads, 1), Some(target(1)), "a more urgent wish moves it");
        reads.want(target(1), Urgency::Used, 2);
        assert_eq!(take(&mut reads, 2), Some(target(2)), "target 1 is being read");
        assert_eq!(take(&mut reads, 2), None);
        reads.done(target(1), true, 3);
        assert_eq!(take(&mut reads, 3), Some(target(1)), "it was wanted again meanwhile");
    }

    #[test]
    fn a_failing_reading_backs_off_up_to_an_hour_whoever_asks() {
        let mut reads = Reads::default();
        let mut now = 0;
        for wait in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
            reads.want(target(1), Urgency::Used, now);
            assert_eq!(take(&mut reads, now), Some(target(1)));
            reads.done(target(1), false, now);
            reads.want(target(1), Urgency::Used, now);
            assert_eq!(take(&mut reads, now + wait * 1000 - 1), None, "after {wait} s");
            now += wait * 1000;
        }
        assert_eq!(take(&mut reads, now), Some(target(1)));
        reads.done(target(1), true, now);
        reads.want(target(1), Urgency::Used, now);
        assert_eq!(take(&mut reads, now), Some(target(1)), "success ends the back-off");
        reads.done(target(1), false, now);
        reads.want(target(1), Urgency::Asked, now);
        assert_eq!(reads.take(BUDGET, now), Some((target(1), Urgency::Asked)), "the operator need not wait");
    }

    #[test]
    fn the_budget_of_a_minute_is_kept() {
        let mut reads = Reads::default();
        for number in 0..200 {
            reads.want(target(number), Urgency::Idle, 0);
        }
        let begin = |reads: &mut Reads, now| std::iter::from_fn(|| reads.take(BUDGET, now)).count();
        assert_eq!(begin(&mut reads, 0), bulk_budget(BUDGET));
        assert_eq!(begin(&mut reads, MINUTE_MS - 1), 0);
        assert_eq!(begin(&mut reads, MINUTE_MS), bulk_budget(BUDGET));
        for number in 200..300 {
            reads.want(target(number), Urgency::Used, MINUTE_MS);
        }
        assert_eq!(begin(&mut reads, MINUTE_MS), BUDGET - bulk_budget(BUDGET), "a part is for the urgent");
        assert_eq!(begin(&mut reads, 2 * MINUTE_MS), BUDGET, "which may have all of it");
    }

    #[test]
    fn whoever_has_just_failed_is_read_though_the_operator_has_asked_for_everybody() {
        let mut reads = Reads::default();
        for number in 0..50_000 {
            reads.want(target(number), Urgency::Asked, 0);
        }
        let begun = std::iter::from_fn(|| reads.take(BUDGET, 0)).count();
        assert_eq!(begun, bulk_budget(BUDGET));
        for failed in [target(40_000), target(60_000)] {
            reads.want(failed, Urgency::Used, 1);
            assert_eq!(take(&mut reads, 1), Some(failed), "whether it has been asked for or not");
        }
        assert_eq!(take(&mut reads, 1), None);
    }

    #[test]
    fn a_pause_holds_for_everybody_and_what_is_made_along_counts() {
        let mut reads = Reads::default();
        for number in 0..200 {
            reads.want(target(number), Urgency::Used, 0);
        }
        assert_eq!(take(&mut reads, 0), Some(target(0)));
        reads.count(Urgency::Used, 0);
        reads.pause(500);
        reads.pause(400);
        assert_eq!(take(&mut reads, 499), None);
        assert_eq!(std::iter::from_fn(|| take(&mut reads, 500)).count(), BUDGET - 2);
    }

    #[test]
    fn what_the_operator_asks_for_during_a_reading_is_read_after_it() {
        for ok in [true, false] {
            let mut reads = Reads::default();
            reads.want(target(1), Urgency::Idle, 0);
            assert_eq!(take(&mut reads, 0), Some(target(1)));
            reads.want(target(1), Urgency::Asked, 0);
            reads.done(target(1), ok, 0);
            reads.satisfied(target(1));
            assert_eq!(reads.take(BUDGET, 0), Some((target(1), Urgency::Asked)));
            reads.done(target(1), true, 0);
            reads.want(target(1), Urgency::Used, 0);
            reads.satisfied(target(1));
            assert_eq!(reads.take(BUDGET, 0), None, "what nobody waits for is dropped");
        }
    }

    #[test]
    fn a_forgotten_window_is_not_read() {
        let mut reads = Reads::default();
        reads.want(target(1), Urgency::Used, 0);
        reads.forget(target(1));
        assert_eq!(take(&mut reads, 0), None);
        reads.done(target(1), false, 0);
        assert_eq!(take(&mut reads, i64::MAX / 2), None, "a reading that ends afterwards changes nothing");
    }
}
