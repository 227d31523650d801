//! Who asks.

use std::{collections::HashSet, net::IpAddr, sync::Arc};

use axum::http::Extensions;
use grok2api_proto::{Error, Kind, Result, chat::ChatRequest, keys::Facts};
use ipnet::IpNet;

use crate::admission::Gate;

/// Whoever a request comes from; stands in its extensions behind the check of the key. The default is nobody in
/// particular: the holder of the parameter `api_key`, or anybody while the API is open.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    key: Option<Arc<ClientKey>>,
    gate: Gate,
    /// The only account that may serve; empty for any.
    account: String,
    /// The admin by whose session it asks.
    admin: String,
}

/// A client key as requests are measured by it.
#[derive(Debug)]
pub(crate) struct ClientKey {
    facts: Facts,
    models: HashSet<String>,
    addresses: Vec<IpNet>,
}

impl Caller {
    pub(crate) fn with(key: Arc<ClientKey>) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

    /// An admin by a session; served by that account only, unless it is empty.
    pub(crate) fn admin(name: &str, account: String) -> Self {
        Self { admin: name.to_owned(), account, ..Self::default() }
    }

    /// Where the admission of its request is told.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The key's id and the gate, when the key has limits or budgets.
    pub(crate) fn limited(&self) -> Option<(&str, &Gate)> {
        let key = self.key.as_ref().filter(|key| key.facts.limited)?;
        Some((&key.facts.id, &self.gate))
    }

    /// The caller in a request's extensions.
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// The client key's id; empty for nobody in particular.
    pub fn key(&self) -> &str {
        self.key.as_ref().map(|key| key.facts.id.as_str()).unwrap_or_default()
    }

    /// Whether the caller may ask this model.
    ///
    /// # Errors
    /// `model_not_allowed`, whether or not there is such a model.
    pub fn may_ask(&self, model: &str) -> Result<()> {
        match &self.key {
            Some(key) if !key.models.is_empty() && !key.models.contains(model) => {
                let message = format!("this API key may not use the model {model:?}");
                Err(Error::new(Kind::PermissionDenied, "model_not_allowed", message).at("model"))
            }
            _ => Ok(()),
        }
    }

    /// The request with what services below need to know of its caller.
    pub(crate) fn signed(&self, request: ChatRequest) -> ChatRequest {
        match &self.key {
            None => ChatRequest { account: self.account.clone(), admin: self.admin.clone(), ..request },
            Some(key) => ChatRequest {
                client_key: key.facts.id.clone(),
                account_tags: key.facts.account_tags.clone(),
                ..request
            },
        }
    }
}

impl ClientKey {
    /// A key whose addresses cannot be read is refused: without them it would be open to everybody.
    pub(crate) fn new(mut facts: Facts) -> Self {
        let addresses: Result<Vec<IpNet>, _> = facts.addresses.iter().map(|text| text.parse()).collect();
        if addresses.is_err() {
            tracing::error!(
                client_key = facts.id,
                "the addresses of the client key {} cannot be read",
                facts.id
            );
            facts.refused = true;
        }
        let models = facts.models.iter().cloned().collect();
        Self { models, addresses: addresses.unwrap_or_default(), facts }
    }

    pub(crate) fn id(&self) -> &str {
        &self.facts.id
    }

    /// Whether its requests have to be admitted.
    pub(crate) fn is_limited(&self) -> bool {
        self.facts.limited
    }

    /// Whether a request may use the key now, from that address.
    ///
    /// # Errors
    /// `invalid_api_key`, `address_not_allowed`.
    pub(crate) fn admit(&self, address: Option<IpAddr>, now_ms: i64) -> Result<()> {
        self.facts.usable(now_ms)?;
        let inside = |address: IpAddr| self.addresses.iter().any(|network| network.contains(&address));
        if self.addresses.is_empty() || address.is_some_and(inside) {
            return Ok(());
        }
        let from = address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        let message = format!("this API key may not be used from {from}");
        Err(Error::new(Kind::PermissionDenied, "address_not_allowed", message))
    }
}
