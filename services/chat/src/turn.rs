//! One turn: accounts are tried until one commits; what follows is its stream.

mod attempt;
mod limits;
mod live;
mod shaped;
mod told;
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
    tools::Shaper,
};
use attempt::Attempt;
use live::Live;
use told::{Told, Trial};

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
/// The last attempt's, or the pool's refusal; with the attempts. What is wrong with the answer, where it is shaped.
pub(crate) async fn run(turn: Turn, shaper: Option<Shaper>) -> Result<Stream<ChatBatch>> {
    match shaper {
        Some(shaper) => shaped::run(turn, shaper).await,
        None => unshaped(&turn).await,
    }
}

async fn unshaped(turn: &Turn) -> Result<Stream<ChatBatch>> {
    let mut told = Told::begin(turn.model.id.as_str(), turn.begun);
    let context = told.context().clone();
    let work = async {
        let mut tried = Vec::new();
        match attempts(turn, &mut tried).await {
            Ok(live) => Ok(live.into_stream(turn.leases.tasks(), told)),
            Err(error) => {
                told.ended(Some(&error.code));
                Err(error.after(tried))
            }
        }
    };
    context.hold(work).await
}

async fn attempts(turn: &Turn, tried: &mut Vec<chat::Attempt>) -> Result<Live> {
    let mut last: Option<Failure> = None;
    for number in 1..=turn.config.config.max_attempts.max(1) {
        let accounts: Vec<String> = tried.iter().map(|attempt| attempt.account_id.clone()).collect();
        let lease = match turn.leases.take(turn, &accounts).await {
            Ok(lease) => lease,
            Err(refusal) => return Err(last.map_or(refusal.clone(), |failure| worse(failure, refusal))),
        };
        let (began, trial) = (Instant::now(), Trial::begin(turn.model.id.as_str(), number));
        let context = trial.context().clone();
        let attempt = Attempt { turn, number, began, tried, trial };
        match context.hold(attempt.open(lease)).await {
            Ok(live) => return Ok(live),
            Err((lease, failure)) => {
                log(turn, number, lease.account(), &failure);
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
