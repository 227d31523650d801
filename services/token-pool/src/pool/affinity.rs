//! Which account a conversation was bound to: bounded, and forgotten an hour after its last turn.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

pub(crate) const KEPT_MS: i64 = 60 * 60 * 1000;
const MOST: usize = 100_000;

/// The bindings, by the callers' opaque keys.
#[derive(Debug, Default)]
pub(crate) struct Affinity {
    bound: HashMap<Box<str>, (Uuid, i64)>,
    /// By the time of the last turn.
    ages: BTreeSet<(i64, Box<str>)>,
}

impl Affinity {
    /// The account a conversation is bound to.
    pub(crate) fn of(&self, key: &str, now: i64) -> Option<Uuid> {
        self.bound.get(key).filter(|(_, at)| at + KEPT_MS > now).map(|(account, _)| *account)
    }

    /// Binds a conversation, or keeps its binding for another hour.
    pub(crate) fn bind(&mut self, key: &str, account: Uuid, now: i64) {
        match self.bound.get_mut(key) {
            Some(bound) => {
                self.ages.remove(&(bound.1, key.into()));
                *bound = (account, now);
            }
            None => {
                self.bound.insert(key.into(), (account, now));
            }
        }
        self.ages.insert((now, key.into()));
        self.forget(now);
    }

    /// It turns out not to be bound.
    pub(crate) fn unbind(&mut self, key: &str) {
        if let Some((_, at)) = self.bound.remove(key) {
            self.ages.remove(&(at, key.into()));
        }
    }

    fn forget(&mut self, now: i64) {
        while let Some((at, _)) = self.ages.first()
            && (at + KEPT_MS <= now || self.bound.len() > MOST)
            && let Some((_, key)) = self.ages.pop_first()
        {
            self.bound.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_lives_an_hour_from_its_last_turn() {
        let (mut affinity, account) = (Affinity::default(), Uuid::from_u128(1));
        affinity.bind("a", account, 0);
        affinity.bind("a", account, KEPT_MS - 1);
        assert_eq!(affinity.of("a", 2 * KEPT_MS - 2), Some(account));
        assert_eq!(affinity.of("a", 2 * KEPT_MS - 1), None);
        affinity.bind("b", account, 2 * KEPT_MS);
        assert_eq!((affinity.bound.len(), affinity.ages.len()), (1, 1), "what is over is dropped");
    }

    #[test]
    fn the_longest_unused_make_room() {
        let mut affinity = Affinity::default();
        for number in 0..=MOST as i64 {
            affinity.bind(&number.to_string(), Uuid::nil(), number);
        }
        let now = MOST as i64;
        assert_eq!((affinity.of("0", now), affinity.of("1", now)), (None, Some(Uuid::nil())));
        assert_eq!((affinity.bound.len(), affinity.ages.len()), (MOST, MOST));
    }
}
