//! What people call keys and accounts, where lists hold their ids.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use grok2api_proto::{
    keys::ListRequest,
    pool::{AccountFilter, ListAccountsRequest},
};
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::Services;

/// How long names of keys are taken for the newest.
const FRESH: Duration = Duration::from_secs(5);
/// Accounts remembered.
const REMEMBERED: usize = 20_000;

/// Shared, since all of them are given.
type ById = Arc<HashMap<String, String>>;

/// Names looked up so far.
#[derive(Default)]
pub(super) struct Names {
    keys: Mutex<Option<(Instant, ById)>>,
    /// A token is never changed, nor is its mask.
    accounts: Mutex<HashMap<String, String>>,
}

impl Names {
    /// Names of all client keys, by id; none when the service is away, since a name is worth no failed request.
    pub(super) async fn keys(&self, services: &Services) -> ById {
        let known = self.keys.lock().clone();
        if let Some((at, names)) = &known
            && at.elapsed() < FRESH
        {
            return names.clone();
        }
        match services.keys.list(ListRequest {}).await {
            Ok(listed) => {
                let named = |key: grok2api_proto::keys::Key| (key.id, key.spec.unwrap_or_default().name);
                let names: ById = Arc::new(listed.keys.into_iter().map(named).collect());
                *self.keys.lock() = Some((Instant::now(), names.clone()));
                names
            }
            Err(error) => {
                tracing::warn!(%error, "names of client keys cannot be told: {error}");
                known.map(|(_, names)| names).unwrap_or_default()
            }
        }
    }

    /// Masked tokens of accounts, by id; without those that are gone.
    pub(super) async fn accounts(&self, services: &Services, ids: Vec<String>) -> HashMap<String, String> {
        let (mut found, mut missing) = (HashMap::new(), HashSet::new());
        {
            let known = self.accounts.lock();
            for id in ids {
                match known.get(&id) {
                    Some(mask) => drop(found.insert(id, mask.clone())),
                    None => drop(missing.insert(id)),
                }
            }
        }
        if missing.is_empty() {
            return found;
        }
        missing.retain(|id| Uuid::parse_str(id).is_ok());
        let filter = AccountFilter { ids: missing.into_iter().collect(), ..AccountFilter::default() };
        let request = ListAccountsRequest { filter: Some(filter), ..ListAccountsRequest::default() };
        match services.pool.list_accounts(request).await {
            Ok(listed) => {
                let mut known = self.accounts.lock();
                if known.len() > REMEMBERED {
                    known.clear();
                }
                for account in listed.accounts {
                    known.insert(account.id.clone(), account.masked_token.clone());
                    found.insert(account.id, account.masked_token);
                }
            }
            Err(error) => tracing::warn!(%error, "accounts cannot be named: {error}"),
        }
        found
    }
}
