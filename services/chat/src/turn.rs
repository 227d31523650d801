//! One turn: accounts are tried until one commits; what follows is its stream.

mod attempt;
mod limits;
mod live;
mod tried;

use std::sync::Arc;

use grok2api_kit::{egress, runtime::Applied};
use grok2api_proto::{
    Error, Kind, Result, Stream,
    chat::{self, ChatBatch, ChatRequest},
    media::MediaCache,
};
use tokio::time::Instant;

use crate::{
    conversation::Conversation,
    grok::{failure::Failure, upload::File},
    lease::Leases,
    models::Model,
};
use attempt::Attempt;

/// Everything a turn needs, resolved.
pub(crate) struct Turn {
    pub leases: Leases,
    pub media: Arc<dyn MediaCache>,
    pub egress: egress::Gateway,
    pub config: Arc<Applied>,
    pub model: &'static Model,
    pub files: Vec<File>,
    /// The flattened conversation.
    pub prompt: String,
    pub conversation: Conversation,
    pub request: ChatRequest,
    pub begun: Instant,
    /// When the turn must be over, whatever it waits for.
    pub deadline: Instant,
}

/// Runs the turn up to its commit point.
///
/// # Errors
/// The last attempt's, or the pool's refusal; with the attempts.
pub(crate) async fn run(turn: Turn) -> Result<Stream<ChatBatch>> {
    let mut tried = Vec::new();
    let done = attempts(turn, &mut tried).await;
    done.map_err(|error| error.after(tried))
}

async fn attempts(turn: Turn, tried: &mut Vec<chat::Attempt>) -> Result<Stream<ChatBatch>> {
    let mut last: Option<Failure> = None;
    for number in 1..=turn.config.config.max_attempts.max(1) {
        let accounts: Vec<String> = tried.iter().map(|attempt| attempt.account_id.clone()).collect();
        let lease = match turn.leases.take(&turn, &accounts).await {
            Ok(lease) => lease,
            Err(refusal) => return Err(last.map_or(refusal.clone(), |failure| worse(failure, refusal))),
        };
        let began = Instant::now();
        match (Attempt { turn: &turn, number, began, tried }).open(lease).await {
            Ok(live) => return Ok(live.into_stream(turn.leases.tasks())),
            Err((lease, failure)) => {
                log(&turn, number, lease.account(), &failure);
                tried.push(tried::failed(&lease, &failure, began));
                lease.failed(&failure).await;
                if !failure.retry || Instant::now() >= turn.deadline {
                    return Err(failure.error);
                }
                last = Some(failure);
            }
        }
    }
    Err(last.map_or_else(|| Error::internal("no attempt was made"), |failure| failure.error))
}

/// Nobody is left to try. A rate limit is best told by the pool, which knows when it ends; any other failure is
/// the upstream's and must not look like a limit of the client's.
fn worse(failure: Failure, refusal: Error) -> Error {
    if failure.error.kind == Kind::RateLimited && refusal.kind == Kind::RateLimited {
        refusal
    } else {
        failure.error
    }
}

fn log(turn: &Turn, attempt: u32, account: &str, failure: &Failure) {
    tracing::warn!(
        turn.id = turn.request.request_id,
        model = turn.model.id,
        attempt,
        account,
        error.code = %failure.error.code,
        "attempt {attempt} failed: {}",
        failure.error
    );
}
