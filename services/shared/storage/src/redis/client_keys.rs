//! Client keys in Redis: documents whose name is the digest.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Redis,
    documents::{Document, Documents, Keys},
};
use crate::{
    Error, Result,
    actions::Action,
    client_keys::{Changes, ClientKey, ClientKeys, Digest, Spec, impossible},
};

const KEYS: Keys = Keys {
    document: "{g2a}:client_key:",
    names: "{g2a}:client_keys:digests",
    changed: "{g2a}:client_keys:changed",
    version: "{g2a}:client_keys:version",
};

/// What no script looks at.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    masked: String,
    revoked_at: Option<i64>,
    spec: Spec,
}

struct RedisClientKeys(Documents);

impl Redis {
    /// The keys of the API's clients.
    pub fn client_keys(&self) -> Arc<dyn ClientKeys> {
        Arc::new(RedisClientKeys(Documents { redis: self.clone(), keys: KEYS, impossible }))
    }
}

#[async_trait]
impl ClientKeys for RedisClientKeys {
    async fn version(&self) -> Result<u64> {
        self.0.version().await
    }

    async fn changed_since(&self, version: u64) -> Result<Changes> {
        let (version, documents) = self.0.changed_since(version).await?;
        Ok(Changes { version, keys: documents.into_iter().map(open).collect::<Result<_>>()? })
    }

    async fn get(&self, id: Uuid) -> Result<Option<ClientKey>> {
        self.0.get(&id.to_string()).await?.map(open).transpose()
    }

    async fn find(&self, digest: &Digest) -> Result<Option<ClientKey>> {
        self.0.find(digest).await?.map(open).transpose()
    }

    async fn insert(&self, key: &ClientKey, log: &Action) -> Result<()> {
        if !self.0.insert(document(key)?, Some(log)).await? {
            return Err(Error::Taken { what: "the key".to_owned() });
        }
        // Only what an import brings along.
        let uses: Vec<_> = key.last_used_at.map(|at| (key.id, at)).into_iter().collect();
        self.used(&uses).await
    }

    async fn update(&self, key: &ClientKey, log: &Action) -> Result<u64> {
        let version = self.0.update(document(key)?, Some(log)).await?;
        version.ok_or_else(|| Error::Taken { what: "the key".to_owned() })
    }

    async fn used(&self, uses: &[(Uuid, i64)]) -> Result<()> {
        self.0.used(uses).await
    }
}

fn document(key: &ClientKey) -> Result<Document> {
    let rest = Rest { masked: key.masked.clone(), revoked_at: key.revoked_at, spec: key.spec.clone() };
    Ok(Document {
        id: key.id,
        name: key.digest.to_vec(),
        created_at: key.created_at,
        used_at: key.last_used_at,
        version: key.version,
        rest: serde_json::to_vec(&rest).map_err(|error| impossible(key.id, error))?,
    })
}

/// The key in a document; whatever this program cannot have written is an [`Error::ImpossibleRow`].
fn open(document: Document) -> Result<ClientKey> {
    let id = document.id;
    let rest: Rest = serde_json::from_slice(&document.rest).map_err(|error| impossible(id, error))?;
    let digest = document.name.try_into().map_err(|_| impossible(id, "its digest has not 32 bytes"))?;
    Ok(ClientKey {
        id,
        digest,
        masked: rest.masked,
        created_at: document.created_at,
        last_used_at: document.used_at,
        revoked_at: rest.revoked_at,
        spec: rest.spec,
        version: document.version,
    })
}
