//! [`Budgets`] in SQL. Requests that come at the same time are counted in one transaction, so that a crowd on one key
//! waits for the disk together, and not one after the other.
//!
//! Every statement is kept prepared, whatever its length: closing one has no answer, and MySQL's next would wait for the
//! network's delayed acknowledgement (40 ms).

#[path = "budgets/line.rs"]
mod line;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Transaction};
use tokio::sync::oneshot::error::TryRecvError;
use uuid::Uuid;

use super::{BEGIN, Db, IGNORING, LOCKING, Pool, Row, Store, Turns, accounts::is_taken, columns, upsert};
use crate::{
    Error, Result,
    budgets::{
        Amounts, Budgets, KEPT_MS, Reservation, Reserved, SETTLED_WITHIN_MS, Settlement, Spent, Starts,
        starts,
    },
    client_keys::Budget,
};
use line::{Line, Wish};

static ADD: LazyLock<String> =
    LazyLock::new(|| upsert(&["client_key", "period", "start"], &["requests", "tokens", "units"]));
const INSERT: &str = "INSERT INTO budget_spends (client_key, period, start, requests, tokens, units) ";
const RESERVE: &str = "INSERT INTO budget_reservations (id, client_key, began_at, tokens, ended) ";
const SPENT: &str = "SELECT period, requests, tokens, units FROM budget_spends WHERE client_key = ? AND (
    (period = 0 AND start = ?) OR (period = 1 AND start = ?) OR (period = 2 AND start = ?) OR period = 3)";
/// MySQL's and SQLite's way of saying that two transactions were in each other's way.
const DEADLOCK: &str = "40001";
const TRIES: usize = 4;

/// Which counters.
type Place = (Uuid, Starts);

/// What is added to counters, requests, tokens and units.
type Change = [i64; 3];

struct SqlBudgets {
    pool: Pool,
    line: Line,
    turns: Turns,
}

/// An unsettled reservation.
struct Open {
    key: Uuid,
    began_at: i64,
    tokens: i64,
    ended: bool,
}

impl Store {
    /// What client keys have used up.
    pub fn budgets(&self) -> Arc<dyn Budgets> {
        Arc::new(SqlBudgets { pool: self.pool.clone(), line: Line::default(), turns: self.turns.clone() })
    }
}

#[async_trait]
impl Budgets for SqlBudgets {
    async fn reserve(&self, reservation: &Reservation, budgets: &[Budget]) -> Result<Reserved> {
        let mut first = true;
        loop {
            let (reservation, budgets) = (reservation.clone(), budgets.to_vec());
            let wish = Wish { reservation, budgets, first: std::mem::take(&mut first) };
            let mut answered = self.line.join(Arc::new(wish));
            let _turn = tokio::select! {
                biased;
                answer = &mut answered => match answer {
                    Ok(answer) => return Ok(answer),
                    Err(_) => continue,
                },
                turn = self.line.turn.lock() => turn,
            };
            loop {
                match answered.try_recv() {
                    Ok(answer) => return Ok(answer),
                    Err(TryRecvError::Closed) => break,
                    Err(TryRecvError::Empty) => self.grant_next().await?,
                }
            }
        }
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<()> {
        for _ in 0..TRIES {
            match self.settle_all(settlements).await {
                Ok(true) => return Ok(()),
                // One was reserved at this very moment.
                Ok(false) => {}
                Err(Error::Store(error)) if met_another(&error) => {}
                Err(error) => return Err(error),
            }
        }
        self.settle_all(settlements).await.map(drop)
    }

    async fn spent(&self, key: Uuid, at: i64) -> Result<Spent> {
        let rows = select((key, starts(at)), "").fetch_all(&self.pool).await?;
        Ok(spent(&rows)?.1)
    }

    async fn sweep(&self, now: i64) -> Result<()> {
        let reservations = sqlx::query("DELETE FROM budget_reservations WHERE began_at < ?");
        reservations.bind(now - SETTLED_WITHIN_MS).execute(&self.pool).await?;
        // Whatever the period, it was over when the longest was.
        let spends = sqlx::query("DELETE FROM budget_spends WHERE period < 3 AND start < ?");
        spends.bind(now - 31 * 24 * 60 * 60 * 1000 - KEPT_MS).execute(&self.pool).await?;
        Ok(())
    }
}

impl SqlBudgets {
    async fn grant_next(&self) -> Result<()> {
        let (wishes, answers) = self.line.next();
        let mut tries = 1;
        let granted = loop {
            match self.reserve_all(&wishes).await {
                Err(Error::Store(error)) if tries < TRIES && met_another(&error) => tries += 1,
                done => break done?,
            }
        };
        for (answer, granted) in answers.into_iter().zip(granted) {
            // Who has left gives it back.
            answer.send(granted).ok();
        }
        Ok(())
    }

