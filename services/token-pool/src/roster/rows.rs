//! The roster and the store: rows that come in, rows to write.

use grok2api_proto::pool::EventKind;
use grok2api_storage::accounts::StoredAccount;
use uuid::Uuid;

use super::{Account, Roster, Slot, index::Place};

/// Merges that can still be told to those who ask.
const MERGED_REMEMBERED: usize = 1000;

/// What a row has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing new.
    Nothing,
    /// Something that changes by use.
    Used,
    /// Something that people say of it.
    Changed,
    /// It is new.
    Added,
    /// It is gone.
    Removed,
}

impl Roster {
    /// Takes in an account, or what another process has made of a known one: all of it, or only what people say. A row
    /// that counts `anyway` is what the store has, even if it is older: it has lost what was written since.
    pub(crate) fn merge(&mut self, row: StoredAccount, all: bool, anyway: bool, now: i64) -> News {
        let id = row.id;
        if row.deleted_at.is_some() {
            return if self.remove(id, now) { News::Removed } else { News::Nothing };
        }
        let Some(known) = self.get(id) else {
            self.insert(row, now);
            return News::Added;
        };
        let lost = row.version < known.stored.version;
        if row.version == known.stored.version || (lost && !anyway) {
            return News::Nothing;
        }
        let changed = said_otherwise(&known.stored, &row);
        if lost {
            // What changed by use is known here alone now.
            self.write(id);
        }
        let used = all && !lost;
        let differs = self.change(id, now, |account, classes| {
            if used {
                account.merge(row, classes, now);
            } else {
                account.stored = row;
            }
            account.promised(classes);
            used && account.row(classes).windows != account.stored.windows
        });
        if differs == Some(true) {
            // The other did not know of what is in flight here.
            self.write(id);
        }
        if !changed {
            return if used { News::Used } else { News::Nothing };
        }
        self.emit(EventKind::Changed, id, now);
        News::Changed
    }

    fn insert(&mut self, row: StoredAccount, now: i64) {
        let id = row.id;
        self.refusals.clear();
        self.by_token.insert(row.token.digest(), id);
        let account = Account::load(row, &mut self.classes, self.unsure, now);
        let mut place = Place::default();
        self.index.place(&account, &mut place, &self.classes, self.limits, now);
        let differs = account.row(&self.classes).windows != account.stored.windows || account.presses();
        self.slots.insert(id, Slot { account, place });
        if differs {
            self.write(id);
        }
        self.emit(EventKind::Added, id, now);
    }

    /// Drops an account. Returns whether it was there.
    pub(crate) fn remove(&mut self, id: Uuid, now: i64) -> bool {
        let Some(mut slot) = self.slots.remove(&id) else { return false };
        self.refusals.clear();
        self.index.remove(&slot.account, &mut slot.place);
        self.by_token.remove(&slot.account.stored.token.digest());
        self.unwritten.remove(&id);
        self.pressing.remove(&id);
        self.emit(EventKind::Removed, id, now);
        true
    }

    /// An account as the store has it, as far as is known here.
    pub(crate) fn stored(&self, id: Uuid) -> Option<&StoredAccount> {
        self.get(id).map(|account| &account.stored)
    }

    /// The other account of the same upstream user, if there is one: which of the two to keep, and which not. A
    /// credential that works beats one that does not, then the newer token wins.
    pub(crate) fn twins(&self, id: Uuid) -> Option<(Uuid, Uuid)> {
        let one = self.get(id)?;
        let user = one.stored.user_id.as_ref()?;
        let twin = |other: &&Account| other.stored.id != id && other.stored.user_id.as_ref() == Some(user);
        let other = self.accounts().find(twin)?;
        let worth = |account: &Account| (!account.is_dead(), account.stored.created_at, account.stored.id);
        let (keep, drop) = if worth(one) > worth(other) { (one, other) } else { (other, one) };
        Some((keep.stored.id, drop.stored.id))
    }

    /// An account was merged into another of the same user.
    pub(crate) fn merged(&mut self, gone: Uuid, kept: Uuid) {
        self.merged_into.push_back((gone, kept));
        if self.merged_into.len() > MERGED_REMEMBERED {
            self.merged_into.pop_front();
        }
    }

    /// The account that another was merged into lately.
    pub(crate) fn merged_into(&self, gone: Uuid) -> Option<Uuid> {
        self.merged_into.iter().rev().find(|(id, _)| *id == gone).map(|(_, kept)| *kept)
    }

    /// Whether whoever kept the accounts that come in from now on may have died before it had written all.
    pub(crate) fn doubt_rows(&mut self, unsure: bool) {
        self.unsure = unsure;
    }

    /// An account has changed and is to be written.
    pub(crate) fn write(&mut self, id: Uuid) {
        self.unwritten.insert(id);
        if self.limits.written_behind && self.get(id).is_some_and(Account::presses) {
            self.pressing.insert(id);
        }
    }

    /// Whether some of them should be written at once.
    pub(crate) fn presses(&self) -> bool {
        !self.pressing.is_empty()
    }

    /// How many accounts wait to be written.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten.len()
    }

    /// Rows to write, at most so many, those first that press; they count as written until [`Roster::not_written`] says otherwise.
    pub(crate) fn take_unwritten(&mut self, most: usize) -> Vec<StoredAccount> {
        let mut ids = Vec::with_capacity(most.min(self.unwritten.len()));
        while ids.len() < most
            && let Some(id) = self.pressing.pop_first().or_else(|| self.unwritten.first().copied())
        {
            self.unwritten.remove(&id);
            ids.push(id);
        }
        ids.into_iter().filter_map(|id| self.row_to_write(id)).collect()
    }

    /// The row of an account, if it is to be written.
    pub(crate) fn take_unwritten_of(&mut self, id: Uuid) -> Option<StoredAccount> {
        self.pressing.remove(&id);
        self.unwritten.remove(&id).then(|| self.row_to_write(id)).flatten()
    }

    /// An account as it is to be written; what it takes from now on is not in that row.
    pub(crate) fn row_to_write(&mut self, id: Uuid) -> Option<StoredAccount> {
        self.get_mut(id)?.note();
        self.row(id)
    }

    /// An account as it would be written now.
    pub(crate) fn row(&self, id: Uuid) -> Option<StoredAccount> {
        self.get(id).map(|account| account.row(&self.classes))
    }

    /// A row was written and has this version now. What the operator says may be newer already, and stays.
    pub(crate) fn written(&mut self, row: StoredAccount, version: u64, now: i64) {
        self.change(row.id, now, |account, _| {
            account.keep();
            let stored = &mut account.stored;
            stored.version = version;
            (stored.status, stored.windows) = (row.status, row.windows);
            (stored.last_used_at, stored.failures) = (row.last_used_at, row.failures);
        });
    }

    /// A row could not be written.
    pub(crate) fn not_written(&mut self, id: Uuid) {
        if self.slots.contains_key(&id) {
            self.write(id);
        }
    }
}

/// Whether what people say of an account differs.
fn said_otherwise(one: &StoredAccount, other: &StoredAccount) -> bool {
    let said = |account: &StoredAccount| (account.tier, account.enabled, account.priority);
    said(one) != said(other)
        || one.note != other.note
        || one.tags != other.tags
        || one.user_id != other.user_id
}
