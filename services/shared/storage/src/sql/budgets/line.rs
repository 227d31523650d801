//! Those who wait for the next transaction: whoever is first makes it for all.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, oneshot};

use crate::{
    budgets::{Reservation, Reserved},
    client_keys::Budget,
};

/// Most of one transaction.
const TOGETHER: usize = 64;

/// A request that wants to be counted.
pub(super) struct Wish {
    pub(super) reservation: Reservation,
    pub(super) budgets: Vec<Budget>,
    /// It cannot have been counted before.
    pub(super) first: bool,
}

/// Closed without an answer when whoever should have given it failed or left: then one asks again.
pub(super) type Answer = oneshot::Sender<Reserved>;

#[derive(Default)]
pub(super) struct Line {
    waiting: Mutex<VecDeque<(Arc<Wish>, Answer)>>,
    /// Held by who grants.
    pub(super) turn: Turn<()>,
}

impl Line {
    pub(super) fn join(&self, wish: Arc<Wish>) -> oneshot::Receiver<Reserved> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().push_back((wish, answer));
        answered
    }

    /// Whose turn it is; those who have left are passed over.
    pub(super) fn next(&self) -> (Vec<Arc<Wish>>, Vec<Answer>) {
        let mut waiting = self.waiting.lock();
        let count = waiting.len().min(TOGETHER);
        waiting.drain(..count).filter(|(_, answer)| !answer.is_closed()).unzip()
    }
}
