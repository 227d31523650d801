//! One request, while it is served.

use grok2api_proto::{
    Error, Kind,
    chat::{self, ChatEvent, chat_event::Kind as Event},
    ledger::{Attempt, Entry, Outcome},
};
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use super::Recorder;
use crate::openai::error::status_of;

const LONGEST_MESSAGE: usize = 500;
/// The client names what it likes: only names that exist are worth a place among the sums.
const NO_SUCH_MODEL: &str = "model_not_found";

/// One request's entry in the making; dropping it hands it over. Unless told otherwise, its client has left.
pub struct Record {
    recorder: Recorder,
    entry: Entry,
    begun: Instant,
    /// When the attempt that serves was told of, and how long it had taken until then.
    serving: Option<(Instant, u64)>,
    /// The headers are with the client: a failure changes its status no more.
    accepted: bool,
    _open: TaskTrackerToken,
}

impl Record {
    pub(super) fn begin(recorder: Recorder, endpoint: &'static str, request_id: &str) -> Self {
        let entry = Entry {
            // Clients choose request ids and repeat them; quotas, blame and the ledger go by an id of ours.
            id: format!("turn_{}", Uuid::now_v7().simple()),
            request_id: request_id.to_owned(),
            endpoint: endpoint.to_owned(),
            outcome: Outcome::ClientCancelled.into(),
            http_status: 200,
            ..Entry::default()
        };
        let open = recorder.token();
        Self { recorder, entry, begun: Instant::now(), serving: None, accepted: false, _open: open }
    }

    /// `turn_…`: the request's id in logs and downstream calls.
    pub fn turn_id(&self) -> &str {
        &self.entry.id
    }

    /// What was asked for, once that is known.
    pub fn asked(&mut self, model: &str, stream: bool) {
        model.clone_into(&mut self.entry.model);
        self.entry.stream = stream;
    }

    /// By whom: the client key's id, empty for nobody in particular.
    pub fn called_by(&mut self, key: &str) {
        key.clone_into(&mut self.entry.client_key);
    }

    /// Notes what a batch of the turn's events brought.
    pub fn events(&mut self, events: &[ChatEvent]) {
        for kind in events.iter().filter_map(|event| event.kind.as_ref()) {
            self.event(kind);
        }
    }

    fn event(&mut self, kind: &Event) {
        match kind {
            Event::Started(started) => self.started(&started.tried),
            Event::Charge(charge) => self.entry.units = charge.units,
            Event::Usage(usage) => {
                self.entry.prompt_tokens = usage.prompt_tokens;
                self.entry.completion_tokens = usage.completion_tokens;
                self.entry.reasoning_tokens = usage.reasoning_tokens;
                self.entry.tokens_estimated = usage.estimated;
            }
            Event::Image(_) => self.entry.images += 1,
            Event::Video(_) => self.entry.videos += 1,
            Event::End(_) => self.ended(Outcome::Success),
            _ => {}
        }
        if is_output(kind) && self.entry.first_output_ms.is_none() {
            self.entry.first_output_ms = Some(millis(self.begun));
        }
    }

    fn started(&mut self, tried: &[chat::Attempt]) {
        self.entry.attempts = tried.iter().map(attempt).collect();
        self.serving = tried.last().map(|last| (Instant::now(), last.duration_ms));
    }

    /// The request failed.
    pub fn failed(&mut self, error: &Error) {
        self.ended(outcome(error.kind));
        if !self.accepted {
            self.entry.http_status = status_of(error.kind).as_u16().into();
        }
        self.entry.error_code = error.code.to_string();
        self.entry.error_message = cut(error.message.clone());
        if error.code == NO_SUCH_MODEL {
            self.entry.model.clear();
        }
        if !error.attempts().is_empty() {
            self.entry.attempts = error.attempts().iter().map(attempt).collect();
            self.entry.units = error.attempts().iter().map(|attempt| attempt.units).sum();
            self.serving = None;
        }
    }

    /// The status 200 is sent, whatever happens now.
    pub fn accepted(&mut self) {
        self.accepted = true;
    }

    fn ended(&mut self, outcome: Outcome) {
        self.entry.set_outcome(outcome);
        self.entry.duration_ms = millis(self.begun).max(1);
    }

    /// The attempt that served, as it ended.
    fn close_attempt(&mut self) {
        let Some((since, before)) = self.serving.take() else { return };
        let (outcome, units) = (self.entry.outcome(), self.entry.units);
        let spent: u32 = self.entry.attempts.iter().map(|attempt| attempt.units).sum();
        let Some(last) = self.entry.attempts.last_mut().filter(|last| last.outcome.is_empty()) else {
            return;
        };
        last.duration_ms = before + millis(since);
        last.units = units;
        self.entry.units = spent + units;
        name(outcome).clone_into(&mut last.outcome);
        if outcome != Outcome::Success {
            last.cause.clone_from(&self.entry.error_message);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.entry.duration_ms == 0 {
            let panicking = std::thread::panicking();
            self.ended(if panicking { Outcome::Internal } else { Outcome::ClientCancelled });
            if panicking {
                self.entry.http_status = 500;
                "internal_error".clone_into(&mut self.entry.error_code);
            }
        }
        self.close_attempt();
        self.recorder.push(std::mem::take(&mut self.entry));
    }
}

fn attempt(told: &chat::Attempt) -> Attempt {
    Attempt {
        account: told.account_id.clone(),
        outcome: told.outcome.clone(),
        cause: told.cause.clone(),
        duration_ms: told.duration_ms,
        units: told.units,
    }
}

/// What a client sees something of.
fn is_output(kind: &Event) -> bool {
    match kind {
        Event::Text(_) | Event::Image(_) | Event::Video(_) => true,
        Event::ImageProgress(_) | Event::VideoProgress(_) => true,
        Event::Reasoning(reasoning) => !reasoning.header,
        _ => false,
    }
}

fn outcome(kind: Kind) -> Outcome {
    match kind {
        Kind::InvalidRequest | Kind::NotFound | Kind::Conflict | Kind::TooLarge | Kind::UnsupportedMedia => {
            Outcome::InvalidRequest
        }
        Kind::Unauthenticated | Kind::PermissionDenied => Outcome::Refused,
        Kind::RateLimited => Outcome::RateLimited,
        Kind::Unavailable => Outcome::Unavailable,
        Kind::Upstream => Outcome::Upstream,
        Kind::Timeout => Outcome::Timeout,
        Kind::Cancelled => Outcome::ClientCancelled,
        Kind::Internal => Outcome::Internal,
    }
}

/// An attempt's outcome, where only the request's is known.
fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::ClientCancelled => "client_cancelled",
        Outcome::InvalidRequest | Outcome::Refused => "request_refused",
        Outcome::RateLimited => "rate_limited",
        Outcome::Upstream => "upstream_failed",
        Outcome::Unavailable | Outcome::Timeout | Outcome::Internal | Outcome::Unspecified => "unknown",
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_MESSAGE));
    text
}
