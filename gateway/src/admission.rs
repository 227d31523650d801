//! Admission of requests whose client key has limits or budgets, by the keys service, which all gateways share.
//!
//! Who has neither passes without being asked for. Who has costs one call before the request is served, and one behind it:
//! the settlement, which is queued and sent in the background. A permit is held by the request's record, and by the answer's
//! body until that has ended; whatever ends both without a word – an error, a client that leaves, a panic – settles it.
//!
//! Limits are exact, so while the service is away nobody passes who has them.

mod headers;
mod permit;
mod sender;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use grok2api_kit::{lifecycle::Tasks, metrics::REFUSED};
use grok2api_proto::{
    Error, Kind, Result,
    chat::{ChatRequest, part::Kind as Part},
    keys::{AdmitRequest, AdmitResponse, Keys, Refusal, Settlement, Slot},
};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::task::TaskTracker;

use crate::{Caller, usage::Record};

pub(crate) use headers::Gate;
pub(crate) use permit::Permit;

/// How long a client may be kept waiting for leave.
const ANSWER: Duration = Duration::from_secs(5);
/// Settlements that may wait: while they cannot be sent, nobody else is admitted either.
const WAITING: usize = 20_000;
/// Told where nobody knows a better time; no wait is told to be longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The chat service's own measure.
pub(crate) const CHARS_PER_TOKEN: usize = 4;

/// Asks for leave, and settles; clones share one queue.
#[derive(Clone)]
pub(crate) struct Admissions(Arc<Inner>);

struct Inner {
    service: Arc<dyn Keys>,
    settlements: mpsc::Sender<Settlement>,
    /// Settlements that found no room.
    lost: AtomicU64,
    /// Requests that hold a slot, by their ids.
    slots: Mutex<HashMap<String, Slot>>,
    /// Permits that are held.
    open: TaskTracker,
}

impl Admissions {
    /// Begins to send settlements and signs of life.
    pub(crate) fn start(service: Arc<dyn Keys>, tasks: &Tasks) -> Self {
        let (settlements, queue) = mpsc::channel(WAITING);
        let (lost, slots, open) = (AtomicU64::new(0), Mutex::default(), TaskTracker::new());
        let admissions = Self(Arc::new(Inner { service: service.clone(), settlements, lost, slots, open }));
        let sender = sender::Sender::new(service, queue, admissions.0.open.clone());
        tasks.spawn_finishing(sender.run(tasks.shutdown().clone()));
        tasks.spawn_background("slots-renew", sender::renew(Arc::downgrade(&admissions.0)));
        admissions
    }

    /// Leave for a request, before it is served.
    async fn ask(&self, key: &str, request: &str, tokens: u64) -> Result<(AdmitResponse, Permit)> {
        // From before the call: an answer that is lost, or that nobody waits for any more, may have been a yes.
        let permit = Permit::new(self.clone(), key, request);
        let ask = AdmitRequest { key: key.to_owned(), request: request.to_owned(), tokens };
        let answer = timeout(ANSWER, self.0.service.admit(ask)).await;
        let answer = answer.unwrap_or_else(|_| Err(away())).map_err(|error| match error.kind {
            Kind::Unavailable | Kind::Timeout | Kind::Internal => away(),
            _ => error,
        })?;
        permit.answered(&answer);
        Ok((answer, permit))
    }

    /// The permit of a request that was begun elsewhere and goes on here.
    pub(crate) fn resume(&self, key: &str, request: &str) -> Permit {
        let permit = Permit::new(self.clone(), key, request);
        permit.hold_slot();
        permit
    }

    fn settle(&self, settlement: Settlement) {
        if self.0.settlements.try_send(settlement).is_err() {
            let lost = self.0.lost.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::error!(lost, "{lost} settlements of client keys found no room and are lost");
        }
    }
}

/// Lets a request pass that its caller may make now, and gives its record what is to be settled.
///
/// # Errors
/// `rate_limit_exceeded`, `concurrency_limit_exceeded`, `insufficient_quota`; `limits_unavailable` when nobody can say.
pub(crate) async fn admit(
    admissions: Option<&Admissions>,
    caller: &Caller,
    record: &mut Record,
    requests: &[ChatRequest],
) -> Result<()> {
    let admitted = ask(admissions, caller, record, requests).await;
    admitted.inspect_err(|error| REFUSED.add(1, [error.code.to_string().into()]))
}

async fn ask(
    admissions: Option<&Admissions>,
    caller: &Caller,
    record: &mut Record,
    requests: &[ChatRequest],
) -> Result<()> {
    let Some((key, gate)) = caller.limited() else { return Ok(()) };
    let Some(admissions) = admissions else { return Err(away()) };
    let tokens = requests.iter().map(prompt_tokens).sum();
    let (answer, permit) = admissions.ask(key, record.turn_id(), tokens).await?;
    let refused = answer.refused.clone();
    gate.passed(answer, refused.is_none().then(|| permit.clone()));
    match refused {
        Some(refusal) => Err(error(refusal)),
        None => {
            record.permitted(permit, tokens);
            Ok(())
        }
    }
}

fn error(refusal: Refusal) -> Error {
    let wait = refusal.wait_ms.map_or(LONGEST_WAIT, Duration::from_millis);
    Error::new(Kind::RateLimited, refusal.code, refusal.message).retry_after(wait)
}

fn away() -> Error {
    let message = "the limits of this API key cannot be checked at the moment";
    Error::new(Kind::Unavailable, "limits_unavailable", message).retry_after(Duration::from_secs(1))
}

/// What the prompt will be counted as, roughly: the chat service puts a few words around it.
pub(crate) fn prompt_tokens(request: &ChatRequest) -> u64 {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let texts = parts.filter_map(|part| match &part.kind {
        Some(Part::Text(text)) => Some(text.chars().count()),
        _ => None,
    });
    let calls = request.messages.iter().flat_map(|message| &message.tool_calls);
    let calls = calls.map(|call| call.name.chars().count() + call.arguments.chars().count());
    let tools = request.tools.iter().map(|tool| {
        [&tool.name, &tool.description, &tool.parameters].into_iter().map(|text| text.chars().count()).sum()
    });
    let chars: usize = texts.chain(calls).chain(tools).sum();
    u64::try_from(chars.div_ceil(CHARS_PER_TOKEN)).unwrap_or(u64::MAX)
}
