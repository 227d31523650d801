//! The service of client keys: validate, store, log, publish.

mod admission;
mod known;
mod secret;
mod spec;

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use grok2api_kit::clock::Clock;
use grok2api_proto::{
    Error, Kind, Result, Stream,
    keys::{
        AdmitRequest, AdmitResponse, AuthenticateRequest, Changes, CreateRequest, CreateResponse, Facts,
        GetRequest, Key, Keys, ListRequest, ListResponse, RenewRequest, RenewResponse, RevokeRequest,
        SettleRequest, SettleResponse, StandingResponse, UpdateRequest, UsedRequest, UsedResponse,
        WatchRequest,
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

use self::{
    admission::{Admissions, Rules},
    known::Known,
};
use crate::{KeysDeps, follow::Following};

/// How often a revocation is tried again when another process was first.
const ATTEMPTS: usize = 8;

pub(crate) struct Service {
    keys: Arc<dyn ClientKeys>,
    prefix: String,
    clock: Clock,
    following: Following,
    known: Known,
    admissions: Admissions,
    /// Held while reading changes, so that none is taken for older than another; how often the store had been away when
    /// they were read.
    reading: Mutex<u64>,
}

impl Service {
    pub(crate) async fn open(deps: KeysDeps) -> Result<Self> {
        let KeysDeps { keys, budgets, limiter, prefix, clock, tasks } = deps;
        let reading = Mutex::new(keys.interruptions());
        let following = Following::new(tasks.shutdown().clone());
        let admissions = Admissions::new(limiter, budgets, clock.clone());
        let service = Self { keys, prefix, clock, following, known: Known::default(), admissions, reading };
        service.follow().await?;
        Ok(service)
    }

    /// Looks whether a key was changed, and tells the watchers.
    pub(crate) async fn follow(&self) -> storage::Result<()> {
        let followed = self.catch_up().await;
        self.following.went(&followed);
        followed
    }

    async fn catch_up(&self) -> storage::Result<()> {
        let mut read = self.reading.lock().await;
        let interruptions = self.keys.interruptions();
        let (seen, newest) = (self.known.version(), self.keys.version().await?);
        // A store that was away, or put back to an earlier state, may have lost what was seen.
        let whole = newest < seen || *read != interruptions;
        if whole || newest != seen {
            let changes = self.keys.changed_since(if whole { 0 } else { seen }).await?;
            self.admissions.learn(&changes.keys, whole);
            let facts = changes.keys.iter().map(spec::facts);
            if whole {
                self.known.replace(changes.version, facts);
            } else {
                self.known.learn(changes.version, facts);
            }
        }
        *read = interruptions;
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
        let uuid = Uuid::parse_str(id).map_err(|_| unknown(id))?;
        self.keys.get(uuid).await?.ok_or_else(|| unknown(id))
    }

    /// Forgets what is counted of requests that nobody knows any more.
    pub(crate) async fn sweep(&self) -> storage::Result<()> {
        self.admissions.sweep().await
    }

    /// As people see it, with what is used up of its budgets.
    async fn shown(&self, key: ClientKey) -> Result<Key> {
        let budgets = self.admissions.spent(&key).await?;
        Ok(Key { budgets, ..spec::key(key) })
    }

    /// What stands against requests of a key; one that was made just now elsewhere may not be known yet.
    async fn rules(&self, id: &str) -> Result<Arc<Rules>> {
        if let Some(rules) = self.admissions.rules(id) {
            return Ok(rules);
        }
        self.follow().await?;
        self.admissions.rules(id).ok_or_else(|| unknown(id))
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
        let secret = secret::fresh(&self.prefix);
        let key = ClientKey {
            id: Uuid::now_v7(),
            digest: storage::client_keys::digest(secret.as_bytes()),
            masked: secret::masked(&self.prefix, &secret),
            created_at: self.clock.now_ms(),
            last_used_at: None,
            revoked_at: None,
            spec: spec::read(request.spec.unwrap_or_default())?,
            version: 1,
        };
        let action = self.action(&request.author, "client_key.create", None, &key);
        self.keys.insert(&key, &action).await?;
        self.changed(&action, &key.spec.name).await;
        Ok(CreateResponse { key: Some(self.shown(key).await?), secret })
    }

    async fn list(&self, _: ListRequest) -> Result<ListResponse> {
        let mut keys = self.keys.changed_since(0).await?.keys;
        keys.sort_by_key(|key| key.id);
        let mut shown = Vec::with_capacity(keys.len());
        for key in keys {
            shown.push(self.shown(key).await?);
        }
        Ok(ListResponse { keys: shown })
    }

    async fn get(&self, request: GetRequest) -> Result<Key> {
        self.shown(self.stored(&request.id).await?).await
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
        self.shown(key).await
    }

    async fn revoke(&self, request: RevokeRequest) -> Result<Key> {
        for _ in 0..ATTEMPTS {
            if let Some(key) = self.try_revoke(&request).await? {
                return self.shown(key).await;
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

    async fn admit(&self, request: AdmitRequest) -> Result<AdmitResponse> {
        let rules = self.rules(&request.key).await?;
        self.admissions.admit(&rules, &request).await
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleResponse> {
        self.admissions.settle(request).await?;
        Ok(SettleResponse {})
    }

    async fn renew(&self, request: RenewRequest) -> Result<RenewResponse> {
        self.admissions.renew(request).await?;
        Ok(RenewResponse {})
    }

    async fn standing(&self, request: GetRequest) -> Result<StandingResponse> {
        let key = self.stored(&request.id).await?;
        let rules = self.rules(&request.id).await?;
        let standing = self.admissions.standing(&rules).await?;
        Ok(StandingResponse { key: Some(self.shown(key).await?), ..standing })
    }

    /// The stream ends when this replica drains or loses the store, so that a watcher turns to another one.
    async fn watch(&self, _: WatchRequest) -> Result<Stream<Changes>> {
        // Nobody comes from a replica that knew better to one that has heard nothing for a while.
        self.follow().await?;
        let (first, watcher) = self.known.watch();
        let later = stream::unfold(watcher, async |mut watcher| Some((watcher.changed().await?, watcher)));
        let later = later.take_until(self.following.lost());
        Ok(stream::iter([first]).chain(later).map(Ok).boxed())
    }
}

fn unknown(id: &str) -> Error {
    Error::new(Kind::NotFound, "client_key_not_found", format!("there is no client key {id:?}")).at("id")
}

/// A key as the log of actions shows it.
fn told(key: &ClientKey) -> Value {
    json!({"masked": key.masked, "revoked_at": key.revoked_at, "spec": key.spec})
}
