//! What happens in the pool, told to those who watch.

use grok2api_proto::pool::{EventKind, Outcome, PoolEvent};
use grok2api_storage::accounts::Status;
use uuid::Uuid;

use super::{Roster, index::Turn};
use crate::{
    account::Account,
    classes::{ClassId, Classes},
};

impl Roster {
    /// Keeps events from now on, or no longer.
    pub(crate) fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// What happened since the last time.
    pub(crate) fn take_events(&mut self) -> Vec<PoolEvent> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn emit(&mut self, kind: EventKind, account: Uuid, now: i64) {
        if self.watched {
            self.events.push(event(kind, account, now));
        }
    }

    pub(crate) fn leased(&mut self, account: Uuid, class: ClassId, now: i64) {
        if self.watched {
            let class = self.classes.name(class).to_owned();
            self.events.push(PoolEvent { class, ..event(EventKind::Leased, account, now) });
        }
    }

    /// `outcome` is unspecified when the lease expired.
    pub(crate) fn settled(&mut self, account: Uuid, class: ClassId, outcome: Outcome, now: i64) {
        if self.watched {
            let (class, outcome) = (self.classes.name(class).to_owned(), outcome.into());
            self.events.push(PoolEvent { class, outcome, ..event(EventKind::Settled, account, now) });
        }
    }
}

/// The event of a change for the worse or the better.
pub(super) fn turn(turn: Turn, account: &Account, classes: &Classes, now: i64) -> PoolEvent {
    let id = account.stored.id;
    match turn {
        Turn::Blocked => {
            let (until, cause) = match &account.status {
                Status::Active => (0, ""),
                Status::Cooling { until, cause } => (*until, cause.as_str()),
                Status::Invalid { cause, .. } | Status::Banned { cause, .. } => (0, cause.as_str()),
            };
            PoolEvent { until, cause: cause.to_owned(), ..event(EventKind::Cooled, id, now) }
        }
        Turn::Freed => event(EventKind::Recovered, id, now),
        Turn::Filled(class) => {
            PoolEvent { class: classes.name(class).to_owned(), ..event(EventKind::Recovered, id, now) }
        }
        Turn::Emptied(class) => {
            let window = account.window(class);
            PoolEvent {
                class: classes.name(class).to_owned(),
                until: window.closed_until.max(window.reset_at),
                ..event(EventKind::Exhausted, id, now)
            }
        }
    }
}

fn event(kind: EventKind, account: Uuid, now: i64) -> PoolEvent {
    PoolEvent { kind: kind.into(), at: now, account_id: account.to_string(), ..PoolEvent::default() }
}
