//! The keys as this replica knows them, and who is told of their changes.

use std::{collections::HashMap, sync::Arc};

use grok2api_proto::keys::Facts;
use parking_lot::Mutex;
use tokio::sync::watch;

/// All keys, each with the number of the change that brought it.
pub(super) struct Known {
    keys: Arc<Mutex<Keys>>,
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Keys {
    /// Of the store.
    version: u64,
    /// Of this replica; counts what was learnt.
    number: u64,
    by_id: HashMap<String, (u64, Facts)>,
}

/// Sees every change once, several at a time if it is slow.
pub(super) struct Watcher {
    keys: Arc<Mutex<Keys>>,
    newest: watch::Receiver<u64>,
    seen: u64,
}

impl Default for Known {
    fn default() -> Self {
        Self { keys: Arc::default(), newest: watch::Sender::new(0) }
    }
}

impl Known {
    /// The store's version that is known.
    pub(super) fn version(&self) -> u64 {
        self.keys.lock().version
    }

    /// Takes in what the store has at that version.
    pub(super) fn learn(&self, version: u64, facts: impl Iterator<Item = Facts>) {
        let number = {
            let mut keys = self.keys.lock();
            keys.version = version;
            keys.number += 1;
            let number = keys.number;
            keys.by_id.extend(facts.map(|facts| (facts.id.clone(), (number, facts))));
            number
        };
        self.newest.send_replace(number);
    }

    /// All keys, and a watcher for what comes.
    pub(super) fn watch(&self) -> (Vec<Facts>, Watcher) {
        let mut watcher = Watcher { keys: self.keys.clone(), newest: self.newest.subscribe(), seen: 0 };
        (watcher.unseen(), watcher)
    }
}

impl Watcher {
    /// The next changes; `None` when the service is gone.
    pub(super) async fn changed(&mut self) -> Option<Vec<Facts>> {
        self.newest.changed().await.ok()?;
        Some(self.unseen())
    }

    fn unseen(&mut self) -> Vec<Facts> {
        let keys = self.keys.lock();
        let unseen = keys.by_id.values().filter(|(number, _)| *number > self.seen);
        let facts = unseen.map(|(_, facts)| facts.clone()).collect();
        self.seen = keys.number;
        facts
    }
}
