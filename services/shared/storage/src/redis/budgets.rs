//! [`Budgets`] in Redis: a hash for each period of a key, and one for each reservation.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::Script;
use uuid::Uuid;

use super::{Redis, text};
use crate::{
    Error, Result,
    budgets::{
        Amounts, Budgets, KEPT_MS, Reservation, Reserved, SETTLED_WITHIN_MS, Settlement, Spent, starts,
    },
    client_keys::{Budget, Period, Unit},
};

/// Before a key's id, the period's number and its start.
const SPENDS: &str = "{g2a}:budget_spends:";
/// Before a request's id.
const RESERVATIONS: &str = "{g2a}:budget_reservation:";

static RESERVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/budgets_reserve.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/budgets_settle.lua")));

struct RedisBudgets(Redis);

impl Redis {
    /// What client keys have used up.
    pub fn budgets(&self) -> Arc<dyn Budgets> {
        Arc::new(RedisBudgets(self.clone()))
    }
}

#[async_trait]
impl Budgets for RedisBudgets {
    async fn reserve(&self, reservation: &Reservation, budgets: &[Budget]) -> Result<Reserved> {
        let Reservation { id, key, at, tokens } = *reservation;
        let mut arguments = vec![text(tokens), text(SETTLED_WITHIN_MS)];
        for period in Period::ALL {
            let kept = period.end(at).map(|end| end - at + KEPT_MS);
            arguments.push(kept.map(text).unwrap_or_default());
        }
        for period in Period::ALL {
            for unit in [Unit::Requests, Unit::Tokens, Unit::Units] {
                let those = budgets.iter().filter(|budget| budget.period == period && budget.unit == unit);
                arguments.push(those.map(|budget| budget.amount).min().map(text).unwrap_or_default());
            }
        }
        let mut keys = vec![format!("{RESERVATIONS}{id}")];
        keys.extend(counters(key, at));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (said, amounts): (String, Vec<u64>) = self.0.run(&RESERVE, &keys, &arguments).await?;
        let spent = spent(&amounts)?;
        Ok(match said.as_str() {
            "counted" => Reserved::Counted(spent),
            "ended" => Reserved::Ended,
            _ => Reserved::UsedUp(spent),
        })
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<()> {
        for Settlement { id, used, .. } in settlements {
            let used = used.map(|used| [text(used.tokens), text(used.units)]).unwrap_or_default();
            let arguments = [&used[..], &[text(SETTLED_WITHIN_MS)]].concat();
            self.0.run::<()>(&SETTLE, &[&format!("{RESERVATIONS}{id}")], &arguments).await?;
        }
        Ok(())
    }

    async fn spent(&self, key: Uuid, at: i64) -> Result<Spent> {
        let mut read = redis::pipe();
        for counter in counters(key, at) {
            read.cmd("HMGET").arg(counter).arg(&["requests", "tokens", "units"]);
        }
        let rows: Vec<[Option<u64>; 3]> = self.0.ask(&read).await?;
        spent(&rows.concat().into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>())
    }

    async fn sweep(&self, _: i64) -> Result<()> {
        // Each has its expiry.
        Ok(())
    }
}

/// The counters of a key at some time.
fn counters(key: Uuid, at: i64) -> impl Iterator<Item = String> {
    (0..).zip(starts(at)).map(move |(period, start): (u8, i64)| format!("{SPENDS}{key}:{period}:{start}"))
}

/// Requests, tokens and units of each period.
fn spent(amounts: &[u64]) -> Result<Spent> {
    let mut spent = Spent::default();
    if amounts.len() != 3 * spent.0.len() {
        let reason = format!("{} numbers", amounts.len());
        return Err(Error::ImpossibleRow { table: "budget_spends", id: String::new(), reason });
    }
    for (period, amounts) in spent.0.iter_mut().zip(amounts.chunks_exact(3)) {
        *period = Amounts { requests: amounts[0], tokens: amounts[1], units: amounts[2] };
    }
    Ok(spent)
}
