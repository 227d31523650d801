//! Rows that this program cannot have written, and secrets where nobody may read them.

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{
    Error, Store,
    accounts::{Inserted, StoredAccount, Unreadable},
    media::Kind,
    settings::Overrides,
};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Stand, account, command, sql};

/// `(what is done in SQL, what is done to the hash in Redis, what is told)`; `REST` stands for the JSON.
const DAMAGES: [(&str, &[&str], &str); 6] = [
    ("tier = 'gold'", &["rest", "\"tier\":\"basic\"", "\"tier\":\"gold\""], "unknown tier \"gold\""),
    (
        "status = 'tired'",
        &["rest", "\"status\":\"active\"", "\"status\":\"tired\""],
        "unknown status \"tired\"",
    ),
    ("windows = '{\"normal\":1}'", &["rest", "\"windows\":{}", "\"windows\":{\"normal\":1}"], "invalid type"),
    ("tags = 'a'", &["rest", "\"tags\":[]", "\"tags\":[1]"], ""),
    ("failures = '[1]'", &["rest", "\"failures\":[]", "\"failures\":[1]"], "invalid type"),
    ("sealed_token = x'00'", &["sealed", "", "damaged"], "damaged"),
];

#[rstest::rstest]
#[tokio::test]
async fn a_damaged_account_is_named_and_keeps_no_other_back(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    for (in_sql, in_redis, reason) in DAMAGES {
        let settings = stand.settings().await;
        let accounts = Store::open(&settings).await.unwrap().accounts();
        let (hurt, sound) = (account(1), account(2));
        accounts.insert(&[hurt.clone(), sound.clone()]).await.unwrap();
        damage(&settings, hurt.id, in_sql, in_redis).await;
        let accounts = Store::open(&settings).await.unwrap().accounts();
        let found = accounts.changed_since(0).await.unwrap();
        assert_eq!(found.accounts.iter().map(|account| account.id).collect::<Vec<_>>(), [sound.id]);
        let [Unreadable { id, reason: told, removed: false }] = &*found.unreadable else {
            panic!("{found:?}")
        };
        assert_eq!(*id, hurt.id.to_string());
        assert!(told.contains(reason) && told.contains(id), "{told}");
        let error = accounts.get(hurt.id).await.unwrap_err();
        assert!(matches!(&error, Error::ImpossibleRow { table: "accounts", .. }), "{error}");

        assert!(accounts.remove(hurt.id, 5).await.unwrap());
        assert!(!accounts.remove(hurt.id, 6).await.unwrap(), "it is gone already");
        let gone = accounts.changed_since(found.version).await.unwrap();
        assert!(matches!(&*gone.unreadable, [Unreadable { removed: true, .. }]), "{gone:?}");
    }
}

/// The token is what counts: added again, it has a whole row, whether the damaged one was removed or not.
#[rstest::rstest]
#[tokio::test]
async fn a_damaged_account_is_whole_when_its_token_is_added_again(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
    #[values(false, true)] removed: bool,
) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let accounts = Store::open(&settings).await.unwrap().accounts();
    let hurt = account(1);
    accounts.insert(std::slice::from_ref(&hurt)).await.unwrap();
    for (in_sql, in_redis, _) in DAMAGES {
        damage(&settings, hurt.id, in_sql, in_redis).await;
        if removed {
            assert!(accounts.remove(hurt.id, 5).await.unwrap());
        }
        let again = StoredAccount { id: Uuid::now_v7(), ..hurt.clone() };
        let [Inserted::Added(back)] = &*accounts.insert(&[again]).await.unwrap() else { panic!("{in_sql}") };
        assert_eq!((back.id, &back.token), (hurt.id, &hurt.token));
        assert_eq!(accounts.load_all().await.unwrap(), std::slice::from_ref(back));
        assert_eq!(accounts.get(hurt.id).await.unwrap().as_ref(), Some(back));
    }
    assert!(accounts.remove(hurt.id, 7).await.unwrap());
    assert_eq!(accounts.purge(8).await.unwrap(), 1);
    assert!(accounts.changed_since(0).await.unwrap().accounts.is_empty());
}

/// Changes an account's row behind the store's back.
async fn damage(settings: &Settings, id: Uuid, in_sql: &str, in_redis: &[&str]) {
    if settings.storage.mode == Mode::Redis {
        change_field(settings, &id.to_string(), in_redis).await;
    } else {
        sql(settings, &format!("UPDATE accounts SET {in_sql} WHERE id = x'{}'", id.simple())).await;
    }
}

