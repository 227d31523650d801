//! Documents with a unique name: a hash each, ids by name, and ids in the order of their changes.

use std::sync::LazyLock;

use redis::Script;
use uuid::Uuid;

use super::{BATCH, Redis, actions, stamping, text};
use crate::{Error, Result, actions::Action};

static INSERT: LazyLock<Script> = LazyLock::new(|| stamping(include_str!("scripts/document_insert.lua")));
static UPDATE: LazyLock<Script> = LazyLock::new(|| stamping(include_str!("scripts/document_update.lua")));
static USED: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/document_used.lua")));

/// One kind of documents.
pub(super) struct Documents {
    pub(super) redis: Redis,
    pub(super) keys: Keys,
    /// How a row that nobody can have written is told.
    pub(super) impossible: fn(String, String) -> Error,
}

/// Where they are.
pub(super) struct Keys {
    /// Before the id: a document's own key.
    pub(super) document: &'static str,
    pub(super) names: &'static str,
    pub(super) changed: &'static str,
    pub(super) version: &'static str,
}

/// Something was changed meanwhile.
pub(super) struct Moved;

/// One as it is kept.
pub(super) struct Document {
    pub(super) id: Uuid,
    /// Unique; text or bytes.
    pub(super) name: Vec<u8>,
    /// Epoch milliseconds.
    pub(super) created_at: i64,
    /// Epoch milliseconds; written by [`Documents::used`] only.
    pub(super) used_at: Option<i64>,
    pub(super) version: u64,
    /// JSON.
    pub(super) rest: Vec<u8>,
}

const FIELDS: [&str; 5] = ["name", "created", "used", "version", "rest"];
/// In the order of [`FIELDS`]; all absent when there is no such document.
type Fields = (Option<Vec<u8>>, Option<i64>, Option<i64>, Option<u64>, Option<Vec<u8>>);

impl Documents {
    pub(super) async fn version(&self) -> Result<u64> {
        let (version,): (Option<u64>,) = self.redis.ask(redis::pipe().get(self.keys.version)).await?;
        Ok(version.unwrap_or_default())
    }

    pub(super) async fn changed_since(&self, version: u64) -> Result<(u64, Vec<Document>)> {
        // The counter first: a write after it is then seen again the next time, and never skipped.
        let mut read = redis::pipe();
        read.atomic().get(self.keys.version);
        read.zrangebyscore(self.keys.changed, format!("({version}"), "+inf");
        let (newest, ids): (Option<u64>, Vec<String>) = self.redis.ask(&read).await?;
        Ok((newest.unwrap_or_default(), self.read(&ids).await?))
    }

    pub(super) async fn get(&self, id: &str) -> Result<Option<Document>> {
        Ok(self.read(&[id.to_owned()]).await?.pop())
    }

    pub(super) async fn find(&self, name: &[u8]) -> Result<Option<Document>> {
        let (id,): (Option<String>,) = self.redis.ask(redis::pipe().hget(self.keys.names, name)).await?;
        match id {
            Some(id) => self.get(&id).await,
            None => Ok(None),
        }
    }

    /// Returns whether neither id nor name was taken. In the same step it is logged, if that is given.
    pub(super) async fn insert(&self, document: Document, log: Option<&Action>) -> Result<bool> {
        let Document { id, name, created_at, rest, .. } = document;
        self.run(&INSERT, id, [text(id), name, text(created_at), rest], log).await
    }

    /// Writes name and rest. Returns the new version; `None` when the name belongs to another. In the same step it is
    /// logged, if that is given.
    pub(super) async fn update(&self, document: Document, log: Option<&Action>) -> Result<Option<u64>> {
        let Document { id, name, version, rest, .. } = document;
        let answer: (u8, u64) =
            self.run(&UPDATE, id, [text(id), name, text(version), rest, Vec::new()], log).await?;
        match answer {
            (1, version) => Ok(Some(version)),
            (2, _) => Ok(None),
            (_, found) => Err(Error::Conflict { expected: version, found }),
        }
    }

    /// The same while no document of the kind was changed since `newest`; `Err` of the answer when one was.
    pub(super) async fn update_while(
        &self,
        document: Document,
        newest: u64,
    ) -> Result<Result<Option<u64>, Moved>> {
        let Document { id, name, version, rest, .. } = document;
        let answer: (u8, u64) =
            self.run(&UPDATE, id, [text(id), name, text(version), rest, text(newest)], None).await?;
        match answer {
            (1, version) => Ok(Ok(Some(version))),
            (2, _) => Ok(Ok(None)),
            (3, _) => Ok(Err(Moved)),
            (_, found) => Err(Error::Conflict { expected: version, found }),
        }
    }

    pub(super) async fn used(&self, uses: &[(Uuid, i64)]) -> Result<()> {
        for uses in uses.chunks(BATCH) {
            let uses = uses.iter().flat_map(|(id, at)| [text(id), text(at)]);
            let arguments: Vec<Vec<u8>> = std::iter::once(text(self.keys.document)).chain(uses).collect();
            let _: bool = self.redis.run(&USED, &[], &arguments).await?;
        }
        Ok(())
    }

    async fn run<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        id: Uuid,
        arguments: impl IntoIterator<Item = Vec<u8>>,
        log: Option<&Action>,
    ) -> Result<T> {
        let Keys { document, names, changed, version } = self.keys;
        let keys = [&format!("{document}{id}"), names, changed, version, actions::ORDER, actions::BODIES];
        let mut arguments: Vec<Vec<u8>> = arguments.into_iter().collect();
        if let Some(action) = log {
            arguments.extend([text(action.id), actions::body(action)?]);
        }
        self.redis.run(script, &keys, &arguments).await
    }

    async fn read(&self, ids: &[String]) -> Result<Vec<Document>> {
        let mut documents = Vec::with_capacity(ids.len());
        for ids in ids.chunks(BATCH) {
            let mut read = redis::pipe();
            for id in ids {
                read.cmd("HMGET").arg(format!("{}{id}", self.keys.document)).arg(&FIELDS);
            }
            let rows: Vec<Fields> = self.redis.ask(&read).await?;
            for (id, row) in ids.iter().zip(rows) {
                documents.extend(self.document(id, row)?);
            }
        }
        Ok(documents)
    }

    fn document(&self, id: &str, row: Fields) -> Result<Option<Document>> {
        let wrong = |reason: String| (self.impossible)(id.to_owned(), reason);
        match row {
            (None, _, _, None, None) => Ok(None),
            (Some(name), Some(created_at), used_at, Some(version), Some(rest)) => {
                let id = Uuid::parse_str(id).map_err(|error| wrong(error.to_string()))?;
                Ok(Some(Document { id, name, created_at, used_at, version, rest }))
            }
            _ => Err(wrong("a field is missing".to_owned())),
        }
    }
}
