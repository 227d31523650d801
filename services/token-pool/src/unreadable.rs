//! Accounts whose rows are damaged: told to whoever asks, and in nobody's way.

use std::collections::BTreeMap;

use grok2api_proto::pool;
use grok2api_storage::accounts::Changes;
use parking_lot::Mutex;

/// What is wrong with them, by their ids.
#[derive(Default)]
pub(crate) struct UnreadableRows(Mutex<BTreeMap<String, String>>);

impl UnreadableRows {
    /// Takes over what was written, or the whole store; says what is new.
    pub(crate) fn learn(&self, changes: &Changes, whole: bool) {
        let mut rows = self.0.lock();
        if whole {
            rows.retain(|id, _| changes.unreadable.iter().any(|row| row.id == *id));
        }
        for account in &changes.accounts {
            rows.remove(&account.id.to_string());
        }
        for row in &changes.unreadable {
            let (id, reason) = (&row.id, &row.reason);
            if row.removed {
                rows.remove(id);
            } else if rows.insert(id.clone(), reason.clone()).is_none() {
                tracing::error!(
                    account.id = id,
                    "account {id} cannot be read, and is left out: {reason}; add its token again, or remove it with: \
                     grok2api accounts remove {id}"
                );
            }
        }
    }

    /// Whether this is one.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.lock().contains_key(id)
    }

    /// It was removed or replaced.
    pub(crate) fn forget(&self, id: &str) {
        self.0.lock().remove(id);
    }

    /// As people see them.
    pub(crate) fn accounts(&self) -> Vec<pool::Account> {
        let account = |(id, reason): (&String, &String)| pool::Account {
            id: id.clone(),
            status: pool::Status::Unreadable.into(),
            cause: reason.clone(),
            ..pool::Account::default()
        };
        self.0.lock().iter().map(account).collect()
    }
}
