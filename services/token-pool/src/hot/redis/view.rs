//! What this replica knows of the shared state: a copy that lags a little, put right by every answer.

use std::collections::BTreeMap;

use grok2api_proto::Result;
use uuid::Uuid;

use super::script::strange;
use crate::{
    account::{Account, Fields, Stamp},
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
    /// The last change looked at.
    pub(super) seen: u64,
    /// The newest version of any account that is known.
    newest: u64,
    /// Counts the losses.
    life: u64,
    /// The state turned out to be lost, or older than what is known.
    pub(super) lost: Option<Lost>,
    /// What the shared state has not been told yet.
    pub(super) owed: BTreeMap<Uuid, Owed>,
}

/// How a loss was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The state has another birth, or an account was made again: somebody has noticed, or it is empty.
    Reborn,
    /// An account is older than it was: nobody may have noticed yet.
    Older,
}

/// What is to be done about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// It is to be made, unless it is there.
    Load,
    /// Its row was removed at this version.
    Drop(u64),
}

/// What was known when a call was sent: its answer can be no older.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    newest: u64,
    life: u64,
}

impl View {
    pub(super) fn sent(&self) -> Sent {
        Sent { newest: self.newest, life: self.life }
    }

    /// Takes over an account's state, unless a newer one is known. Answers may be applied in any order; an answer
    /// that is older than what was known when it was asked for tells of a loss.
    ///
    /// # Errors
    /// A state that nobody of ours can have written.
    pub(super) fn adopt(&mut self, id: Uuid, fields: &Fields, sent: Sent, now: i64) -> Result<()> {
        let Some(account) = self.roster.get(id) else { return Ok(()) };
        let (known, stamp) = (account.stamp, fields.stamp());
        if fields.0.is_empty() || sent.life != self.life || stamp.version == known.version {
            return Ok(());
        }
        if stamp.version < known.version {
            if known.version <= sent.newest {
                self.lost.get_or_insert(Lost::Older);
            }
            return Ok(());
        }
        if known.made != 0 && known.made != stamp.made {
            // What is known of the one before may be needed to mend this one.
            self.lost = Some(Lost::Reborn);
            return Ok(());
        }
        let version = stamp.version;
        self.newest = self.newest.max(version);
        let adopted = self.roster.change(id, now, |account, classes| account.adopt(fields, classes));
        adopted.unwrap_or(Ok(())).map_err(|reason| strange(format_args!("account {id}: {reason}")))
    }

    /// Every account as it is to be made anew: leases are lost, and their units count as spent.
    pub(super) fn orphans(&self) -> Vec<Account> {
        self.roster.accounts().map(Account::orphaned).collect()
    }

    /// From now on the shared state is believed, whatever was known.
    pub(super) fn reborn(&mut self, birth: String) {
        (self.birth, self.lost) = (birth, None);
        (self.seen, self.newest) = (0, 0);
        self.life += 1;
        let ids: Vec<Uuid> = self.roster.accounts().map(|account| account.stored.id).collect();
        for id in ids {
            if let Some(account) = self.roster.get_mut(id) {
                account.stamp = Stamp::default();
            }
        }
    }
}
