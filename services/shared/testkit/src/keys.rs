//! A keys service that knows what it is told.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Error, Kind, Result, Stream,
    keys::{
        AdmitRequest, AdmitResponse, AuthenticateRequest, Changes, CreateRequest, CreateResponse, Facts,
        GetRequest, Key, Keys, ListRequest, ListResponse, RenewRequest, RenewResponse, RevokeRequest,
        SettleRequest, SettleResponse, Settlement, Slot, StandingResponse, UpdateRequest, Use, UsedRequest,
        UsedResponse, WatchRequest,
    },
};
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast};
use tokio_stream::wrappers::BroadcastStream;

/// Keys as gateways see them; what operators do with keys it refuses.
pub struct FakeKeys {
    keys: Mutex<Vec<Facts>>,
    asked: Mutex<u32>,
    uses: Mutex<Vec<Use>>,
    changes: broadcast::Sender<Changes>,
    /// What every request is answered that wants to be admitted; nothing while the service is away.
    answer: Mutex<Option<AdmitResponse>>,
    asks: Mutex<Vec<AdmitRequest>>,
    settlements: Mutex<Vec<Settlement>>,
    renewed: Mutex<Vec<Slot>>,
    standing: Mutex<StandingResponse>,
    called: Notify,
}

impl FakeKeys {
    /// A service of these keys.
    pub fn of(keys: Vec<Facts>) -> Arc<Self> {
        Arc::new(Self {
            keys: Mutex::new(keys),
            asked: Mutex::default(),
            uses: Mutex::default(),
            changes: broadcast::channel(64).0,
            answer: Mutex::new(Some(AdmitResponse::default())),
            asks: Mutex::default(),
            settlements: Mutex::default(),
            renewed: Mutex::default(),
            standing: Mutex::default(),
            called: Notify::new(),
        })
    }

    /// What requests are answered from now on that want to be admitted; nothing: it is away.
    pub fn answers(&self, answer: Option<AdmitResponse>) {
        *self.answer.lock() = answer;
    }

    /// What holders of keys are told from now on.
    pub fn stands(&self, standing: StandingResponse) {
        *self.standing.lock() = standing;
    }

    /// Who wanted to be admitted.
    pub fn asks(&self) -> Vec<AdmitRequest> {
        self.asks.lock().clone()
    }

    /// What was settled.
    pub fn settlements(&self) -> Vec<Settlement> {
        self.settlements.lock().clone()
    }

    /// Signs of life.
    pub fn renewed(&self) -> Vec<Slot> {
        self.renewed.lock().clone()
    }

    /// Waits until so much was settled, and gives it.
    pub async fn settled(&self, count: usize) -> Vec<Settlement> {
        loop {
            let called = self.called.notified();
            let settlements = self.settlements();
            if settlements.len() >= count {
                return settlements;
            }
            called.await;
        }
    }

    /// Adds a key, or changes the one of its id; watchers are told unless it is a secret.
    pub fn put(&self, facts: Facts, told: bool) {
        let mut keys = self.keys.lock();
        keys.retain(|known| known.id != facts.id);
        keys.push(facts.clone());
        if told {
            // Nobody may be listening.
            self.changes.send(Changes { keys: vec![facts], whole: false }).ok();
        }
    }

    /// How often it was asked for a key.
    pub fn asked(&self) -> u32 {
        *self.asked.lock()
    }

    /// What it was told of.
    pub fn uses(&self) -> Vec<Use> {
        self.uses.lock().clone()
    }
}

fn away() -> Error {
    Error::new(Kind::Unavailable, "storage_unavailable", "the store is not available")
}

fn operators<T>() -> Result<T> {
    Err(Error::internal("this fake is for gateways"))
}

#[tonic::async_trait]
impl Keys for FakeKeys {
    async fn create(&self, _: CreateRequest) -> Result<CreateResponse> {
        operators()
    }

    async fn list(&self, _: ListRequest) -> Result<ListResponse> {
        operators()
    }

    async fn get(&self, _: GetRequest) -> Result<Key> {
        operators()
    }

    async fn update(&self, _: UpdateRequest) -> Result<Key> {
        operators()
    }

    async fn revoke(&self, _: RevokeRequest) -> Result<Key> {
        operators()
    }

    async fn authenticate(&self, request: AuthenticateRequest) -> Result<Facts> {
        *self.asked.lock() += 1;
        let found = self.keys.lock().iter().find(|key| key.digest == request.digest).cloned();
        found.ok_or_else(|| Error::new(Kind::Unauthenticated, "invalid_api_key", "the API key is wrong"))
    }

    async fn used(&self, request: UsedRequest) -> Result<UsedResponse> {
        self.uses.lock().extend(request.uses);
        Ok(UsedResponse {})
    }

    async fn admit(&self, request: AdmitRequest) -> Result<AdmitResponse> {
        self.asks.lock().push(request);
        self.answer.lock().clone().ok_or_else(away)
    }

    async fn settle(&self, request: SettleRequest) -> Result<SettleResponse> {
        if self.answer.lock().is_none() {
            return Err(away());
        }
        self.settlements.lock().extend(request.settlements);
        self.called.notify_waiters();
        Ok(SettleResponse {})
    }

    async fn renew(&self, request: RenewRequest) -> Result<RenewResponse> {
        self.renewed.lock().extend(request.slots);
        Ok(RenewResponse {})
    }

    async fn standing(&self, _: GetRequest) -> Result<StandingResponse> {
        Ok(self.standing.lock().clone())
    }

    async fn watch(&self, _: WatchRequest) -> Result<Stream<Changes>> {
        let later = BroadcastStream::new(self.changes.subscribe());
        let later = later.filter_map(|changes| std::future::ready(changes.ok().map(Ok)));
        let first = Changes { keys: self.keys.lock().clone(), whole: true };
        Ok(stream::iter([Ok(first)]).chain(later).boxed())
    }
}
