//! Bodies of requests and answers, served.
//!
//! It stands beside the [usage ledger](crate::ledger), by whose ids and for whose time at most they are kept. The store
//! seals them; who reads one is written down where the actions of admins are, and in the log.

use std::sync::Arc;

use grok2api_kit::{clock::Clock, lifecycle::Tasks, runtime::Runtime};
use grok2api_proto::{
    Error, Kind, Result,
    capture::{Bodies, Captures, KeepRequest, KeepResponse, ReadRequest},
    config::RuntimeConfig,
};
use grok2api_storage::{
    actions::{Action, Actions},
    captures::{self as storage, Capture, Keep},
};
use prost::Message as _;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    aging::{self, MIB, STEP},
    ledger::turn,
};

const MOST: usize = 100;
const LONGEST_READER: usize = 128;

/// What the service needs.
pub struct Deps {
    /// The bodies.
    pub captures: Arc<dyn storage::Captures>,
    /// Where it is written down who read some.
    pub actions: Arc<dyn Actions>,
    /// How much is kept: `capture_retention_hours`, `capture_max_size_mb` and `usage_retention_days`.
    pub runtime: Runtime,
    /// Tells what is old.
    pub clock: Clock,
    /// Owns the task that takes old bodies away.
    pub tasks: Tasks,
}

/// Serves the bodies, and begins to take away what is too old or too much.
pub fn start(deps: Deps) -> Arc<dyn Captures> {
    let Deps { captures, actions, runtime, clock, tasks } = deps;
    let pruned = captures.clone();
    let step = move |now| {
        let (pruned, keep) = (pruned.clone(), keep(&runtime.current().config));
        async move { pruned.prune(keep, now, STEP).await }
    };
    tasks.spawn_background("capture-prune", aging::run("captured bodies", clock.clone(), step));
    open(captures, actions, clock)
}

fn keep(config: &RuntimeConfig) -> Keep {
    let entry = u64::from(config.usage_retention_days) * 24;
    Keep {
        hours: u64::from(config.capture_retention_hours).min(entry),
        bytes: u64::from(config.capture_max_size_mb) * MIB,
    }
}

/// Serves the bodies as they are, for a command that ends soon.
pub fn open(
    captures: Arc<dyn storage::Captures>,
    actions: Arc<dyn Actions>,
    clock: Clock,
) -> Arc<dyn Captures> {
    Arc::new(Service { captures, actions, clock })
}

struct Service {
    captures: Arc<dyn storage::Captures>,
    actions: Arc<dyn Actions>,
    clock: Clock,
}

#[tonic::async_trait]
impl Captures for Service {
    async fn keep(&self, request: KeepRequest) -> Result<KeepResponse> {
        if request.bodies.len() > MOST {
            return Err(Error::invalid(
                "bodies",
                format!("those of at most {MOST} requests are taken at once"),
            ));
        }
        let capture = |bodies: Bodies| {
            Ok(Capture { id: turn("bodies.id", &bodies.id)?, bodies: bodies.encode_to_vec() })
        };
        let captures = request.bodies.into_iter().map(capture).collect::<Result<Vec<_>>>()?;
        self.captures.put(&captures).await?;
        Ok(KeepResponse {})
    }

    async fn read(&self, request: ReadRequest) -> Result<Bodies> {
        let id = turn("id", &request.id)?;
        if request.reader.is_empty() || request.reader.len() > LONGEST_READER {
            return Err(Error::invalid("reader", "who reads must be said, in at most 128 bytes"));
        }
        let Some(found) = self.captures.get(id).await? else {
            let message = format!("no bodies are kept of {:?}", request.id);
            return Err(Error::new(Kind::NotFound, "bodies_not_found", message).at("id"));
        };
        let bodies = Bodies::decode(found.bodies.as_slice());
        let bodies = bodies.map_err(|error| Error::internal(format!("bodies of {}: {error}", request.id)))?;
        // What nobody could write down, nobody reads.
        self.note(&request).await?;
        Ok(bodies)
    }
}

impl Service {
    async fn note(&self, request: &ReadRequest) -> Result<()> {
        let ReadRequest { id, reader } = request;
        let action = Action {
            id: Uuid::now_v7(),
            at: self.clock.now_ms(),
            actor: reader.clone(),
            what: "bodies.read".to_owned(),
            target: id.clone(),
            before: Value::Null,
            after: Value::Null,
        };
        self.actions.append(&action).await?;
        tracing::info!(turn.id = id, reader, "{reader} read the kept bodies of {id}");
        Ok(())
    }
}