    /// The answers in the order of the wishes.
    async fn reserve_all(&self, wishes: &[Arc<Wish>]) -> Result<Vec<Reserved>> {
        let mut answers = self.refused_at_sight(wishes).await?;
        if answers.iter().all(Option::is_some) {
            return Ok(answers.into_iter().flatten().collect());
        }
        let _turn = self.turns.wait().await;
        let mut write = self.pool.begin_with(BEGIN).await?;
        let known = open_ones(&mut write, wishes.iter().map(|wish| wish.reservation.id)).await?;
        let mut places: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        for (at, wish) in wishes.iter().enumerate().filter(|(at, _)| answers[*at].is_none()) {
            let Reservation { key, at: began_at, .. } = wish.reservation;
            places.entry((key, starts(began_at))).or_default().push(at);
        }
        let (mut changes, mut new) = (BTreeMap::new(), Vec::new());
        for (place, those) in places {
            let mut spent = locked(&mut write, place).await?;
            let change: &mut Change = changes.entry(place).or_default();
            for at in those {
                let Wish { reservation, budgets, .. } = &*wishes[at];
                answers[at] = Some(match known.get(&reservation.id) {
                    Some(known) if known.ended => Reserved::Ended,
                    Some(_) => Reserved::Counted(spent),
                    None if spent.used_up(budgets, reservation.at).is_some() => Reserved::UsedUp(spent),
                    None => {
                        let more = [1, signed(reservation.tokens), 0];
                        change.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                        spent = plus(spent, more);
                        new.push(reservation);
                        Reserved::Counted(spent)
                    }
                });
            }
        }
        if !new.is_empty() {
            add(&mut write, &changes).await?;
            let mut insert = QueryBuilder::<Db>::new(RESERVE);
            insert.push_values(new, |mut values, reservation| {
                values.push_bind(reservation.id.as_bytes().to_vec());
                values.push_bind(reservation.key.as_bytes().to_vec());
                values.push_bind(reservation.at).push_bind(signed(reservation.tokens)).push_bind(0);
            });
            insert.build().execute(&mut *write).await?;
        }
        write.commit().await?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// Who asks with nothing left costs no writing.
    async fn refused_at_sight(&self, wishes: &[Arc<Wish>]) -> Result<Vec<Option<Reserved>>> {
        let mut seen: HashMap<Place, Spent> = HashMap::new();
        let mut answers = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let Wish { reservation, budgets, first } = &**wish;
            let place = (reservation.key, starts(reservation.at));
            let spent = match seen.get(&place) {
                Some(spent) => *spent,
                None => spent(&select(place, "").fetch_all(&self.pool).await?)?.1,
            };
            seen.insert(place, spent);
            let used_up = spent.used_up(budgets, reservation.at).is_some();
            answers.push((used_up && *first).then_some(Reserved::UsedUp(spent)));
        }
        Ok(answers)
    }

    /// False when a reservation came into being meanwhile, and nothing was done.
    async fn settle_all(&self, settlements: &[Settlement]) -> Result<bool> {
        let _turn = self.turns.wait().await;
        let mut write = self.pool.begin_with(BEGIN).await?;
        let known = open_ones(&mut write, settlements.iter().map(|settlement| settlement.id)).await?;
        let (mut changes, mut over, mut never) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        for settlement in settlements {
            match known.get(&settlement.id) {
                Some(open) if !open.ended && over.insert(settlement.id) => {
                    let change: &mut Change = changes.entry((open.key, starts(open.began_at))).or_default();
                    let used = settlement.used.unwrap_or_default();
                    let requests = -i64::from(settlement.used.is_none());
                    let more = [requests, signed(used.tokens) - open.tokens, signed(used.units)];
                    change.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                }
                Some(_) => {}
                None => drop(never.insert(settlement.id, settlement)),
            }
        }
        add(&mut write, &changes).await?;
        if !over.is_empty() {
            let mut delete = QueryBuilder::<Db>::new("DELETE FROM budget_reservations WHERE id IN (");
            push_ids(&mut delete, over.into_iter());
            delete.build().execute(&mut *write).await?;
        }
        if !never.is_empty() {
            let expected = never.len() as u64;
            let mut insert = QueryBuilder::<Db>::new(RESERVE.replacen("INSERT", IGNORING, 1));
            insert.push_values(never, |mut values, (id, settlement)| {
                values.push_bind(id.as_bytes().to_vec()).push_bind(settlement.key.as_bytes().to_vec());
                values.push_bind(settlement.now).push_bind(0).push_bind(1);
            });
            if insert.build().execute(&mut *write).await?.rows_affected() < expected {
                return Ok(false);
            }
        }
        write.commit().await?;
        Ok(true)
    }
}

fn select<'q>(
    (key, [day, week, month, _]): Place,
    locking: &str,
) -> sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments> {
    let text = sqlx::AssertSqlSafe(format!("{SPENT}{locking}"));
    sqlx::query(text).bind(key.as_bytes().to_vec()).bind(day).bind(week).bind(month)
}

