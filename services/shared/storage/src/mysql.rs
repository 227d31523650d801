//! The `mysql` mode's durable store: MySQL 8 or MariaDB.

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
#[path = "sql/stamp.rs"]
mod stamp;
#[path = "sql/videos.rs"]
mod videos;

use std::{
    str::FromStr as _,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions as _, Connection as _,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
};
use tokio::time::timeout;

use crate::{
    Error, Migrated, Result,
    bounded::{self, ANSWER, CONNECT, MIGRATION},
};

/// The names that the SQL shared with SQLite knows this database by.
type Db = sqlx::MySql;
type Row = sqlx::mysql::MySqlRow;
type Connection = sqlx::MySqlConnection;
type Pool = sqlx::MySqlPool;
type Store = MySql;
const BEGIN: &str = "BEGIN";
/// An insertion that leaves rows alone whose key is there.
const IGNORING: &str = "INSERT IGNORE";

/// Behind a reading in a transaction that writes: keeps the rows to itself.
const LOCKING: &str = " FOR UPDATE";

/// Rows of the ledger that are written in one transaction; nobody waits for it who writes something else.
const STEP: usize = usize::MAX;

/// Applied in this order, under the numbers of SQLite; every statement can be run again.
const MIGRATIONS: [(i64, &str, &str); 17] = [
    (1, "accounts", include_str!("../migrations/mysql/0001_accounts.sql")),
    (2, "settings", include_str!("../migrations/mysql/0002_settings.sql")),
    (3, "media", include_str!("../migrations/mysql/0003_media.sql")),
    (4, "accounts_pool", include_str!("../migrations/mysql/0004_accounts_pool.sql")),
    (5, "ledger", include_str!("../migrations/mysql/0005_ledger.sql")),
    (6, "client_keys", include_str!("../migrations/mysql/0006_client_keys.sql")),
    (7, "admins", include_str!("../migrations/mysql/0007_admins.sql")),
    (8, "sessions", include_str!("../migrations/mysql/0008_sessions.sql")),
    (9, "actions", include_str!("../migrations/mysql/0009_actions.sql")),
    (10, "video_jobs", include_str!("../migrations/mysql/0010_video_jobs.sql")),
    (11, "budgets", include_str!("../migrations/mysql/0011_budgets.sql")),
    (13, "admins_must_change", include_str!("../migrations/mysql/0013_admins_must_change.sql")),
    (14, "media_newest", include_str!("../migrations/mysql/0014_media_newest.sql")),
    (15, "captures", include_str!("../migrations/mysql/0015_captures.sql")),
    (16, "ledger_by_outcome", include_str!("../migrations/mysql/0016_ledger_by_outcome.sql")),
    (17, "responses", include_str!("../migrations/mysql/0017_responses.sql")),
    (18, "media_owner", include_str!("../migrations/mysql/0018_media_owner.sql")),
];
const MAX_CONNECTIONS: u32 = 10;
/// How long a call waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(3);
/// How long a connection that was given back may take to show that it lives.
const RELEASE: Duration = Duration::from_secs(2);
/// How long the server lets one question wait for another process that is at the migrations.
const MIGRATING: Duration = Duration::from_secs(5);
/// Longer than this a connection does not lie idle.
const IDLE: Duration = Duration::from_secs(30);
/// READ COMMITTED takes no locks on gaps, so writers of different rows do not meet; nothing here reads twice in one
/// transaction. A row or table is waited for no longer than a call may take, and what a lost process has locked is free
/// after a minute instead of the usual eight hours.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET SESSION innodb_lock_wait_timeout = 3, SESSION lock_wait_timeout = 3, SESSION wait_timeout = 60";
/// A migration waits longer, but not for ever (the server's own limit is a day, or a year): whoever asks for the table
/// meanwhile waits behind it.
const MIGRATING_SESSION: &str = "SET SESSION innodb_lock_wait_timeout = 10, SESSION lock_wait_timeout = 10";

