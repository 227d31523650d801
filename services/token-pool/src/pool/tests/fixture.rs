//! A pool with a clock of its own, and accounts by number.

use std::collections::BTreeMap;

use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::{Status, StoredAccount, StoredWindow, Tier, Token, WindowSource};
use uuid::Uuid;

use super::super::{Pool, ReadEnd, Settlement, Wanted};
use crate::{account::Account, window::Window};

pub(super) const NOW: i64 = 1_000_000_000;
const CONCURRENCY: u32 = 2;

pub(super) struct Fixture {
    pub(super) pool: Pool,
    pub(super) now: i64,
    leases: u128,
}

#[derive(Clone, Debug)]
pub(super) struct Leased {
    pub(super) id: Uuid,
    pub(super) account: u128,
}

pub(super) fn window(remaining: u32) -> StoredWindow {
    StoredWindow {
        total: Some(80),
        remaining: Some(remaining),
        length_ms: 3_600_000,
        source: WindowSource::Upstream,
        observed_at: NOW,
        ..StoredWindow::default()
    }
}

pub(super) fn stored(number: u128, tier: Tier, normal: Option<StoredWindow>) -> StoredAccount {
    let token = Token::new(format!("token-{number:08}"));
    let windows: BTreeMap<_, _> = normal.into_iter().map(|window| ("normal".to_owned(), window)).collect();
    let heavy = StoredWindow { total: Some(20), ..window(20) };
    let windows = windows.into_iter().chain([("heavy".to_owned(), heavy)]).collect();
    StoredAccount { windows, version: 1, ..StoredAccount::new(Uuid::from_u128(number), token, tier, NOW) }
}

pub(super) fn wanted(cost: u32) -> Wanted {
    Wanted {
        request_id: "request-1".into(),
        owner: "replica-1".into(),
        class: "normal".into(),
        rate_limit_name: "grok-3".into(),
        cost,
        minimum_tier: Tier::Basic,
        tags: Vec::new(),
        exclude: Vec::new(),
        affinity: None,
        begins: false,
    }
}

pub(super) fn failed(outcome: Outcome) -> Settlement {
    Settlement { outcome, charged: false, units: None, retry_after_ms: None, cause: "because".into() }
}

pub(super) fn ended(charged: bool) -> Settlement {
    Settlement { charged, ..failed(Outcome::Success) }
}

impl Fixture {
    pub(super) fn new(accounts: impl IntoIterator<Item = StoredAccount>) -> Self {
        let mut pool = Pool::default();
        pool.set_concurrency(CONCURRENCY, NOW);
        accounts.into_iter().for_each(|row| pool.merge(row, NOW));
        Self { pool, now: NOW, leases: 1000 }
    }

    /// The lease, or the code of the refusal.
    pub(super) fn lease(&mut self, wanted: &Wanted) -> Result<Leased, String> {
        self.lease_with(wanted, false)
    }

    pub(super) fn lease_with(&mut self, wanted: &Wanted, patient: bool) -> Result<Leased, String> {
        self.leases += 1;
        let id = Uuid::from_u128(self.leases);
        match self.pool.lease(wanted, id, patient, self.now) {
            Ok((account, _)) => Ok(Leased { id, account: account.stored.id.as_u128() }),
            Err(refusal) => Err(refusal.error(self.now).code.into_owned()),
        }
    }

    pub(super) fn settle(&mut self, lease: &Leased, settlement: &Settlement) -> bool {
        self.pool.settle(lease.id, settlement, self.now).is_some()
    }

    /// Ends the next reading this way; the account it was made for.
    pub(super) fn read(&mut self, end: ReadEnd) -> u128 {
        let job = self.pool.next_read(self.now).expect("a reading is due");
        self.pool.read_done(&job, end, self.now);
        job.target.0.as_u128()
    }

    pub(super) fn account(&self, number: u128) -> &Account {
        self.pool.find(Some(Uuid::from_u128(number)), None).expect("an account")
    }

    pub(super) fn window(&self, number: u128) -> Window {
        self.account(number).window(self.pool.classes.ids().next().expect("normal")).clone()
    }

    /// What keeps an account from serving `normal`, in words.
    pub(super) fn state(&mut self, number: u128) -> String {
        self.pool.advance(self.now);
        let status = self.account(number).status.clone();
        let closed = self.window(number).closed_until;
        match status {
            Status::Cooling { until, .. } => format!("cooling {} s", (until - self.now) / 1000),
            Status::Invalid { .. } => "invalid".into(),
            Status::Banned { .. } => "banned".into(),
            Status::Active if closed > 0 => format!("closed {} s", (closed - self.now) / 1000),
            Status::Active => "active".into(),
        }
    }
}
