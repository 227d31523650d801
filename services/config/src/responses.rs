//! Responses that clients may come back to, served.
//!
//! The store seals them and knows nothing of them but their ids; whose they are is told and checked here. A conversation is
//! not kept: it is the responses one after the other, each of which names the one before.

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{
    Error, Kind, Result,
    config::RuntimeConfig,
    response::{GetRequest, HistoryResponse, KeepRequest, KeepResponse, RemoveResponse, Response, Responses},
};
use grok2api_storage::responses::{self as storage, Keep};
use prost::Message as _;
use uuid::{Uuid, Variant};

use crate::aging::{self, MIB, STEP};

const PREFIX: &str = "resp_";
/// Of a conversation: below what a message between services may take.
const MOST_BYTES: usize = 48 << 20;
const MOST_TURNS: usize = 1_000;

/// What the service needs.
pub struct Deps {
    /// The responses.
    pub responses: Arc<dyn storage::Responses>,
    /// How much is kept: `response_retention_hours` and `response_max_size_mb`.
    pub runtime: Runtime,
    /// Tells what is old.
    pub clock: Clock,
    /// Owns the task that takes old responses away.
    pub tasks: Tasks,
}

/// Serves the responses, and begins to take away what is too old or too much.
pub fn start(deps: Deps) -> Arc<dyn Responses> {
    let Deps { responses, runtime, clock, tasks } = deps;
    let pruned = responses.clone();
    let step = move |now| {
        let (pruned, keep) = (pruned.clone(), keep(&runtime.current().config));
        async move { pruned.prune(keep, now, STEP).await }
    };
    tasks.spawn_background("response-prune", aging::run("responses", clock, step));
    Arc::new(Service { responses })
}

fn keep(config: &RuntimeConfig) -> Keep {
    let RuntimeConfig { response_retention_hours, response_max_size_mb, .. } = *config;
    Keep { hours: response_retention_hours.into(), bytes: u64::from(response_max_size_mb) * MIB }
}

struct Service {
    responses: Arc<dyn storage::Responses>,
}

impl Service {
    async fn find(&self, id: &str, client: &str) -> Result<(Uuid, Response)> {
        let missing = || {
            let message = format!("there is no response {id:?}");
            Error::new(Kind::NotFound, "response_not_found", message).at("id")
        };
        let uuid = uuid(id).ok_or_else(missing)?;
        let found = self.responses.get(uuid).await?.ok_or_else(missing)?;
        let found = Response::decode(found.said.as_slice())
            .map_err(|error| Error::internal(format!("the response {id} cannot be read: {error}")))?;
        if found.client == client { Ok((uuid, found)) } else { Err(missing()) }
    }
}

/// Of a response's id, if it is one.
fn uuid(id: &str) -> Option<Uuid> {
    let digits = id.strip_prefix(PREFIX).filter(|digits| digits.len() == 32)?;
    let uuid = Uuid::try_parse(digits).ok()?;
    let is_ours = uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122;
    (is_ours && uuid.simple().to_string() == digits).then_some(uuid)
}

#[tonic::async_trait]
impl Responses for Service {
    async fn keep(&self, request: KeepRequest) -> Result<KeepResponse> {
        let response = request.response.unwrap_or_default();
        let wrong = || Error::invalid("response.id", format!("{:?} is no id of a response", response.id));
        let id = uuid(&response.id).ok_or_else(wrong)?;
        self.responses.put(&storage::Response { id, said: response.encode_to_vec() }).await?;
        Ok(KeepResponse {})
    }

    async fn get(&self, request: GetRequest) -> Result<Response> {
        Ok(self.find(&request.id, &request.client).await?.1)
    }

    async fn history(&self, request: GetRequest) -> Result<HistoryResponse> {
        let (mut id, mut responses, mut bytes) = (request.id, Vec::new(), 0);
        while !id.is_empty() {
            let (_, found) = self.find(&id, &request.client).await?;
            bytes += found.encoded_len();
            if bytes > MOST_BYTES || responses.len() == MOST_TURNS {
                let message = format!("the conversation before {id:?} is too long to go on with");
                return Err(Error::new(Kind::TooLarge, "conversation_too_long", message));
            }
            id.clone_from(&found.previous);
            responses.push(found);
        }
        responses.reverse();
        Ok(HistoryResponse { responses })
    }

    async fn remove(&self, request: GetRequest) -> Result<RemoveResponse> {
        let (id, _) = self.find(&request.id, &request.client).await?;
        self.responses.remove(id).await?;
        Ok(RemoveResponse {})
    }
}
