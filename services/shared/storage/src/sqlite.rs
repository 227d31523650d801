//! The `file` mode's durable store: SQLite in the data directory.

#[path = "sql/accounts.rs"]
mod accounts;
#[path = "sql/actions.rs"]
mod actions;
#[path = "sql/admins.rs"]
mod admins;
#[path = "sql/aging.rs"]
mod aging;
#[path = "sql/budgets.rs"]
mod budgets;
#[path = "sql/captures.rs"]
mod captures;
#[path = "sql/client_keys.rs"]
mod client_keys;
#[path = "sql/columns.rs"]
mod columns;
#[path = "sql/deadlock.rs"]
mod deadlock;
#[path = "sql/ledger.rs"]
mod ledger;
#[path = "sql/media.rs"]
mod media;
#[path = "sql/migrate.rs"]
mod migrate;
#[path = "sql/resealing.rs"]
mod resealing;
#[path = "sql/responses.rs"]
mod responses;
#[path = "sql/sessions.rs"]
mod sessions;
#[path = "sql/settings.rs"]
mod settings;
pub mod snapshot;
#[path = "sql/stamp.rs"]
mod stamp;
#[path = "sql/videos.rs"]
mod videos;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Mutex, MutexGuard};

use crate::{Error, Migrated, Result};

/// The names that the SQL shared with MySQL knows this database by.
type Db = sqlx::Sqlite;
type Row = sqlx::sqlite::SqliteRow;
type Connection = sqlx::SqliteConnection;
type Pool = sqlx::SqlitePool;
type Store = Sqlite;
/// Takes the write lock at once: a transaction that reads first could not get it later.
const BEGIN: &str = "BEGIN IMMEDIATE";
/// An insertion that leaves rows alone whose key is there.
const IGNORING: &str = "INSERT OR IGNORE";

/// Behind a reading in a transaction that writes: nothing, since there is no other writer.
const LOCKING: &str = "";

/// Rows of the ledger that are written in one transaction, which nobody else can write beside: a request that must be counted
/// before it is served waits for no more than these.
const STEP: usize = 50;

/// Applied in this order; a number never changes its text once released.
const MIGRATIONS: [(i64, &str, &str); 17] = [
    (1, "accounts", include_str!("../migrations/sqlite/0001_accounts.sql")),
    (2, "settings", include_str!("../migrations/sqlite/0002_settings.sql")),
    (3, "media", include_str!("../migrations/sqlite/0003_media.sql")),
    (4, "accounts_pool", include_str!("../migrations/sqlite/0004_accounts_pool.sql")),
    (5, "ledger", include_str!("../migrations/sqlite/0005_ledger.sql")),
    (6, "client_keys", include_str!("../migrations/sqlite/0006_client_keys.sql")),
    (7, "admins", include_str!("../migrations/sqlite/0007_admins.sql")),
    (8, "sessions", include_str!("../migrations/sqlite/0008_sessions.sql")),
    (9, "actions", include_str!("../migrations/sqlite/0009_actions.sql")),
    (10, "video_jobs", include_str!("../migrations/sqlite/0010_video_jobs.sql")),
    (11, "budgets", include_str!("../migrations/sqlite/0011_budgets.sql")),
    (13, "admins_must_change", include_str!("../migrations/sqlite/0013_admins_must_change.sql")),
    (14, "media_newest", include_str!("../migrations/sqlite/0014_media_newest.sql")),
    (15, "captures", include_str!("../migrations/sqlite/0015_captures.sql")),
    (16, "ledger_by_outcome", include_str!("../migrations/sqlite/0016_ledger_by_outcome.sql")),
    (17, "responses", include_str!("../migrations/sqlite/0017_responses.sql")),
    (18, "media_owner", include_str!("../migrations/sqlite/0018_media_owner.sql")),
];
const MAX_CONNECTIONS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const LOCKED_WAIT: Duration = Duration::from_millis(20);

/// An open database; clones share its connections.
#[derive(Clone, Debug)]
pub struct Sqlite {
    pool: Pool,
    turns: Turns,
    migrated: Migrated,
}

/// Writers of this process, first come, first served. SQLite itself has them try again after a while, so that who writes much
/// keeps the others waiting.
#[derive(Clone, Debug, Default)]
struct Turns(Arc<Mutex<()>>);

