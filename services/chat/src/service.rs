//! The service: validate, resolve the model, run the turn.

use std::sync::Arc;

use grok2api_kit::{
    egress::{self, PublicFetch},
    runtime::Runtime,
};
use grok2api_proto::{
    Error, Kind, Result, Stream,
    chat::{Chat, ChatBatch, ChatRequest, ListModelsRequest, ListModelsResponse},
    media::MediaCache,
};
use tokio::time::{Duration, Instant, timeout_at};

use crate::{
    conversation::Conversation,
    grok::{prompt, upload},
    lease::Leases,
    models::{self, Model, Product},
    tools::{self, Shaper},
    turn::{self, Turn},
};

pub(crate) struct Service {
    leases: Leases,
    media: Arc<dyn MediaCache>,
    runtime: Runtime,
    egress: egress::Gateway,
    fetch: PublicFetch,
}

impl Service {
    pub(crate) fn new(
        leases: Leases,
        media: Arc<dyn MediaCache>,
        runtime: Runtime,
        egress: egress::Gateway,
        fetch: PublicFetch,
    ) -> Self {
        Self { leases, media, runtime, egress, fetch }
    }
}

fn no_images(model: &Model) -> String {
    format!("the model {} makes videos, not images", model.id)
}

#[tonic::async_trait]
impl Chat for Service {
    async fn complete(&self, request: ChatRequest) -> Result<Stream<ChatBatch>> {
        let begun = Instant::now();
        let model = models::find_for(&request.model, &request.effort)?;
        let config = self.runtime.current();
        let deadline = begun + Duration::from_secs(config.config.stream_total_timeout.into());
        let prompt = match (model.kind, &request.drawing) {
            (Product::Video, Some(_)) => return Err(Error::invalid("model", no_images(model))),
            (Product::Video, None) => prompt::latest(&request.messages),
            (Product::Chat, Some(drawing)) => prompt::drawing(&request.messages, drawing),
            (Product::Chat, None) => {
                let instructions = tools::prompt::instructions(&request);
                prompt::conversation(&request.messages, &instructions, config.config.role_markers)
            }
        };
        let talks = model.kind == Product::Chat && request.drawing.is_none();
        let shaper = if talks { Shaper::new(&request)? } else { None };
        let prepared = timeout_at(deadline, upload::prepare(&request.messages, model, &self.fetch)).await;
        let files = prepared.map_err(|_| {
            Error::new(Kind::Timeout, "attachments_timeout", "the attachments took too long")
        })??;
        if prompt.trim().is_empty() && files.is_empty() {
            return Err(Error::invalid("messages", "the conversation holds no text for this model"));
        }
        let turn = Turn {
            leases: self.leases.clone(),
            media: self.media.clone(),
            egress: self.egress.clone(),
            config,
            model,
            files,
            prompt,
            conversation: Conversation::of(&request),
            request,
            begun,
            deadline,
        };
        turn::run(turn, shaper).await
    }

    async fn list_models(&self, _: ListModelsRequest) -> Result<ListModelsResponse> {
        Ok(ListModelsResponse { models: models::all().iter().map(Into::into).collect() })
    }
}
