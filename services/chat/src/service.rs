//! The service: validate, resolve the model, run the turn.

use std::sync::Arc;

use grok2api_kit::{
    egress::{self, PublicFetch},
    runtime::Runtime,
};
use grok2api_proto::{
    Error, Result, Stream,
    chat::{Chat, ChatBatch, ChatRequest, ListModelsRequest, ListModelsResponse, part},
    media::MediaCache,
};

use crate::{
    grok::upload,
    lease::Leases,
    models,
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

#[tonic::async_trait]
impl Chat for Service {
    async fn complete(&self, request: ChatRequest) -> Result<Stream<ChatBatch>> {
        let model = models::find(&request.model)?;
        let says_something =
            request.messages.iter().flat_map(|message| &message.parts).any(|part| match &part.kind {
                Some(part::Kind::Text(text)) => !text.trim().is_empty(),
                Some(part::Kind::Attachment(_)) => true,
                None => false,
            });
        if !says_something {
            return Err(Error::invalid("messages", "the conversation holds no text"));
        }
        let files = upload::prepare(&request.messages, model, &self.fetch).await?;
        let turn = Turn {
            leases: self.leases.clone(),
            media: self.media.clone(),
            egress: self.egress.clone(),
            config: self.runtime.current(),
            model,
            files,
            request,
        };
        turn::run(turn).await
    }

    async fn list_models(&self, _: ListModelsRequest) -> Result<ListModelsResponse> {
        Ok(ListModelsResponse { models: models::all().iter().map(Into::into).collect() })
    }
}
