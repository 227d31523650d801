//! The pool and the store: rows that come in, rows to write.

use grok2api_proto::pool::EventKind;
use grok2api_storage::accounts::StoredAccount;
use uuid::Uuid;

use super::{Account, Pool, Slot, Urgency};

/// Merges that can still be told to those who ask.
const MERGED_REMEMBERED: usize = 1000;

impl Pool {
    /// Takes in an account, or what another process has made of a known one.
    pub(crate) fn merge(&mut self, row: StoredAccount, now: i64) {
        let id = row.id;
        if row.deleted_at.is_some() {
            return self.remove(id, now);
        }
        if let Some(slot) = self.slots.get(&id) {
            if row.version > slot.account.stored.version {
                let changed = said_otherwise(&slot.account.stored, &row);
                self.change(id, now, |account, classes| account.merge(row, classes));
                if changed {
                    self.emit(EventKind::Changed, id, now);
                    self.want_unknown(id, Urgency::Idle, now);
                }
            }
            return;
        }
        self.by_token.insert(row.token.digest(), id);
        let account = Account::load(row, &mut self.classes);
        let place = self.index.place(&account, &self.classes, self.concurrency, now);
        self.slots.insert(id, Slot { account, place });
        self.want_unknown(id, Urgency::Idle, now);
        self.emit(EventKind::Added, id, now);
    }

    /// Drops an account; its leases end with it.
    pub(crate) fn remove(&mut self, id: Uuid, now: i64) {
        let Some(slot) = self.slots.remove(&id) else { return };
        self.index.remove(&slot.account, &slot.place);
        self.by_token.remove(&slot.account.stored.token.digest());
        self.unwritten.remove(&id);
        self.classes.ids().for_each(|class| self.reads.forget((id, class)));
        self.leases.retain(|_, lease| lease.account != id);
        let leases = &self.leases;
        self.expiries.retain(|(_, lease)| leases.contains_key(lease));
        self.emit(EventKind::Removed, id, now);
    }

    /// An account as the store has it, as far as is known here.
    pub(crate) fn stored(&self, id: Uuid) -> Option<&StoredAccount> {
        self.slots.get(&id).map(|slot| &slot.account.stored)
    }

    /// The other account of the same upstream user, if there is one: which of the two to keep, and which not. A
    /// credential that works beats one that does not, then the newer token wins.
    pub(crate) fn twins(&self, id: Uuid) -> Option<(Uuid, Uuid)> {
        let one = &self.slots.get(&id)?.account;
        let user = one.stored.user_id.as_ref()?;
        let twin = |other: &&Account| other.stored.id != id && other.stored.user_id.as_ref() == Some(user);
        let other = self.accounts().find(twin)?;
        let worth = |account: &Account| (!account.is_dead(), account.stored.created_at, account.stored.id);
        let (keep, drop) = if worth(one) > worth(other) { (one, other) } else { (other, one) };
        Some((keep.stored.id, drop.stored.id))
    }

    /// An account was merged into another of the same user: what is left there is read anew.
    pub(crate) fn merged(&mut self, gone: Uuid, kept: Uuid, now: i64) {
        self.merged_into.push_back((gone, kept));
        if self.merged_into.len() > MERGED_REMEMBERED {
            self.merged_into.pop_front();
        }
        let Some(slot) = self.slots.get(&kept) else { return };
        let classes: Vec<_> = self.classes.of_tier(slot.account.stored.tier).collect();
        classes.into_iter().for_each(|class| self.reads.want((kept, class), Urgency::Used, now));
    }

    /// The account that another was merged into lately.
    pub(crate) fn merged_into(&self, gone: Uuid) -> Option<Uuid> {
        self.merged_into.iter().rev().find(|(id, _)| *id == gone).map(|(_, kept)| *kept)
    }

    /// Whether something waits to be written.
    pub(crate) fn is_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// The rows to write; they count as written until [`Pool::not_written`] says otherwise.
    pub(crate) fn take_unwritten(&mut self) -> Vec<StoredAccount> {
        let ids = std::mem::take(&mut self.unwritten);
        ids.into_iter().filter_map(|id| self.row(id)).collect()
    }

    /// An account as it would be written now.
    pub(crate) fn row(&self, id: Uuid) -> Option<StoredAccount> {
        self.slots.get(&id).map(|slot| slot.account.row(&self.classes))
    }

    /// A row was written and has this version now. What the operator says may be newer already, and stays.
    pub(crate) fn written(&mut self, row: StoredAccount, version: u64) {
        if let Some(slot) = self.slots.get_mut(&row.id) {
            let stored = &mut slot.account.stored;
            stored.version = version;
            (stored.status, stored.windows) = (row.status, row.windows);
            (stored.last_used_at, stored.failures) = (row.last_used_at, row.failures);
        }
    }

    /// A row could not be written.
    pub(crate) fn not_written(&mut self, id: Uuid) {
        if self.slots.contains_key(&id) {
            self.unwritten.insert(id);
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
