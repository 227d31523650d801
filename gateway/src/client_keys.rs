//! The client keys as this gateway knows them: followed through the keys service, looked up without it.

mod follow;

use std::{collections::HashMap, sync::Arc, time::Duration};

use grok2api_kit::{clock::Clock, lifecycle::Tasks};
use grok2api_proto::{
    Error, Kind, Result,
    config::RuntimeConfig,
    keys::{AuthenticateRequest, Changes, Facts, GetRequest, Keys, StandingResponse, Use},
};
use parking_lot::{Mutex, RwLock};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    admission::{Admissions, Permit},
    caller::ClientKey,
};

/// Unknown keys asked for at the same time: whoever guesses must not keep the service busy.
const ASKED: usize = 16;
/// How long one more waits for its turn.
const ASKING: Duration = Duration::from_secs(1);

/// SHA-256 of a key's secret.
pub(crate) type Digest = [u8; 32];

/// A handle on the client keys; clones share them. The default knows none and never will.
#[derive(Clone, Default)]
pub struct ClientKeys(Arc<Known>);

struct Known {
    service: Option<Arc<dyn Keys>>,
    /// By digest, so that how long a look takes tells nothing of a secret.
    keys: RwLock<HashMap<Digest, Arc<ClientKey>>>,
    /// When each was last used, as far as the service was not told yet.
    uses: Mutex<HashMap<String, i64>>,
    asking: Semaphore,
    clock: Clock,
    admissions: Option<Admissions>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            service: None,
            keys: RwLock::default(),
            uses: Mutex::default(),
            asking: Semaphore::new(ASKED),
            clock: Clock::system(),
            admissions: None,
        }
    }
}

impl ClientKeys {
    /// Waits until all keys are known, then follows the service for the life of the process.
    ///
    /// # Errors
    /// When the service cannot give the keys.
    pub async fn follow(service: Arc<dyn Keys>, clock: Clock, tasks: &Tasks) -> Result<Self> {
        let admissions = Some(Admissions::start(service.clone(), tasks));
        let known = Known { service: Some(service.clone()), clock, admissions, ..Known::default() };
        let keys = Self(Arc::new(known));
        follow::begin(keys.clone(), service, tasks).await?;
        Ok(keys)
    }

    /// Whether the API asks for no key: there is no client key, and no parameter `api_key`.
    pub fn is_open(&self, config: &RuntimeConfig) -> bool {
        config.api_key.is_empty() && self.0.keys.read().is_empty()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// The key of that digest. One that is not known here may be new, so the service is asked.
    ///
    /// # Errors
    /// `invalid_api_key` when there is none that may be used; the service's own failure.
    pub(crate) async fn find(&self, digest: Digest) -> Result<Arc<ClientKey>> {
        if let Some(key) = self.0.keys.read().get(&digest) {
            return Ok(key.clone());
        }
        let wrong = || Error::new(Kind::Unauthenticated, "invalid_api_key", "the API key is wrong");
        let Some(service) = &self.0.service else { return Err(wrong()) };
        let _asking = timeout(ASKING, self.0.asking.acquire()).await.map_err(|_| busy())?;
        let facts = service.authenticate(AuthenticateRequest { digest: digest.to_vec().into() }).await?;
        // Not kept: only what is watched is also seen to change.
        Ok(Arc::new(ClientKey::new(facts)))
    }

    /// What admits requests of keys with limits and budgets.
    pub(crate) fn admissions(&self) -> Option<&Admissions> {
        self.0.admissions.as_ref()
    }

    /// The permit of a request of that key which was begun elsewhere and goes on here.
    pub(crate) fn resume(&self, key: &str, request: &str) -> Option<Permit> {
        let limited = self.0.keys.read().values().any(|known| known.id() == key && known.is_limited());
        self.admissions().filter(|_| limited).map(|admissions| admissions.resume(key, request))
    }

    /// How a key stands against its limits and budgets; nothing without a keys service.
    ///
    /// # Errors
    /// The service's own failure.
    pub(crate) async fn standing(&self, id: &str) -> Result<Option<StandingResponse>> {
        let Some(service) = &self.0.service else { return Ok(None) };
        service.standing(GetRequest { id: id.to_owned() }).await.map(Some)
    }

    /// Notes that a key was used now.
    pub(crate) fn used(&self, key: &ClientKey) {
        let now = self.now_ms();
        let mut uses = self.0.uses.lock();
        match uses.get_mut(key.id()) {
            Some(at) => *at = now,
            None => drop(uses.insert(key.id().to_owned(), now)),
        }
    }

    fn learn(&self, changes: Changes) {
        let mut keys = self.0.keys.write();
        if changes.whole {
            keys.clear();
        }
        for facts in changes.keys {
            if let Some(digest) = digest_of(&facts) {
                keys.insert(digest, Arc::new(ClientKey::new(facts)));
            }
        }
    }

    fn take_uses(&self) -> Vec<Use> {
        self.0.uses.lock().drain().map(|(id, at)| Use { id, at }).collect()
    }
}

fn busy() -> Error {
    let message = "too many keys that are not known here are being looked up";
    let mut busy = Error::new(Kind::Unavailable, "storage_unavailable", message);
    busy.retry_after = Some(ASKING);
    busy
}

fn digest_of(facts: &Facts) -> Option<Digest> {
    let digest = facts.digest.as_ref().try_into().ok();
    if digest.is_none() {
        tracing::error!(client_key = facts.id, "the digest of the client key {} is not one", facts.id);
    }
    digest
}
