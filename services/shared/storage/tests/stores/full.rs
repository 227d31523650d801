//! Databases whose disk is full.

use std::time::{Duration, Instant};

use grok2api_kit::settings::{Mode, Settings};
use grok2api_storage::{
    Error, Store,
    ledger::{Outcome, Row},
};
use grok2api_testkit::{MariaDb, SmallDisk};
use uuid::Uuid;

use crate::support::KEY;

const MEGABYTES: u64 = 400;
const BATCH: u32 = 200;
/// Batches; far fewer find room in the table's file.
const MOST: u32 = 2_000;
const SOON: Duration = Duration::from_secs(60);

fn settings(server: &MariaDb, data: &std::path::Path) -> Settings {
    let given = [
        ("STORAGE_MODE", "mysql".to_owned()),
        ("DATABASE_URL", server.url()),
        ("G2A_DATA_DIR", data.display().to_string()),
        ("G2A_MASTER_KEY", KEY.to_owned()),
    ];
    Settings::load(None, given.map(|(name, value)| (name.to_owned(), value))).unwrap()
}

fn batch() -> Vec<Row> {
    let row = |number: u32| Row {
        id: Uuid::now_v7(),
        request_id: format!("req-{number}"),
        endpoint: "/v1/chat/completions".to_owned(),
        model: "grok-4-fast".to_owned(),
        client_key: "key".to_owned(),
        attempts: Vec::new(),
        first_output_ms: None,
        duration_ms: 1_300,
        prompt_tokens: 10,
        completion_tokens: 20,
        reasoning_tokens: 0,
        tokens_estimated: true,
        units: 1,
        images: 0,
        videos: 0,
        outcome: Outcome::Upstream,
        http_status: 502,
        stream: true,
        error_code: "upstream_error".to_owned(),
        error_message: "x".repeat(1_000),
    };
    (0..BATCH).map(row).collect()
}

#[tokio::test]
async fn a_database_without_room_says_so_and_recovers_by_itself() {
    let (disk, data) = (SmallDisk::mount(MEGABYTES), tempfile::tempdir().unwrap());
    let mut server = MariaDb::on(&disk.path());
    let settings = settings(&server, data.path());
    assert_eq!(settings.storage.mode, Mode::Mysql);
    let store = Store::open(&settings).await.unwrap();
    let (ledger, mut acknowledged) = (store.ledger(), Vec::new());
    let mut record = async || {
        let rows = batch();
        let recorded = ledger.record(&rows, 0, 0).await;
        if recorded.is_ok() {
            acknowledged.extend(rows.into_iter().map(|row| row.id));
        }
        recorded
    };
    record().await.unwrap();

    disk.fill();
    let mut refused = None;
    for _ in 0..MOST {
        refused = record().await.err();
        if refused.is_some() {
            break;
        }
    }
    let refused = refused.expect("there is no room");
    // A server that cannot even write its own log ends itself instead of saying so.
    let ended = !matches!(refused, Error::Full(_));
    assert!(ended || refused.to_string().contains("disk is full"), "{refused}");
    let told = grok2api_proto::Error::from(refused);
    assert_eq!((told.kind, told.code.as_ref()), (grok2api_proto::Kind::Unavailable, "storage_unavailable"));
    assert!(told.retry_after.is_some());

    disk.make_room();
    if ended {
        server.kill();
        server.start_again();
    }
    let began = Instant::now();
    while let Err(error) = store.ping().await {
        assert!(began.elapsed() < SOON, "{error}");
    }
    record().await.unwrap();
    let kept =
        store.ledger().page(&grok2api_storage::ledger::Filter::default(), None, 1_000_000).await.unwrap();
    let mut kept: Vec<Uuid> = kept.into_iter().map(|row| row.id).collect();
    kept.sort_unstable();
    let there = acknowledged.iter().filter(|id| kept.binary_search(id).is_ok()).count();
    assert_eq!(there, acknowledged.len(), "what was acknowledged, whole");
    // A server that ends may have kept the batch of which it could not say so any more.
    assert!(ended || kept.len() == there, "and nothing else");
}

/// SQLite rolls back by itself then; every connection that has met it must serve again.
#[tokio::test]
async fn a_file_without_room_says_so_each_time_and_is_written_as_soon_as_there_is_some() {
    let disk = SmallDisk::mount(24);
    let given = [
        ("G2A_DATA_DIR", disk.path().join("data").display().to_string()),
        ("G2A_MASTER_KEY", KEY.to_owned()),
    ];
    let given = given.map(|(name, value)| (name.to_owned(), value));
    let store = Store::open(&Settings::load(None, given).unwrap()).await.unwrap();
    let ledger = store.ledger();
    ledger.record(&batch(), 0, 0).await.unwrap();
    for _ in 0..3 {
        disk.fill();
        for _ in 0..20 {
            // More than all connections together.
            let batches = [(); 8].map(|()| batch());
            let writes = batches.iter().map(|rows| ledger.record(rows, 0, 0));
            for refused in futures_util::future::join_all(writes).await {
                assert!(matches!(refused, Err(Error::Full(_))), "{refused:?}");
            }
        }
        disk.make_room();
        let began = Instant::now();
        while let Err(error) = ledger.record(&batch(), 0, 0).await {
            assert!(matches!(error, Error::Full(_)) && began.elapsed() < SOON, "{error}");
        }
    }
    let kept = ledger.page(&grok2api_storage::ledger::Filter::default(), None, 1_000_000).await.unwrap();
    assert_eq!(kept.len(), 4 * BATCH as usize, "what was acknowledged, and nothing else");
}
