//! The product in front of the simulator that is built in: what replays of requests can be played against.
//!
//! 2026-12: the upstream of a process is fixed by its settings, so a replay gets a stage of its own: a simulator on a free
//! port of the loopback, and a chat service in front of it. Accounts, media and ledger are stand-ins, because a rehearsal
//! must neither spend nor leave anything. A stage lives as long as its answer, so nothing is held while nobody rehearses.

mod stand_ins;

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use grok2api_chat as chat_service;
use grok2api_gateway as gateway;
use grok2api_kit::{
    egress::{self, Endpoints},
    lifecycle::Tasks,
    runtime::Runtime,
};
use grok2api_proto::{
    Error, Result, Stream,
    chat::{Chat, ChatBatch, ChatRequest, ListModelsRequest, ListModelsResponse},
    config::RuntimeConfig,
};
use grok2api_upstream_sim::SimConfig;
use tokio::net::TcpListener;

use stand_ins::{Accounts, Forgetful, NoMedia};

/// What the gateway needs to play requests against the simulator.
pub(crate) fn simulator(
    runtime: Runtime,
    allow_private_images: bool,
    tasks: &Tasks,
) -> gateway::admin::Simulator {
    gateway::admin::Simulator {
        chat: Arc::new(Rehearsal { runtime, allow_private_images }),
        media: Arc::new(NoMedia),
        usage: gateway::usage::Recorder::start(Arc::new(Forgetful), None, tasks),
    }
}

/// Turns, each on a stage of its own.
struct Rehearsal {
    runtime: Runtime,
    allow_private_images: bool,
}

/// A simulator with a chat service in front.
struct Stage {
    chat: Arc<dyn Chat>,
    _ends: Ends,
}

/// Ends what was begun when it is dropped.
struct Ends(Tasks);

#[tonic::async_trait]
impl Chat for Rehearsal {
    async fn complete(&self, request: ChatRequest) -> Result<Stream<ChatBatch>> {
        let stage = self.set().await?;
        let batches = stage.chat.complete(request).await?;
        let played = stream::unfold((stage, batches), async |(stage, mut batches)| {
            Some((batches.next().await?, (stage, batches)))
        });
        Ok(played.boxed())
    }

    async fn list_models(&self, request: ListModelsRequest) -> Result<ListModelsResponse> {
        self.set().await?.chat.list_models(request).await
    }
}

impl Rehearsal {
    async fn set(&self) -> Result<Stage> {
        let ends = Ends(Tasks::new());
        let tasks = ends.0.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unset)?;
        let sim =
            grok2api_upstream_sim::start(listener, SimConfig::default(), &tasks).await.map_err(unset)?;
        let endpoints = Endpoints::at(&sim.url())?;
        let runtime = Runtime::fixed(near(&self.runtime.current().config));
        let chat = chat_service::start(chat_service::Deps {
            pool: Arc::new(Accounts),
            media: Arc::new(NoMedia),
            egress: egress::Gateway::new(endpoints, runtime.clone()),
            runtime,
            allow_private_images: self.allow_private_images,
            tasks,
        })?;
        Ok(Stage { chat, _ends: ends })
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.shutdown().stop();
    }
}

/// The operator's parameters without what belongs to the way to the true upstream.
fn near(config: &RuntimeConfig) -> RuntimeConfig {
    RuntimeConfig {
        proxy_url: String::new(),
        cf_clearance: String::new(),
        x_statsig_id: String::new(),
        ..config.clone()
    }
}

fn unset(error: std::io::Error) -> Error {
    Error::internal(format!("the simulator cannot be started: {error}"))
}
