//! The pool without its service, for the bench: the core is private, and what is measured is the core.

use std::collections::BTreeMap;

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{StoredAccount, StoredWindow, Tier, Token, WindowSource};
use uuid::Uuid;

use crate::pool::{Pool, Settlement, Wanted};

const NOW: i64 = 1_700_000_000_000;

/// A pool of accounts with known windows, and a clock that moves on with every turn.
#[derive(Debug)]
pub struct Turns {
    pool: Pool,
    wanted: Wanted,
    settlement: Settlement,
    now: i64,
    lease: u128,
}

impl Turns {
    /// So many accounts, each with another number of units left.
    pub fn new(accounts: u32) -> Self {
        let mut pool = Pool::default();
        pool.set_concurrency(8, NOW);
        (0..accounts).for_each(|number| pool.merge(account(number), NOW));
        let wanted = Wanted {
            request_id: "request".into(),
            owner: "bench".into(),
            class: "normal".into(),
            rate_limit_name: "grok-3".into(),
            cost: 1,
            minimum_tier: Tier::Basic,
            tags: Vec::new(),
            exclude: Vec::new(),
            affinity: None,
            begins: false,
        };
        let settlement = Settlement {
            outcome: Outcome::Success,
            charged: true,
            units: None,
            retry_after_ms: None,
            cause: String::new(),
        };
        Self { pool, wanted, settlement, now: NOW, lease: 0 }
    }

    /// One turn: a lease and its settlement. Returns whether there was an account.
    pub fn turn(&mut self) -> bool {
        self.now += 1;
        self.lease += 1;
        let lease = Uuid::from_u128(self.lease);
        let leased = self.pool.lease(&self.wanted, lease, false, self.now).is_ok();
        leased && self.pool.settle(lease, &self.settlement, self.now).is_some()
    }
}

fn account(number: u32) -> StoredAccount {
    let window = StoredWindow {
        total: Some(1_000_000_000),
        remaining: Some(1_000_000_000 - number % 1000),
        length_ms: 72_000_000,
        source: WindowSource::Upstream,
        observed_at: NOW,
        ..StoredWindow::default()
    };
    let token = Token::new(format!("bench-basic-{number:06}"));
    // Spread as real ids are, or neighbours in one tree would be neighbours in all.
    let id = Uuid::from_u128(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    StoredAccount {
        windows: BTreeMap::from([("normal".to_owned(), window.clone()), ("heavy".to_owned(), window)]),
        ..StoredAccount::new(id, token, Tier::Basic, NOW)
    }
}
