//! What this replica knows of the shared state: a copy that lags a little, put right by every answer.

use uuid::Uuid;

use crate::{
    account::{Account, Fields},
    pool::Affinity,
    roster::Roster,
};

/// The copy.
#[derive(Default)]
pub(super) struct View {
    pub(super) roster: Roster,
    /// Bindings met here.
    pub(super) affinity: Affinity,
    /// Which life of the shared state it is a copy of; empty before the first look.
    pub(super) birth: String,
    /// The last change seen.
    pub(super) seen: i64,
}

impl View {
    /// Takes over an account's state, unless a newer one is known. After a loss of the shared state, what is there
    /// counts, whatever was known.
    pub(super) fn adopt(&mut self, id: Uuid, fields: &Fields, whatever: bool, now: i64) {
        let Some(account) = self.roster.get(id) else { return };
        if fields.0.is_empty() || (!whatever && fields.stamp().version <= account.stamp.version) {
            return;
        }
        let adopted = self.roster.change(id, now, |account, classes| account.adopt(fields, classes));
        if let Some(Err(reason)) = adopted {
            tracing::error!(account.id = %id, reason, "the state of account {id} in Redis is impossible: {reason}");
        }
    }

    /// The accounts as they are to be made anew after the shared state was lost: leases are lost with it, and their
    /// units count as spent.
    pub(super) fn orphans(&self) -> Vec<Account> {
        self.roster.accounts().map(Account::orphaned).collect()
    }
}
