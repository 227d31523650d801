//! Writers that wait for each other.

use crate::Result;

const ATTEMPTS: u32 = 5;
/// The state of a transaction that the database ended so that another could go on.
const DEADLOCK: &str = "40001";

/// MySQL ends one of two transactions that wait for each other, and nothing of it is written; it is done again.
pub(super) async fn unlocked<F>(write: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<(), sqlx::Error>>,
{
    for _ in 1..ATTEMPTS {
        match write().await {
            Err(error) if is_deadlock(&error) => {}
            done => return Ok(done?),
        }
    }
    Ok(write().await?)
}

pub(super) fn is_deadlock(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == DEADLOCK)
}
