//! The pool without its service, for the bench: the core is private, and what is measured is the core.

use std::collections::BTreeMap;

use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{StoredAccount, StoredWindow, Tier, Token, WindowSource};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::{
    hot::{Hot as _, PREFIX, Redis},
    pool::Pool,
    roster::Limits,
    wanted::{Settlement, Wanted},
};

const NOW: i64 = 1_700_000_000_000;
/// As over Redis, where nothing is lost that the store does not know of.
const LIMITS: Limits =
    Limits { concurrency: 8, resting_percent: 50, readings_per_minute: 60, written_behind: false };

/// A pool of accounts with known windows in memory, and a clock that moves on with every turn.
#[derive(Debug)]
pub struct Turns {
    pool: Pool,
    wanted: Wanted,
    settlement: Settlement,
    now: i64,
    lease: u128,
}

/// Such a pool in Redis.
pub struct RedisTurns {
    redis: Redis,
    runtime: Runtime,
    wanted: Wanted,
    settlement: Settlement,
}

impl Turns {
    /// So many accounts, each with another number of units left.
    pub fn new(accounts: u32) -> Self {
        let mut pool = Pool::default();
        pool.roster.set_limits(Limits { written_behind: true, ..LIMITS }, NOW);
        (0..accounts).for_each(|number| pool.merge(account(number), false, NOW));
        Self { pool, wanted: wanted(), settlement: settlement(), now: NOW, lease: 0 }
    }

    /// One turn: a lease and its settlement. Returns whether there was an account.
    pub fn turn(&mut self) -> bool {
        self.now += 1;
        self.lease += 1;
        let lease = Uuid::from_u128(self.lease);
        let leased = self.pool.lease(&self.wanted, lease, false, self.now).is_ok();
        leased && self.pool.settle(lease, &self.settlement, self.now).is_some()
    }

    /// What the product does behind the turns, but for the store itself: takes the rows that have changed, and takes
    /// note that they are written. Returns how many.
    pub fn write_behind(&mut self) -> usize {
        let roster = &mut self.pool.roster;
        let rows = roster.take_unwritten(usize::MAX);
        let count = rows.len();
        for row in rows {
            let version = row.version + 1;
            roster.written(row, version, self.now);
        }
        count
    }

    /// A request that nobody can serve. Returns whether it was refused.
    pub fn refusal(&mut self) -> bool {
        let wanted = Wanted { minimum_tier: Tier::Heavy, ..self.wanted.clone() };
        self.pool.lease(&wanted, Uuid::nil(), false, self.now).is_err()
    }

    /// The same from somebody who has tried an account already: no two of them are alike.
    pub fn refusal_of_another(&mut self) -> bool {
        let exclude = vec![Uuid::from_u128(1)];
        let wanted = Wanted { minimum_tier: Tier::Heavy, exclude, ..self.wanted.clone() };
        self.pool.lease(&wanted, Uuid::nil(), false, self.now).is_err()
    }
}

impl RedisTurns {
    /// So many accounts on the server of this address.
    ///
    /// # Errors
    /// A server that does not answer.
    pub fn new(url: &str, accounts: u32) -> grok2api_proto::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| grok2api_proto::Error::internal(error.to_string()))?;
        let redis = runtime.block_on(async {
            let redis = Redis::connect(url, PREFIX, Clock::system(), Tasks::new()).await?;
            redis.roster().set_limits(LIMITS, NOW);
            redis.merge((0..accounts).map(account).collect(), false).await?;
            Ok::<_, grok2api_proto::Error>(redis)
        })?;
        Ok(Self { redis, runtime, wanted: wanted(), settlement: settlement() })
    }

    /// One turn: a lease and its settlement. Returns whether there was an account.
    pub fn turn(&mut self) -> bool {
        let Self { redis, runtime, wanted, settlement } = self;
        runtime.block_on(async {
            let Ok(Ok(granted)) = redis.lease(wanted, false).await else { return false };
            redis.settle(granted.lease, settlement).await.is_ok_and(|account| account.is_some())
        })
    }
}

fn wanted() -> Wanted {
    Wanted {
        request_id: "request".into(),
        owner: "bench".into(),
        class: "normal".into(),
        rate_limit_name: "grok-3".into(),
        cost: 1,
        minimum_tier: Tier::Basic,
        tags: Vec::new(),
        exclude: Vec::new(),
        account: None,
        affinity: None,
        begins: false,
    }
}

fn settlement() -> Settlement {
    Settlement {
        outcome: Outcome::Success,
        charged: true,
        units: None,
        retry_after_ms: None,
        cause: String::new(),
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
