//! One write of each kind, and whether it is there.

use std::{fmt, str::FromStr};

use grok2api_storage::{
    Result, Store,
    actions::Action,
    client_keys::{ClientKey, Spec, digest},
    ledger::{Dimension, Filter, Outcome, Query, Range, Row},
    media::{Item, Kind as MediaKind},
    sessions::Session,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::account;

/// Rows of one batch of the ledger.
const BATCH: u32 = 3;
/// Epoch milliseconds.
const AT: i64 = 1_760_000_000_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// More than a test writes.
const MANY: u32 = 100_000;

/// What was written, and how it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) kind: Kind,
    found_by: String,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Account,
    Revision,
    ClientKey,
    Ledger,
    Session,
    Media,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Account, Self::Revision, Self::ClientKey, Self::Ledger, Self::Session, Self::Media];

    /// Writes the one of that number; it is acknowledged when it comes back.
    pub(super) async fn write(self, store: &Store, number: u32) -> Result<Written> {
        let found_by = match self {
            Self::Account => write_account(store, number).await?,
            Self::Revision => write_revision(store, number).await?,
            Self::ClientKey => write_key(store, number).await?,
            Self::Ledger => write_batch(store, number).await?,
            Self::Session => write_session(store, number).await?,
            Self::Media => write_item(store, number).await?,
        };
        Ok(Written { kind: self, found_by })
    }
}

/// Adds an account and changes it.
async fn write_account(store: &Store, number: u32) -> Result<String> {
    let accounts = store.accounts();
    let mut kept = accounts.insert(&[account(number)]).await?[0].account().clone();
    kept.note = "written".to_owned();
    accounts.update(&kept).await?;
    Ok(kept.id.to_string())
}

/// The revision after the newest, with the number in it.
async fn write_revision(store: &Store, number: u32) -> Result<String> {
    let settings = store.settings();
    let overrides = json!({"max_attempts": number}).as_object().unwrap().clone();
    let made = settings.append(settings.newest().await?, overrides, "test", AT).await?;
    Ok(format!("{}:{number}", made.number))
}

async fn write_key(store: &Store, number: u32) -> Result<String> {
    let id = Uuid::now_v7();
    let key = ClientKey {
        id,
        digest: digest(id.as_bytes()),
        masked: "sk-g2a-…test".to_owned(),
        created_at: AT,
        last_used_at: None,
        revoked_at: None,
        spec: Spec { name: format!("key {number}"), ..Spec::default() },
        version: 1,
    };
    let log = Action {
        id: Uuid::now_v7(),
        at: AT,
        actor: "test".to_owned(),
        what: "client_key.create".to_owned(),
        target: id.to_string(),
        before: Value::Null,
        after: Value::Null,
    };
    store.client_keys().insert(&key, &log).await?;
    Ok(id.to_string())
}

async fn write_batch(store: &Store, number: u32) -> Result<String> {
    let rows: Vec<Row> = (0..BATCH).map(|_| row(number)).collect();
    store.ledger().record(&rows, 0, AT).await?;
    Ok(rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join("+"))
}

fn row(number: u32) -> Row {
    Row {
        // Its time is the id's.
        id: Uuid::now_v7(),
        request_id: format!("req-{number}"),
        endpoint: "/v1/chat/completions".to_owned(),
        model: "grok-4-fast".to_owned(),
        client_key: "key".to_owned(),
        attempts: Vec::new(),
        first_output_ms: Some(300),
        duration_ms: 1_300,
        prompt_tokens: 10,
        completion_tokens: 20,
        reasoning_tokens: 0,
        tokens_estimated: true,
        units: 1,
        images: 0,
        videos: 0,
        outcome: Outcome::Success,
        http_status: 200,
        stream: true,
        error_code: String::new(),
        error_message: String::new(),
    }
}

/// Begins a session and sees it once more.
async fn write_session(store: &Store, number: u32) -> Result<String> {
    let id = Uuid::now_v7();
    let session = Session {
        digest: digest(id.as_bytes()),
        admin: Uuid::from_u128(1),
        created_at: AT,
        expires_at: AT + HOUR,
        last_seen_at: AT,
        address: "192.0.2.1".to_owned(),
        user_agent: format!("test {number}"),
    };
    store.sessions().insert(&session).await?;
    store.sessions().seen(&session.digest, AT + 1, AT + 2 * HOUR).await?;
    Ok(id.to_string())
}

