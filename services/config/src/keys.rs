//! The service of client keys: validate, store, log, publish.

mod known;
mod secret;
mod spec;

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use grok2api_kit::{clock::Clock, lifecycle::Shutdown};
use grok2api_proto::{
    Error, Kind, Result, Stream,
    keys::{
        AuthenticateRequest, Changes, CreateRequest, CreateResponse, Facts, GetRequest, Key, Keys,
        ListRequest, ListResponse, RevokeRequest, UpdateRequest, UsedRequest, UsedResponse, WatchRequest,
    },
};
use grok2api_storage::{
    self as storage,
    actions::Action,
    client_keys::{ClientKey, ClientKeys},
};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::known::Known;

/// How often a revocation is tried again when another process was first.
const ATTEMPTS: usize = 8;

pub(crate) struct Service {
    keys: Arc<dyn ClientKeys>,
    clock: Clock,
    shutdown: Shutdown,
    known: Known,
    /// Held while reading changes, so that none is taken for older than another.
    following: Mutex<()>,
}

impl Service {
    pub(crate) async fn open(keys: Arc<dyn ClientKeys>, clock: Clock, shutdown: Shutdown) -> Result<Self> {
        let known = Known::default();
        let service = Self { keys, clock, shutdown, known, following: Mutex::default() };
        service.follow().await?;
        Ok(service)
    }

    /// Looks whether a key was changed, and tells the watchers.
    pub(crate) async fn follow(&self) -> storage::Result<()> {
        let _following = self.following.lock().await;
        let (seen, newest) = (self.known.version(), self.keys.version().await?);
        if newest == seen {
            return Ok(());
        }
        // A store that was put back to an earlier state is read anew.
        let since = if newest < seen { 0 } else { seen };
        let changes = self.keys.changed_since(since).await?;
        self.known.learn(changes.version, changes.keys.iter().map(spec::facts));
        Ok(())
    }

    /// What the log of actions says of a change; it is written with the change.
    fn action(&self, author: &str, what: &str, before: Option<&ClientKey>, after: &ClientKey) -> Action {
        Action {
            id: Uuid::now_v7(),
            at: self.clock.now_ms(),
            actor: author.to_owned(),
            what: what.to_owned(),
            target: after.id.to_string(),
            before: before.map_or(Value::Null, told),
            after: told(after),
        }
    }

    /// Tells of a change that was made, and the watchers of this process at once.
    async fn changed(&self, action: &Action, name: &str) {
        let Action { actor, what, target, .. } = action;
        tracing::info!(client_key = target, author = actor, "{what} by {actor:?}: {target} ({name:?})");
        if let Err(error) = self.follow().await {
            tracing::warn!(%error, "client keys: {error}");
        }
    }

    async fn stored(&self, id: &str) -> Result<ClientKey> {
        let unknown = || {
            Error::new(Kind::NotFound, "client_key_not_found", format!("there is no client key {id:?}"))
                .at("id")
        };
        let id = Uuid::parse_str(id).map_err(|_| unknown())?;
        self.keys.get(id).await?.ok_or_else(unknown)
    }

    /// `None` when another process was first.
    async fn try_revoke(&self, request: &RevokeRequest) -> Result<Option<ClientKey>> {
        let before = self.stored(&request.id).await?;
        if before.revoked_at.is_some() {
            return Ok(Some(before));
        }
        let mut key = ClientKey { revoked_at: Some(self.clock.now_ms()), ..before.clone() };
        let action = self.action(&request.author, "client_key.revoke", Some(&before), &key);
        match self.keys.update(&key, &action).await {
            Ok(version) => key.version = version,
            Err(storage::Error::Conflict { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        self.changed(&action, &key.spec.name).await;
        Ok(Some(key))
    }
}

#[tonic::async_trait]
impl Keys for Service {
    async fn create(&self, request: CreateRequest) -> Result<CreateResponse> {
        let secret = secret::fresh();
        let key = ClientKey {
            id: Uuid::now_v7(),
            digest: storage::client_keys::digest(secret.as_bytes()),
            masked: secret::masked(&secret),
            created_at: self.clock.now_ms(),
            last_used_at: None,
            revoked_at: None,
            spec: spec::read(request.spec.unwrap_or_default())?,
            version: 1,
        };
        let action = self.action(&request.author, "client_key.create", None, &key);
        self.keys.insert(&key, &action).await?;
        self.changed(&action, &key.spec.name).await;
        Ok(CreateResponse { key: Some(spec::key(key)), secret })
    }

    async fn list(&self, _: ListRequest) -> Result<ListResponse> {
        let mut keys = self.keys.changed_since(0).await?.keys;
        keys.sort_by_key(|key| key.id);
        Ok(ListResponse { keys: keys.into_iter().map(spec::key).collect() })
    }

    async fn get(&self, request: GetRequest) -> Result<Key> {
        Ok(spec::key(self.stored(&request.id).await?))
    }

    async fn update(&self, request: UpdateRequest) -> Result<Key> {
        let before = self.stored(&request.id).await?;
        if before.revoked_at.is_some() {
            let message = format!("the client key {} is revoked, which is for ever", before.id);
            return Err(Error::new(Kind::Conflict, "client_key_revoked", message).at("id"));
        }
        let spec = spec::read(request.spec.unwrap_or_default())?;
        let mut key = ClientKey { spec, version: request.expected_version, ..before.clone() };
        let action = self.action(&request.author, "client_key.update", Some(&before), &key);
        key.version = self.keys.update(&key, &action).await?;
        self.changed(&action, &key.spec.name).await;
        Ok(spec::key(key))
    }

    async fn revoke(&self, request: RevokeRequest) -> Result<Key> {
        for _ in 0..ATTEMPTS {
            if let Some(key) = self.try_revoke(&request).await? {
                return Ok(spec::key(key));
            }
        }
        Err(Error::new(
            Kind::Conflict,
            "revision_conflict",
            "the key is being changed by others all the time",
        ))
    }

    async fn authenticate(&self, request: AuthenticateRequest) -> Result<Facts> {
        let digest = request.digest.as_ref().try_into();
        let digest = digest.map_err(|_| Error::invalid("digest", "a digest has 32 bytes"))?;
        let unknown = || Error::new(Kind::Unauthenticated, "invalid_api_key", "the API key is wrong");
        let facts = spec::facts(&self.keys.find(&digest).await?.ok_or_else(unknown)?);
        facts.usable(self.clock.now_ms())?;
        Ok(facts)
    }

    async fn used(&self, request: UsedRequest) -> Result<UsedResponse> {
        let uses = request.uses.iter().filter_map(|used| Some((Uuid::parse_str(&used.id).ok()?, used.at)));
        self.keys.used(&uses.collect::<Vec<_>>()).await?;
        Ok(UsedResponse {})
    }

    /// The stream ends when this replica drains, so that a watcher turns to another one.
    async fn watch(&self, _: WatchRequest) -> Result<Stream<Changes>> {
        let shutdown = self.shutdown.clone();
        let (first, watcher) = self.known.watch();
        let later = stream::unfold(watcher, async |mut watcher| {
            let keys = watcher.changed().await?;
            Some((Changes { keys }, watcher))
        });
        let later = later.take_until(async move { shutdown.draining().await });
        Ok(stream::iter([Changes { keys: first }]).chain(later).map(Ok).boxed())
    }
}

/// A key as the log of actions shows it.
fn told(key: &ClientKey) -> Value {
    json!({"masked": key.masked, "revoked_at": key.revoked_at, "spec": key.spec})
}
