//! What client keys have used up of their budgets, and the trait every store of it implements.
//!
//! A request is *reserved*: counted at once, in the day, week, month and lifetime it begins in, unless a budget has
//! nothing left. When it is over it is *settled*: its tokens and units are counted in the same periods, or what was
//! reserved is given back. Counters lie in the durable store and are written before anybody is admitted, so no end of a
//! process loses or doubles anything.

mod calendar;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    Result,
    client_keys::{Budget, Period, Unit},
};

/// How long an unsettled reservation can still be settled; then what was reserved stays spent.
pub const SETTLED_WITHIN_MS: i64 = 24 * 60 * 60 * 1000;
/// How long the counters of a period are kept at least, once it is over.
pub(crate) const KEPT_MS: i64 = 40 * 24 * 60 * 60 * 1000;

/// Counts what keys with budgets use. Several processes may do so at once.
#[async_trait]
pub trait Budgets: Send + Sync + 'static {
    /// Counts a request and its reserved tokens, if every budget has something left.
    async fn reserve(&self, reservation: &Reservation, budgets: &[Budget]) -> Result<Reserved>;

    /// Ends reservations. One that has ended is left alone, so a settlement may be sent twice; one that was never made
    /// cannot be made any more.
    async fn settle(&self, settlements: &[Settlement]) -> Result<()>;

    /// What a key has used in the periods of that time.
    async fn spent(&self, key: Uuid, at: i64) -> Result<Spent>;

    /// Forgets reservations that nobody settles, and counters of periods long over.
    async fn sweep(&self, now: i64) -> Result<()>;
}

/// A request to be counted.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// The request's own.
    pub id: Uuid,
    /// The client key's.
    pub key: Uuid,
    /// When it begins, epoch milliseconds: says which periods it is counted in.
    pub at: i64,
    /// Counted beforehand.
    pub tokens: u64,
}

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Counted; what the key has used now.
    Counted(Spent),
    /// A budget has nothing left; what the key has used.
    UsedUp(Spent),
    /// It was settled before.
    Ended,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The request's own.
    pub id: Uuid,
    /// The client key's.
    pub key: Uuid,
    /// What it used in the end; nothing gives back all that was reserved.
    pub used: Option<Used>,
    /// Epoch milliseconds.
    pub now: i64,
}

/// What one request used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// In and out.
    pub tokens: u64,
    /// The upstream's query credits.
    pub units: u64,
}

/// Counters of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Unit")]
pub struct Amounts {
    pub requests: u64,
    pub tokens: u64,
    pub units: u64,
}

/// What a key has used in the day, week and month of some time, and ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent(pub(crate) [Amounts; 4]);

/// When the day, week, month and lifetime of some time began: which counters it is counted in.
pub(crate) type Starts = [i64; 4];

pub(crate) fn starts(at: i64) -> Starts {
    Period::ALL.map(|period| period.start(at))
}

impl Spent {
    /// By a budget's measure.
    pub fn by(&self, budget: &Budget) -> u64 {
        let amounts = &self.0[budget.period as usize];
        match budget.unit {
            Unit::Requests => amounts.requests,
            Unit::Tokens => amounts.tokens,
            Unit::Units => amounts.units,
        }
    }

    /// The budget with nothing left that is renewed last.
    pub fn used_up<'b>(&self, budgets: &'b [Budget], at: i64) -> Option<&'b Budget> {
        let empty = budgets.iter().filter(|budget| self.by(budget) >= budget.amount);
        empty.max_by_key(|budget| budget.period.end(at).unwrap_or(i64::MAX))
    }
}

impl Period {
    /// All, in the order of their numbers.
    pub const ALL: [Period; 4] = [Self::Day, Self::Week, Self::Month, Self::Lifetime];

    /// When the period that holds this time began, epoch milliseconds.
    pub fn start(self, at: i64) -> i64 {
        calendar::bounds(self, at).map_or(0, |(start, _)| start)
    }

    /// When it ends; never for a lifetime.
    pub fn end(self, at: i64) -> Option<i64> {
        calendar::bounds(self, at).map(|(_, end)| end)
    }
}