/// An open database; clones share its connections.
#[derive(Clone, Debug)]
pub struct MySql {
    pool: Pool,
    turns: Turns,
    migrated: Migrated,
    /// Bytes of one statement that the server takes.
    max_allowed_packet: usize,
}

/// The server has writers wait for each other where they must.
#[derive(Clone, Debug)]
struct Turns;

/// Nothing to give back.
struct Turn;

impl Turns {
    #[expect(clippy::unused_self, reason = "a question that both databases answer")]
    fn wait(&self) -> std::future::Ready<Turn> {
        std::future::ready(Turn)
    }
}

impl MySql {
    /// Connects to `url` (`mysql://` or `mariadb://`) and brings the tables of its database up to date.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Timeout`], [`Error::Migrating`], [`Error::Migrate`], [`Error::Newer`].
    pub async fn open(url: &str) -> Result<Self> {
        let options = MySqlConnectOptions::from_str(url)?;
        // By a connection of its own: the pool would try again and again, and tell less.
        let first = timeout(CONNECT, options.connect()).await;
        let mut first = first.map_err(|_| Error::Timeout(CONNECT))??;
        wait_for_others(&mut first).await?;
        let migrated = bounded::within(MIGRATION, migrate(&mut first)).await?;
        let packet = sqlx::query_scalar("SELECT CAST(@@max_allowed_packet AS SIGNED)");
        let packet: i64 = bounded::within(CONNECT, async { Ok(packet.fetch_one(&mut first).await?) }).await?;
        let max_allowed_packet = usize::try_from(packet).unwrap_or(usize::MAX);
        first.close().await?;
        Ok(Self { pool: pool(options), turns: Turns, migrated, max_allowed_packet })
    }

    /// What the database at `url` is sealed with, if it has tables of ours; changes nothing.
    pub(crate) async fn look(url: &str) -> Result<Option<Vec<u8>>> {
        let mut connection = MySqlConnectOptions::from_str(url)?.connect().await?;
        let found = migrate::look(&mut connection).await;
        connection.close().await?;
        found
    }

    /// Bytes that one statement may have.
    fn largest(&self) -> usize {
        self.max_allowed_packet
    }
}

fn pool(options: MySqlConnectOptions) -> Pool {
    MySqlPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(IDLE)
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) })
        })
        // A call that was given up may leave a connection that never answers; it must not keep its place.
        .after_release(|connection, _| {
            Box::pin(
                async move { Ok(timeout(RELEASE, connection.ping()).await.is_ok_and(|pong| pong.is_ok())) },
            )
        })
        .connect_lazy_with(options)
}

/// Until no other process migrates, and none can begin; sqlx's own lock is none on MariaDB, which refuses to wait for
/// ever.
async fn wait_for_others(connection: &mut Connection) -> Result<()> {
    let begun = Instant::now();
    loop {
        let lock = sqlx::query_scalar("SELECT GET_LOCK(CONCAT('grok2api/', MD5(DATABASE())), ?)");
        let lock = lock.bind(MIGRATING.as_secs());
        let locked = async { Ok(lock.fetch_one(&mut *connection).await?) };
        let locked: Option<i64> = bounded::within(MIGRATING + ANSWER, locked).await?;
        if locked == Some(1) {
            return Ok(());
        }
        migrate::still_waiting(begun)?;
    }
}

async fn migrate(connection: &mut Connection) -> Result<Migrated> {
    sqlx::raw_sql(MIGRATING_SESSION).execute(&mut *connection).await?;
    migrate::run(connection).await
}

/// Behind an insertion: adds to the counters of a row whose key is there.
fn upsert(_key: &[&str], counters: &[&str]) -> String {
    let add: Vec<String> = counters.iter().map(|name| format!("{name} = {name} + VALUES({name})")).collect();
    format!(" ON DUPLICATE KEY UPDATE {}", add.join(", "))
}

/// Behind a table: read by this index.
fn by_index(index: &str) -> String {
    format!(" FORCE INDEX ({index})")
}