/// How many counters there are, and what they say.
fn spent(rows: &[Row]) -> Result<(usize, Spent)> {
    let mut spent = Spent::default();
    for row in rows {
        let period: i64 = row.try_get("period")?;
        let impossible = |reason| Error::ImpossibleRow { table: "budget_spends", id: String::new(), reason };
        let amounts = usize::try_from(period).ok().and_then(|period| spent.0.get_mut(period));
        *amounts.ok_or_else(|| impossible(format!("period {period}")))? = Amounts {
            requests: columns::unsigned(row, "requests", impossible)?,
            tokens: columns::unsigned(row, "tokens", impossible)?,
            units: columns::unsigned(row, "units", impossible)?,
        };
    }
    Ok((rows.len(), spent))
}

/// What a key has used, with the counters to ourselves; they are there then.
async fn locked(write: &mut Transaction<'_, Db>, place: Place) -> Result<Spent> {
    let (count, found) = spent(&select(place, LOCKING).fetch_all(&mut **write).await?)?;
    if count == 4 {
        return Ok(found);
    }
    let mut insert = QueryBuilder::<Db>::new(INSERT.replacen("INSERT", IGNORING, 1));
    let (key, starts) = place;
    insert.push_values((0..).zip(starts), |mut values, (period, start): (i64, i64)| {
        values.push_bind(key.as_bytes().to_vec()).push_bind(period).push_bind(start);
        values.push_bind(0).push_bind(0).push_bind(0);
    });
    insert.build().execute(&mut **write).await?;
    Ok(spent(&select(place, LOCKING).fetch_all(&mut **write).await?)?.1)
}

/// Adds to counters, in the order of their keys.
async fn add(write: &mut Transaction<'_, Db>, changes: &BTreeMap<Place, Change>) -> Result<()> {
    for ((key, starts), [requests, tokens, units]) in changes {
        let mut insert = QueryBuilder::<Db>::new(INSERT);
        insert.push_values((0..).zip(starts), |mut values, (period, start): (i64, &i64)| {
            values.push_bind(key.as_bytes().to_vec()).push_bind(period).push_bind(*start);
            values.push_bind(*requests).push_bind(*tokens).push_bind(*units);
        });
        insert.push(&*ADD).build().execute(&mut **write).await?;
    }
    Ok(())
}

/// The reservations of these ids that there are.
async fn open_ones(
    write: &mut Transaction<'_, Db>,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Open>> {
    let mut read = QueryBuilder::<Db>::new(
        "SELECT id, client_key, began_at, tokens, ended FROM budget_reservations WHERE id IN (",
    );
    push_ids(&mut read, ids);
    let rows = read.push(LOCKING).build().fetch_all(&mut **write).await?;
    let impossible = |id, reason| Error::ImpossibleRow { table: "budget_reservations", id, reason };
    rows.iter()
        .map(|row| {
            let open = Open {
                key: columns::id(row, "client_key", impossible)?,
                began_at: row.try_get("began_at")?,
                tokens: row.try_get("tokens")?,
                ended: row.try_get::<i64, _>("ended")? != 0,
            };
            Ok((columns::id(row, "id", impossible)?, open))
        })
        .collect()
}

fn push_ids(query: &mut QueryBuilder<Db>, ids: impl Iterator<Item = Uuid>) {
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.as_bytes().to_vec());
    }
    query.push(")");
}

fn plus(mut spent: Spent, [requests, tokens, units]: Change) -> Spent {
    for amounts in &mut spent.0 {
        amounts.requests = amounts.requests.saturating_add_signed(requests);
        amounts.tokens = amounts.tokens.saturating_add_signed(tokens);
        amounts.units = amounts.units.saturating_add_signed(units);
    }
    spent
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Whether another writer was in the way, and trying again helps.
fn met_another(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    is_taken(error) || code.is_some_and(|code| code == DEADLOCK)
}
