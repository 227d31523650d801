//! The three stores as tests start them.

use std::sync::atomic::{AtomicU32, Ordering};

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{
    Result, Store,
    accounts::{StoredAccount, Tier, Token},
};
use grok2api_testkit::{Backing, MariaDb};
use tempfile::TempDir;
use uuid::Uuid;

/// 32 bytes 7.
pub(crate) const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
/// 32 bytes 8.
pub(crate) const OTHER_KEY: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

/// A place for any number of empty stores of one mode.
pub(crate) struct Stand {
    pub(crate) server: Backing,
    data: TempDir,
    stores: AtomicU32,
}

impl Stand {
    pub(crate) fn start(mode: Mode) -> Self {
        let server = Backing::start(mode);
        Self { server, data: tempfile::tempdir().unwrap(), stores: AtomicU32::new(0) }
    }

    /// The settings of an empty store.
    pub(crate) async fn settings(&self) -> Settings {
        let number = self.stores.fetch_add(1, Ordering::Relaxed);
        let (mode, url) = match &self.server {
            Backing::File => ("file", String::new()),
            Backing::MariaDb(server, _) => ("mysql", database(server, number).await),
            Backing::Redis(server) => ("redis", format!("{}/{number}", server.url())),
        };
        let data = self.data.path().join(number.to_string()).display().to_string();
        let given = [("STORAGE_MODE", mode), ("DATABASE_URL", &url), ("G2A_DATA_DIR", &data)];
        let given = given.into_iter().chain([("G2A_MASTER_KEY", KEY)]);
        Settings::load(None, given.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
    }

    /// An empty store.
    pub(crate) async fn fresh(&self) -> Store {
        Store::open(&self.settings().await).await.unwrap()
    }

    /// Two handles on one empty store, as two processes have them.
    pub(crate) async fn two(&self) -> (Store, Store) {
        let settings = self.settings().await;
        (Store::open(&settings).await.unwrap(), Store::open(&settings).await.unwrap())
    }
}

async fn database(server: &MariaDb, number: u32) -> String {
    let pool = sqlx::MySqlPool::connect(&server.url()).await.unwrap();
    let create = format!("CREATE DATABASE store_{number}");
    sqlx::query(sqlx::AssertSqlSafe(create)).execute(&pool).await.unwrap();
    pool.close().await;
    server.url().replace("/grok2api", &format!("/store_{number}"))
}

/// What `Store::open` says with a key that is not the store's.
pub(crate) async fn with_another_key(settings: &Settings) -> Result<Store> {
    let mut settings = settings.clone();
    settings.seal.key = OTHER_KEY.to_owned();
    Store::open(&settings).await
}

pub(crate) fn account(number: u32) -> StoredAccount {
    let token = Token::new(format!("sim-basic-{number:04}"));
    StoredAccount::new(Uuid::now_v7(), token, Tier::Basic, 1_000 + i64::from(number))
}

/// A store behind our back: one SQL statement.
pub(crate) async fn sql(settings: &Settings, statement: &str) {
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    match settings.storage.mode {
        Mode::File => {
            let file = settings.data.dir.join("grok2api.db");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
            let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
            sqlx::query(statement).execute(&pool).await.unwrap();
            pool.close().await;
        }
        Mode::Mysql => {
            let pool = sqlx::MySqlPool::connect(&settings.storage.url).await.unwrap();
            sqlx::query(statement).execute(&pool).await.unwrap();
            pool.close().await;
        }
        Mode::Redis => panic!("Redis speaks no SQL"),
    }
}

/// A store behind our back: one Redis command.
pub(crate) async fn command(settings: &Settings, command: &redis::Cmd) -> redis::Value {
    let client = redis::Client::open(settings.storage.url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    command.query_async(&mut connection).await.unwrap()
}