impl Turns {
    async fn wait(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

impl Sqlite {
    /// Opens (or makes) `grok2api.db` in `directory` and brings its tables up to date.
    ///
    /// # Errors
    /// [`Error::Directory`], [`Error::Store`], [`Error::Migrate`], [`Error::Newer`].
    pub async fn open(directory: &Path) -> Result<Self> {
        grok2api_kit::directory::private(directory)
            .map_err(|source| Error::Directory { path: directory.display().to_string(), source })?;
        temporary_files_in(directory).await;
        let options = SqliteConnectOptions::new()
            .filename(directory.join("grok2api.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // With NORMAL a power cut may take what was acknowledged last; the end of the process takes nothing either way.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        Self::open_with(options, BUSY_TIMEOUT).await
    }

    /// What the database in `directory` is sealed with, if there is one; changes nothing.
    pub(crate) async fn look(directory: &Path) -> Result<Option<Vec<u8>>> {
        let file = directory.join(snapshot::FILE);
        if !file.exists() {
            return Ok(None);
        }
        let options = SqliteConnectOptions::new().filename(file).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let found = migrate::look(&mut connection).await;
        connection.close().await?;
        found
    }

    async fn open_with(options: SqliteConnectOptions, patience: Duration) -> Result<Self> {
        let options = options.busy_timeout(patience);
        let begun = Instant::now();
        loop {
            match Self::connect(options.clone()).await {
                // Changing the journal mode does not wait for other processes that start at the same moment.
                Err(Error::Store(error)) if is_locked(&error) && begun.elapsed() < patience => {
                    tokio::time::sleep(LOCKED_WAIT).await;
                }
                // Whoever holds the lock of a database that is not up to date is most likely mending that.
                Err(Error::Store(error)) if is_locked(&error) && !is_up_to_date(&options).await => {
                    migrate::still_waiting(begun)?;
                }
                opened => return opened,
            }
        }
    }

    /// Bytes that one value may have, as SQLite is built.
    #[expect(clippy::unused_self, reason = "a question that both databases answer")]
    fn largest(&self) -> usize {
        1_000_000_000
    }

    async fn connect(options: SqliteConnectOptions) -> Result<Self> {
        // When a disk is full, SQLite rolls back by itself, and the connection takes itself to be in a transaction for ever.
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options)
            .await?;
        // Under the write lock, since two processes may start at once.
        let mut lock = pool.begin_with(BEGIN).await?;
        let migrated = migrate::run(&mut lock).await?;
        lock.commit().await?;
        Ok(Self { pool, turns: Turns::default(), migrated })
    }
}

/// Has SQLite sort and spill in that directory. It would look for one of the system's, and in a container whose root cannot
/// be written there is none: an index could not be built then, nor some changes of many rows be made.
async fn temporary_files_in(directory: &Path) {
    let place = directory.display().to_string().replace('\'', "''");
    let told = async {
        let mut nowhere = SqliteConnection::connect("sqlite::memory:").await?;
        let pragma = format!("PRAGMA temp_store_directory = '{place}'");
        // It counts for the whole process.
        sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(&mut nowhere).await?;
        nowhere.close().await
    };
    if let Err(error) = told.await {
        tracing::debug!(%error, "SQLite looks for a place for its temporary files by itself");
    }
}

/// Whether every migration is there, as far as can be seen beside a writer.
async fn is_up_to_date(options: &SqliteConnectOptions) -> bool {
    let newest = async {
        let mut connection = SqliteConnection::connect_with(&options.clone().read_only(true)).await?;
        let newest = sqlx::query_scalar::<_, i64>("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations");
        newest.fetch_one(&mut connection).await
    };
    // A writer that makes the tables has not shown them yet.
    newest.await.is_ok_and(|newest| newest >= snapshot::newest_migration())
}

/// SQLITE_BUSY, with any extension.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

/// Behind an insertion: adds to the counters of a row whose key is there.
fn upsert(key: &[&str], counters: &[&str]) -> String {
    let add: Vec<String> = counters.iter().map(|name| format!("{name} = {name} + excluded.{name}")).collect();
    format!(" ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), add.join(", "))
}

/// Behind a table: read by this index.
fn by_index(index: &str) -> String {
    format!(" INDEXED BY {index}")
}

#[cfg(test)]
mod tests {
    use sqlx::migrate::Migrator;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    /// A database at an older migration, and the lock that a process has that brings it up to date.
    async fn migrating(directory: &Path, newest: i64) -> (SqliteConnectOptions, SqliteConnection) {
        let options = SqliteConnectOptions::new()
            .filename(directory.join(snapshot::FILE))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        let older = MIGRATIONS.into_iter().filter(|(number, ..)| *number <= newest).map(migrate::migration);
        Migrator::with_migrations(older.collect()).run(&mut other).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        (options, other)
    }

    #[tokio::test]
    async fn temporary_files_lie_in_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let directory = dir.path().join("it's here");
        let store = Sqlite::open(&directory).await.unwrap();
        let place: String =
            sqlx::query_scalar("PRAGMA temp_store_directory").fetch_one(&store.pool).await.unwrap();
        assert_eq!(place, directory.display().to_string());
    }

    #[tokio::test]
    async fn another_ones_migration_is_waited_for_however_long_it_takes() {
        let dir = tempfile::tempdir().unwrap();
        let (options, mut other) = migrating(dir.path(), 10).await;
        let opening = Sqlite::open_with(options, PATIENCE);
        tokio::pin!(opening);
        let long = tokio::time::timeout(10 * PATIENCE, &mut opening).await;
        assert!(long.is_err(), "it goes on waiting: {long:?}");
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        assert_eq!(
            opening.await.unwrap().migrated(),
            Migrated { from: 10, to: snapshot::newest_migration() }
        );
    }

    #[tokio::test]
    async fn a_lock_on_what_is_up_to_date_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (options, _other) = migrating(dir.path(), i64::MAX).await;
        let opened =
            tokio::time::timeout(Duration::from_secs(20), Sqlite::open_with(options, PATIENCE)).await;
        assert!(matches!(opened.expect("it does not wait"), Err(Error::Store(error)) if is_locked(&error)));
    }
}
