//! [`Idempotency`] in the memory of one process.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Claimed, Id, Idempotency, LARGEST, weight};
use crate::Result;

/// Most bytes of all answers together.
const MOST: usize = 64 * 1024 * 1024;

/// Counted by tokio's clock.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    requests: HashMap<Id, Request>,
    /// The one that ends first, first.
    ends: BTreeSet<(Instant, Id)>,
    /// Of the answers.
    bytes: usize,
}

struct Request {
    fingerprint: [u8; 32],
    ends: Instant,
    state: State,
}

enum State {
    Running(String),
    Done(Option<Vec<u8>>),
}

impl Kept {
    /// Forgets what has ended, and while there is too much the answers that would end first. Claims weigh nothing.
    fn prune(&mut self, most: usize) {
        let now = Instant::now();
        while let Some((_, id)) = self.ends.first().copied().filter(|(ends, _)| *ends <= now) {
            self.remove(&id);
        }
        while self.bytes > most {
            let done = |(_, id): &&(Instant, Id)| matches!(self.requests[id].state, State::Done(_));
            let Some((_, id)) = self.ends.iter().find(done).copied() else { return };
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &Id) -> Option<Request> {
        let request = self.requests.remove(id)?;
        self.ends.remove(&(request.ends, *id));
        if let State::Done(answer) = &request.state {
            self.bytes -= weight(answer.as_deref());
        }
        Some(request)
    }

    fn insert(&mut self, id: Id, fingerprint: [u8; 32], state: State, for_ms: u64) {
        let ends = Instant::now() + Duration::from_millis(for_ms);
        if let State::Done(answer) = &state {
            self.bytes += weight(answer.as_deref());
        }
        self.ends.insert((ends, id));
        self.requests.insert(id, Request { fingerprint, ends, state });
    }

    /// Takes the claim out that is the owner's.
    fn take(&mut self, id: &Id, owner: &str) -> Option<Request> {
        let found = self.requests.get(id)?;
        let theirs = matches!(&found.state, State::Running(of) if of == owner);
        if theirs { self.remove(id) } else { None }
    }
}

#[async_trait]
impl Idempotency for Memory {
    async fn claim(&self, id: &Id, fingerprint: &[u8; 32], owner: &str, for_ms: u64) -> Result<Claimed> {
        let mut kept = self.0.lock();
        kept.prune(MOST);
        let Some(known) = kept.requests.get(id) else {
            kept.insert(*id, *fingerprint, State::Running(owner.to_owned()), for_ms);
            return Ok(Claimed::Yours);
        };
        Ok(match &known.state {
            _ if known.fingerprint != *fingerprint => Claimed::Different,
            State::Running(_) => Claimed::Running,
            State::Done(Some(answer)) => Claimed::Answered(answer.clone()),
            State::Done(None) => Claimed::NotKept,
        })
    }

    async fn renew(&self, claims: &[(Id, String)], for_ms: u64) -> Result<()> {
        let mut kept = self.0.lock();
        kept.prune(MOST);
        for (id, owner) in claims {
            if let Some(request) = kept.take(id, owner) {
                kept.insert(*id, request.fingerprint, request.state, for_ms);
            }
        }
        Ok(())
    }

    async fn answer(&self, id: &Id, owner: &str, answer: Option<&[u8]>, for_ms: u64) -> Result<bool> {
        let mut kept = self.0.lock();
        let Some(request) = kept.take(id, owner) else { return Ok(false) };
        let answer = answer.filter(|answer| answer.len() <= LARGEST).map(<[u8]>::to_vec);
        kept.insert(*id, request.fingerprint, State::Done(answer), for_ms);
        kept.prune(MOST);
        Ok(true)
    }

    async fn release(&self, id: &Id, owner: &str) -> Result<()> {
        self.0.lock().take(id, owner);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_answers_together_are_bounded_and_claims_stay() {
        let memory = Memory::default();
        let id = |number: u8| [number; 32];
        memory.claim(&id(255), &[0; 32], "claimed", 1_000).await.unwrap();
        let answer = vec![0; LARGEST];
        for number in 0..40 {
            memory.claim(&id(number), &[0; 32], "owner", 60_000).await.unwrap();
            assert!(memory.answer(&id(number), "owner", Some(&answer), 60_000).await.unwrap());
            assert!(memory.0.lock().bytes <= MOST);
        }
        assert_eq!(memory.0.lock().requests.len(), 17);
        let claim = async |number| memory.claim(&id(number), &[0; 32], "other", 1).await.unwrap();
        assert_eq!(claim(255).await, Claimed::Running);
        assert_eq!(claim(39).await, Claimed::Answered(answer.clone()));
        assert_eq!(claim(0).await, Claimed::Yours, "the oldest was forgotten");
    }
}
