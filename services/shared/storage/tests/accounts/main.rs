//! Accounts: the contract on every store, and what is particular to SQLite.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;

use std::{path::Path, sync::Arc};

use grok2api_storage::{
    Error,
    accounts::{Accounts, StoredAccount, Tier, Token},
    seal::Sealer,
    sqlite::Sqlite,
};
use tempfile::TempDir;
use uuid::Uuid;

const KEY: [u8; 32] = [7; 32];

async fn open(directory: &Path) -> Arc<dyn Accounts> {
    let sqlite = Sqlite::open(directory).await.unwrap();
    sqlite.accounts(Sealer::new(KEY)).await.unwrap()
}

/// Two handles on one store, as two processes have them.
async fn two() -> (TempDir, Arc<dyn Accounts>, Arc<dyn Accounts>) {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open(dir.path()).await, open(dir.path()).await);
    (dir, one, other)
}

fn account(number: u32) -> StoredAccount {
    let token = Token::new(format!("sim-basic-{number:04}"));
    StoredAccount::new(Uuid::now_v7(), token, Tier::Basic, 1_000 + i64::from(number))
}

macro_rules! on_sqlite {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test]
        async fn $name() {
            let (_dir, one, other) = two().await;
            contract::$name(&*one, &*other).await;
        }
    )* };
}

on_sqlite! {
    everything_of_an_account_is_kept,
    a_known_token_keeps_its_account,
    a_removed_account_is_not_loaded_and_comes_back_under_its_id,
    an_update_of_an_old_version_is_refused,
    every_write_is_seen_by_the_other_handle,
    writers_side_by_side_lose_nothing,
    unknown_ids_are_nobody,
    what_was_removed_long_ago_is_forgotten,
}

#[tokio::test]
async fn reopening_keeps_everything_and_migrates_once() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(dir.path()).await.unwrap();
    let accounts = sqlite.accounts(Sealer::new(KEY)).await.unwrap();
    accounts.insert(&[account(1), account(2)]).await.unwrap();
    let before = (accounts.version().await.unwrap(), accounts.load_all().await.unwrap());
    sqlite.close().await;
    let again = open(dir.path()).await;
    assert_eq!((again.version().await.unwrap(), again.load_all().await.unwrap()), before);
}

#[tokio::test]
async fn processes_that_start_at_once_share_one_database() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, c) = tokio::join!(open(dir.path()), open(dir.path()), open(dir.path()));
    a.insert(&[account(1)]).await.unwrap();
    assert_eq!(b.load_all().await.unwrap(), c.load_all().await.unwrap());
}

#[tokio::test]
async fn another_key_is_refused_when_the_accounts_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).await;
    let sqlite = Sqlite::open(dir.path()).await.unwrap();
    let Err(error) = sqlite.accounts(Sealer::new([8; 32])).await else { panic!("the wrong key was taken") };
    let text = error.to_string();
    assert!(text.contains("sealed with key") && text.contains("seal.key"), "{text}");
}

/// The database file behind the store, opened without it.
async fn raw(directory: &Path) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(directory.join("grok2api.db"));
    sqlx::SqlitePool::connect_with(options).await.unwrap()
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&raw(dir.path()).await)
    .await
    .unwrap();
    let error = Sqlite::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, Error::Newer { found: 9999, .. }), "{error}");
    assert!(error.to_string().contains("newer program"), "{error}");
}

#[tokio::test]
async fn no_token_stands_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(dir.path()).await.unwrap();
    let accounts = sqlite.accounts(Sealer::new(KEY)).await.unwrap();
    accounts.insert(&[account(1)]).await.unwrap();
    sqlite.close().await;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|part| part == b"sim-basic-0001"));
    }
}

#[rstest::rstest]
#[case::tier("tier = 'gold'", "unknown tier \"gold\"")]
#[case::status("status = 'tired'", "unknown status \"tired\"")]
#[case::windows("windows = '{\"normal\":1}'", "windows:")]
#[case::tags("tags = 'a'", "tags:")]
#[case::failures("failures = '[1]'", "failures:")]
#[case::token("sealed_token = x'00'", "damaged")]
#[case::swapped("sealed_token = (SELECT sealed FROM seal_check)", "another row")]
#[tokio::test]
async fn impossible_rows_are_named(#[case] damage: &str, #[case] reason: &str) {
    let (dir, accounts, _) = two().await;
    let known = account(1);
    accounts.insert(std::slice::from_ref(&known)).await.unwrap();
    let damage = format!("UPDATE accounts SET {damage}");
    sqlx::query(sqlx::AssertSqlSafe(damage)).execute(&raw(dir.path()).await).await.unwrap();
    let error = accounts.load_all().await.unwrap_err();
    assert!(matches!(&error, Error::ImpossibleRow { table: "accounts", .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(reason) && text.contains(&known.id.to_string()), "{text}");
}
