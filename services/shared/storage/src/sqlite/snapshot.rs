//! Copies of the database file: made while others use it, checked, and put back.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use super::{BUSY_TIMEOUT, LOCKED_WAIT, MIGRATIONS, Sqlite, Turns, is_locked, temporary_files_in};
use crate::{Error, Migrated, Result, Sealed};

/// How long a connection that is being closed may take.
const LEAVING: Duration = Duration::from_millis(500);
/// Name of the database in the data directory.
pub const FILE: &str = "grok2api.db";

/// The newest migration this program knows.
pub fn newest_migration() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// Copies the database of `directory` into the new file `into`, as it is at one moment. Returns its newest migration.
///
/// # Errors
/// [`Error::Store`], also when the disk is full; [`Error::Damaged`] when the copy does not pass [`check`].
pub async fn copy(directory: &Path, into: &Path) -> Result<i64> {
    temporary_files_in(directory).await;
    let options = SqliteConnectOptions::new().filename(directory.join(FILE)).busy_timeout(BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let copied = sqlx::query("VACUUM INTO ?").bind(into.display().to_string()).execute(&mut connection).await;
    connection.close().await?;
    copied?;
    check(into).await
}

/// Reads a whole database file and returns its newest migration.
///
/// # Errors
/// [`Error::Damaged`] unless it is sound and one of ours.
pub async fn check(file: &Path) -> Result<i64> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let damaged = |reason: String| Error::Damaged { path: file.display().to_string(), reason };
    let answers = async {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let sound: String =
            sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await?;
        let migration: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        sqlx::Result::Ok((sound, migration))
    };
    match answers.await.map_err(|error: sqlx::Error| damaged(error.to_string()))? {
        (sound, Some(migration)) if sound == "ok" => Ok(migration),
        (sound, Some(_)) => Err(damaged(sound)),
        (_, None) => Err(damaged("it has no tables of this program".to_owned())),
    }
}

/// How many values of each kind each key seals in a database file.
///
/// # Errors
/// [`Error::Store`].
pub async fn sealed(file: &Path) -> Result<Vec<Sealed>> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let newest = newest_migration();
    let store = Sqlite { pool, turns: Turns::default(), migrated: Migrated { from: newest, to: newest } };
    let sealed = store.sealed().await;
    store.close().await;
    sealed
}

/// Whether nobody else has the database of `directory` open; its write-ahead log is part of the file then.
///
/// # Errors
/// [`Error::Store`], also when the file is no database.
pub async fn release(directory: &Path) -> Result<bool> {
    // Leaving the write-ahead log is granted to the only connection, and to no other.
    let options = SqliteConnectOptions::new()
        .filename(directory.join(FILE))
        .journal_mode(SqliteJournalMode::Delete)
        .busy_timeout(Duration::ZERO);
    let until = Instant::now() + LEAVING;
    loop {
        match SqliteConnection::connect_with(&options).await {
            Ok(connection) => {
                connection.close().await?;
                return Ok(true);
            }
            Err(error) if !is_locked(&error) => return Err(error.into()),
            Err(_) if Instant::now() >= until => return Ok(false),
            Err(_) => tokio::time::sleep(LOCKED_WAIT).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_is_sound_while_others_write_and_an_open_database_is_not_released() {
        let dir = tempfile::tempdir().unwrap();
        let open = Sqlite::open(dir.path()).await.unwrap();
        let copy_at = dir.path().join("copy.db");
        assert_eq!(copy(dir.path(), &copy_at).await.unwrap(), newest_migration());
        assert!(matches!(copy(dir.path(), &copy_at).await, Err(Error::Store(_))), "it is there already");
        assert!(!release(dir.path()).await.unwrap());
        open.close().await;
        assert!(release(dir.path()).await.unwrap());
        assert!(!dir.path().join("grok2api.db-wal").exists());
        Sqlite::open(dir.path()).await.unwrap();
    }

    #[tokio::test]
    async fn damaged_and_foreign_files_are_told() {
        let dir = tempfile::tempdir().unwrap();
        Sqlite::open(dir.path()).await.unwrap().close().await;
        let file = dir.path().join(FILE);
        let mut bytes = std::fs::read(&file).unwrap();
        let half = bytes.len() / 2;
        bytes[half..].fill(7);
        std::fs::write(dir.path().join("damaged.db"), &bytes).unwrap();
        std::fs::write(dir.path().join("text.db"), "not a database at all, but long enough to look like one")
            .unwrap();
        for name in ["damaged.db", "text.db"] {
            let error = check(&dir.path().join(name)).await.unwrap_err();
            assert!(matches!(&error, Error::Damaged { path, .. } if path.ends_with(name)), "{error}");
        }
    }
}