/// Replaces a part of a field, or all of it.
async fn change_field(settings: &Settings, id: &str, change: &[&str]) {
    let key = format!("{{g2a}}:account:{id}");
    let [field, from, to] = change else { panic!("a field, what was, what is") };
    let mut value = (*to).to_owned();
    if !from.is_empty() {
        let redis::Value::BulkString(before) =
            command(settings, redis::cmd("HGET").arg(&key).arg(field)).await
        else {
            panic!("no field {field}");
        };
        let before = String::from_utf8(before).unwrap();
        value = before.replace(from, to);
        assert_ne!(value, before);
    }
    command(settings, redis::cmd("HSET").arg(&key).arg(field).arg(value)).await;
}

#[rstest::rstest]
#[tokio::test]
async fn a_token_moved_to_another_account_does_not_open(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let accounts = Store::open(&settings).await.unwrap().accounts();
    let (one, other) = (account(1), account(2));
    accounts.insert(&[one.clone(), other.clone()]).await.unwrap();
    if mode == Mode::Redis {
        let key = |id| format!("{{g2a}}:account:{id}");
        let sealed = command(&settings, redis::cmd("HGET").arg(key(one.id)).arg("sealed")).await;
        let redis::Value::BulkString(sealed) = sealed else { panic!("no token") };
        command(&settings, redis::cmd("HSET").arg(key(other.id)).arg("sealed").arg(sealed)).await;
    } else {
        sql(&settings, "UPDATE accounts SET sealed_token = (SELECT sealed FROM seal_check)").await;
    }
    let text = accounts.get(other.id).await.unwrap_err().to_string();
    assert!(text.contains("another row") && text.contains(&other.id.to_string()), "{text}");
}

#[rstest::rstest]
#[tokio::test]
async fn impossible_revisions_and_items_are_named(
    #[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode,
) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    store.settings().append(0, Overrides::new(), "admin", 1).await.unwrap();
    if mode == Mode::Redis {
        let hash = |key: &str| redis::cmd("HSET").arg(key).to_owned();
        command(&settings, hash("{g2a}:settings:revision:1").arg("overrides").arg("x")).await;
        command(&settings, hash("{g2a}:media:image:item:a.jpg").arg("size").arg("1")).await;
    } else {
        sql(&settings, "UPDATE settings_revisions SET overrides = x'0102'").await;
        let row = "INSERT INTO media VALUES (1, 'a.jpg', 's', 'image/jpeg', -1, '', 0, 0, '')";
        sql(&settings, row).await;
    }
    assert!(matches!(store.settings().latest().await, Err(Error::Seal(_))));
    let error = store.media().get(Kind::Image, "a.jpg").await.unwrap_err().to_string();
    assert!(error.contains("media, a.jpg: "), "{error}");
}

/// Everything a store has written, as one heap of bytes.
async fn bytes(settings: &Settings) -> Vec<u8> {
    let mut all = Vec::new();
    match settings.storage.mode {
        Mode::File => {
            for entry in std::fs::read_dir(&settings.data.dir).unwrap() {
                all.extend(std::fs::read(entry.unwrap().path()).unwrap());
            }
        }
        Mode::Mysql => {
            let pool = sqlx::MySqlPool::connect(&settings.storage.url).await.unwrap();
            for statement in ["SELECT sealed_token FROM accounts", "SELECT overrides FROM settings_revisions"]
            {
                let rows: Vec<(Vec<u8>,)> = sqlx::query_as(statement).fetch_all(&pool).await.unwrap();
                all.extend(rows.into_iter().flat_map(|(value,)| value));
            }
        }
        Mode::Redis => {
            let keys = command(settings, redis::cmd("KEYS").arg("*")).await;
            let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
            for key in keys {
                assert!(key.starts_with("{g2a}:"), "{key}");
                let kind = command(settings, redis::cmd("TYPE").arg(&key)).await;
                if kind == redis::Value::SimpleString("hash".into()) {
                    let values = command(settings, redis::cmd("HVALS").arg(&key)).await;
                    let values: Vec<Vec<u8>> = redis::from_redis_value(values).unwrap();
                    all.extend(values.concat());
                }
            }
        }
    }
    all
}

#[rstest::rstest]
#[tokio::test]
async fn no_secret_stands_in_the_store(#[values(Mode::File, Mode::Mysql, Mode::Redis)] mode: Mode) {
    let stand = Stand::start(mode);
    let settings = stand.settings().await;
    let store = Store::open(&settings).await.unwrap();
    store.accounts().insert(&[account(1)]).await.unwrap();
    let overrides = json!({"api_key": "hunter2-hunter2"}).as_object().unwrap().clone();
    store.settings().append(0, overrides, "admin", 1).await.unwrap();
    store.close().await;
    let bytes = bytes(&settings).await;
    assert!(bytes.len() > 60, "something was read");
    for secret in [&b"sim-basic-0001"[..], b"hunter2-hunter2"] {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret));
    }
}
