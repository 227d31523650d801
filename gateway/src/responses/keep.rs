//! Handing a response over to those who keep it.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use grok2api_proto::response::{KeepRequest, Response, Responses};
use tokio::time::timeout;

use super::answer::Answer;

/// Most that is kept of one, in bytes; one whose input alone is more is not kept, and says so.
pub(crate) const MOST: usize = 8 * 1024 * 1024;
/// The answer waits for it, so that its client can refer to what it has read.
const WAIT: Duration = Duration::from_secs(3);

/// Keeps one response.
pub(crate) struct Keeper {
    service: Arc<dyn Responses>,
    response: Response,
}

impl Keeper {
    /// For a response without its answer.
    pub(crate) fn new(service: Arc<dyn Responses>, response: Response) -> Self {
        Self { service, response }
    }

    /// Keeps it with its answer. A failure costs the client nothing but the response.
    pub(crate) fn keep(self, answer: &Answer<'_>) -> BoxFuture<'static, ()> {
        let Self { service, mut response } = self;
        // Writing to memory cannot fail, and no value there has keys that are not strings.
        response.answer = serde_json::to_vec(answer).unwrap_or_default().into();
        async move {
            let (id, bytes) = (response.id.clone(), response.input.len() + response.answer.len());
            if bytes > MOST {
                tracing::warn!(
                    response.id = id,
                    bytes,
                    "the response {id} is too large to be kept: {bytes} bytes"
                );
                return;
            }
            let keeping = service.keep(KeepRequest { response: Some(response) });
            let failed = match timeout(WAIT, keeping).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
            tracing::warn!(response.id = id, "the response {id} could not be kept: {failed}");
        }
        .boxed()
    }
}
