//! Opening a store: many at once, again, with another key, by an older program, and where there is none.

use std::time::{Duration, Instant};

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{Error, Migrated, Store, place};

use crate::support::{Stand, account, command, sql, with_another_key};

#[rstest::rstest]
#[tokio::test]
async fn processes_that_start_at_once_share_one_store(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let open = || Store::open(&settings);
    let stores = tokio::join!(open(), open(), open(), open(), open());
    let stores = [stores.0, stores.1, stores.2, stores.3, stores.4].map(Result::unwrap);
    let new = stores.iter().filter(|store| store.migrated().from == 0).count();
    assert_eq!(new, 1, "one of them has made the tables");
    stores[0].accounts().insert(&[account(1)]).await.unwrap();
    for store in &stores {
        assert_eq!(store.accounts().load_all().await.unwrap().len(), 1);
    }
}

#[rstest::rstest]
#[tokio::test]
async fn reopening_keeps_everything_and_migrates_once(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    let accounts = store.accounts();
    accounts.insert(&[account(1), account(2)]).await.unwrap();
    let before = (accounts.version().await.unwrap(), accounts.load_all().await.unwrap());
    let to = store.migrated().to;
    store.close().await;
    let again = Store::open(&settings).await.unwrap();
    assert_eq!(again.migrated(), Migrated { from: to, to });
    again.ping().await.unwrap();
    let accounts = again.accounts();
    assert_eq!((accounts.version().await.unwrap(), accounts.load_all().await.unwrap()), before);
}

#[rstest::rstest]
#[tokio::test]
async fn another_key_is_refused_at_the_start(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    Store::open(&settings).await.unwrap();
    let Err(error) = with_another_key(&settings).await else { panic!("the wrong key was taken") };
    let text = error.to_string();
    assert!(text.contains("sealed with key") && text.contains("seal.key"), "{text}");
}

#[rstest::rstest]
#[tokio::test]
async fn a_store_of_a_newer_program_is_refused(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    Store::open(&settings).await.unwrap();
    if mode == Mode::Redis {
        command(&settings, redis::cmd("SET").arg("{g2a}:format").arg(9999)).await;
    } else {
        let row = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES (9999, 'from the future', 1, x'00', 0)";
        sql(&settings, row).await;
    }
    let Err(error) = Store::open(&settings).await else { panic!("it was opened") };
    assert!(matches!(error, Error::Newer { found: 9999, .. }), "{error}");
    assert!(error.to_string().contains("newer program"), "{error}");
}

#[tokio::test]
async fn a_migration_that_was_cut_off_is_done_again() {
    let stand = Stand::start(Mode::Mysql);
    let settings = stand.settings().await;
    Store::open(&settings).await.unwrap().accounts().insert(&[account(1)]).await.unwrap();
    sql(&settings, "UPDATE _sqlx_migrations SET success = FALSE WHERE version = 1").await;
    sql(&settings, "DELETE FROM _sqlx_migrations WHERE version > 1").await;
    let store = Store::open(&settings).await.unwrap();
    assert_eq!(store.migrated().from, 0);
    assert_eq!(store.accounts().load_all().await.unwrap().len(), 1);
}

/// An older program meets a store that a newer one has begun to migrate: MySQL's mark of it must survive.
#[tokio::test]
async fn a_store_that_a_newer_program_is_migrating_is_refused_and_keeps_its_mark() {
    let stand = Stand::start(Mode::Mysql);
    let settings = stand.settings().await;
    Store::open(&settings).await.unwrap();
    let row = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'half of the future', 0, x'00', 0)";
    sql(&settings, row).await;
    for _ in 0..2 {
        let Err(error) = Store::open(&settings).await else { panic!("it was opened") };
        assert!(matches!(error, Error::Newer { found: 9999, .. }), "{error}");
    }
}

/// Somebody else's lock on a table: the start ends soon, and says what it waited for.
#[rstest::rstest]
#[tokio::test]
async fn a_table_that_another_session_has_locked_ends_the_start_soon(
    #[values("accounts", "seal_check", "_sqlx_migrations")] table: &str,
) {
    let stand = Stand::start(Mode::Mysql);
    let settings = stand.settings().await;
    Store::open(&settings).await.unwrap().close().await;
    let pool = sqlx::MySqlPool::connect(&settings.storage.url).await.unwrap();
    let mut other = pool.acquire().await.unwrap();
    let lock = sqlx::AssertSqlSafe(format!("LOCK TABLES {table} WRITE"));
    sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
    let opened = tokio::time::timeout(Duration::from_secs(30), Store::open(&settings)).await;
    let Err(error) = opened.expect("it does not hang") else { panic!("it was opened") };
    assert!(matches!(error, Error::Locked), "{error}");
    assert!(error.to_string().contains("locked by another session"), "{error}");
    sqlx::raw_sql("UNLOCK TABLES").execute(&mut *other).await.unwrap();
    Store::open(&settings).await.unwrap();
}

fn at(mode: &str, url: &str) -> Settings {
    let data = std::env::temp_dir().display().to_string();
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    let given =
        [("STORAGE_MODE", mode), ("DATABASE_URL", url), ("G2A_DATA_DIR", &data), ("G2A_MASTER_KEY", key)];
    Settings::load(None, given.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
}

/// Nobody listens, or somebody who never says a word.
#[rstest::rstest]
#[tokio::test]
async fn a_store_that_cannot_be_reached_ends_the_start_soon(
    #[values("mysql", "redis")] mode: &str,
    #[values(false, true)] silent: bool,
) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    if !silent {
        drop(listener);
    }
    let settings = at(mode, &format!("{mode}://user:hunter2@{address}/1"));
    let began = Instant::now();
    let Err(error) = Store::open(&settings).await else { panic!("it was opened") };
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    let line = format!("{}: {error}", place(&settings));
    assert!(!line.contains("hunter2") && !line.contains('\n'), "{line}");
    assert!(line.contains(&address.to_string()), "{line}");
    assert!(line.contains(if silent { "no answer within" } else { "refused" }), "{line}");
}