async fn write_item(store: &Store, number: u32) -> Result<String> {
    let name = format!("{number}-{}.jpg", Uuid::now_v7());
    let item = Item {
        kind: MediaKind::Image,
        name: name.clone(),
        source: format!("source of {name}"),
        content_type: "image/jpeg".to_owned(),
        size: 1,
        etag: "\"etag\"".to_owned(),
        created_at: AT,
        last_used_at: AT,
        owner: String::new(),
    };
    store.media().put(&item).await?;
    Ok(name)
}

/// Panics unless all of it is there, and what is counted beside the rows is what rows there are.
pub(super) async fn all_there(store: &Store, acknowledged: &[Written]) {
    let accounts = store.accounts().load_all().await.unwrap();
    let noted = |id: &str| accounts.iter().any(|one| one.id.to_string() == id && one.note == "written");
    for Written { kind, found_by } in acknowledged {
        let id = || Uuid::parse_str(found_by).unwrap();
        let there = match kind {
            Kind::Account => noted(found_by),
            Kind::Revision => is_revision(store, found_by).await,
            Kind::ClientKey => store.client_keys().get(id()).await.unwrap().is_some(),
            Kind::Ledger => are_recorded(store, found_by).await,
            Kind::Session => {
                let found = store.sessions().get(&digest(id().as_bytes())).await.unwrap();
                found.is_some_and(|session| session.last_seen_at == AT + 1)
            }
            Kind::Media => store.media().get(MediaKind::Image, found_by).await.unwrap().is_some(),
        };
        assert!(there, "{kind:?} {found_by} was acknowledged");
    }
    every_key_is_in_the_log(store).await;
    the_ledger_adds_up(store).await;
    let usage = store.media().usage(MediaKind::Image).await.unwrap();
    let items = store.media().page(MediaKind::Image, "", MANY).await.unwrap();
    assert_eq!(usage.items, items.len() as u64);
}

async fn is_revision(store: &Store, found_by: &str) -> bool {
    let (revision, number) = found_by.split_once(':').unwrap();
    let revision: u64 = revision.parse().unwrap();
    let found = store.settings().list(Some(revision + 1), 1).await.unwrap().pop();
    found.is_some_and(|found| {
        found.number == revision && found.overrides["max_attempts"].as_u64() == number.parse().ok()
    })
}

async fn are_recorded(store: &Store, found_by: &str) -> bool {
    for id in found_by.split('+') {
        if store.ledger().get(Uuid::parse_str(id).unwrap()).await.unwrap().is_none() {
            return false;
        }
    }
    true
}

/// A key and what the log says of it are written in one step, so there is never one without the other.
async fn every_key_is_in_the_log(store: &Store) {
    let keys = store.client_keys().changed_since(0).await.unwrap().keys;
    let log = store.actions().page(None, MANY).await.unwrap();
    let mut named: Vec<_> = log.into_iter().map(|action| action.target).collect();
    let mut ids: Vec<_> = keys.into_iter().map(|key| key.id.to_string()).collect();
    named.sort_unstable();
    ids.sort_unstable();
    assert_eq!(named, ids);
}

/// Rows and their sums are written in one step.
async fn the_ledger_adds_up(store: &Store) {
    let rows = store.ledger().page(&Filter::default(), None, MANY).await.unwrap();
    assert!(rows.len().is_multiple_of(BATCH as usize), "a batch is there as a whole or not at all");
    let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return };
    let range = Range::new(oldest.started_at() - DAY, newest.started_at() + DAY, DAY).unwrap();
    let query = Query { dimension: Dimension::All, range, only: None, top: 1 };
    let series = store.ledger().series(&query).await.unwrap();
    let sum: u64 = series[0].steps.iter().map(|(_, totals)| totals.requests()).sum();
    assert_eq!(sum, rows.len() as u64);
}

/// `kind found_by`: how a process that is to be killed says what was acknowledged.
impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.found_by)
    }
}

impl FromStr for Written {
    type Err = ();

    /// The last line of a killed process may be half a line.
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (kind, found_by) = text.split_once(' ').ok_or(())?;
        let kind = Kind::ALL.into_iter().find(|known| format!("{known:?}") == kind).ok_or(())?;
        Ok(Self { kind, found_by: found_by.to_owned() })
    }
}
