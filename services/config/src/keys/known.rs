//! The keys as this replica knows them, and who is told of their changes.

use std::{collections::HashMap, sync::Arc};

use grok2api_proto::keys::{Changes, Facts};
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
    /// The number at which keys went; whoever has seen less needs all of them.
    replaced: u64,
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

    /// Takes in what was changed in the store up to that version.
    pub(super) fn learn(&self, version: u64, facts: impl Iterator<Item = Facts>) {
        self.change(version, |keys, number| {
            keys.by_id.extend(facts.map(|facts| (facts.id.clone(), (number, facts))));
        });
    }

    /// Takes in all that the store has at that version; what it does not have is no more.
    pub(super) fn replace(&self, version: u64, facts: impl Iterator<Item = Facts>) {
        self.change(version, |keys, number| {
            let mut before = std::mem::take(&mut keys.by_id);
            keys.by_id = facts
                .map(|facts| match before.remove(&facts.id) {
                    Some(known) if known.1 == facts => (facts.id.clone(), known),
                    _ => (facts.id.clone(), (number, facts)),
                })
                .collect();
            if !before.is_empty() {
                keys.replaced = number;
                tracing::warn!("the store went back: {} client keys are no more", before.len());
            }
        });
    }

    fn change(&self, version: u64, change: impl FnOnce(&mut Keys, u64)) {
        let number = {
            let mut keys = self.keys.lock();
            keys.version = version;
            keys.number += 1;
            let number = keys.number;
            change(&mut keys, number);
            number
        };
        self.newest.send_replace(number);
    }

    /// All keys, and a watcher for what comes.
    pub(super) fn watch(&self) -> (Changes, Watcher) {
        let mut watcher = Watcher { keys: self.keys.clone(), newest: self.newest.subscribe(), seen: 0 };
        let all = watcher.unseen();
        (Changes { whole: true, ..all }, watcher)
    }
}

impl Watcher {
    /// The next changes; `None` when the service is gone.
    pub(super) async fn changed(&mut self) -> Option<Changes> {
        loop {
            self.newest.changed().await.ok()?;
            let changes = self.unseen();
            if changes.whole || !changes.keys.is_empty() {
                return Some(changes);
            }
        }
    }

    fn unseen(&mut self) -> Changes {
        let keys = self.keys.lock();
        let whole = keys.replaced > self.seen;
        let unseen = keys.by_id.values().filter(|(number, _)| whole || *number > self.seen);
        let facts = unseen.map(|(_, facts)| facts.clone()).collect();
        self.seen = keys.number;
        Changes { keys: facts, whole }
    }
}
