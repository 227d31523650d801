//! The one ordering of those who may serve: the first is tried first.

use std::cmp::Reverse;

use grok2api_storage::accounts::Tier;
use uuid::Uuid;

use crate::{account::Account, classes::ClassId};

/// Sorts accounts for one class; the fields are compared in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The cheapest tier that may serve comes first.
    pub(crate) tier: Tier,
    /// What the operator prefers.
    pub(crate) priority: Reverse<i32>,
    /// An unknown quota is tried first, as in the seed.
    pub(crate) known: bool,
    /// Most units left.
    pub(crate) available: Reverse<u32>,
    pub(crate) in_flight: u32,
    /// Least recently used; never is the longest ago.
    pub(crate) last_used_at: i64,
    pub(crate) id: Uuid,
}

/// The key of an account in a class.
pub(crate) fn key(account: &Account, class: ClassId) -> Key {
    let available = account.window(class).available();
    Key {
        tier: account.stored.tier,
        priority: Reverse(account.stored.priority),
        known: available.is_some(),
        available: Reverse(available.unwrap_or(u32::MAX)),
        in_flight: account.in_flight,
        last_used_at: account.last_used_at.unwrap_or_default(),
        id: account.stored.id,
    }
}

impl Key {
    /// Before every key of a tier that has this priority or a lower one.
    pub(crate) fn first(tier: Tier, priority: i32) -> Self {
        Self {
            tier,
            priority: Reverse(priority),
            known: false,
            available: Reverse(u32::MAX),
            in_flight: 0,
            last_used_at: i64::MIN,
            id: Uuid::nil(),
        }
    }
}
