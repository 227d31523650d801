//! One request, while it is served.

mod turn;

use axum::http::HeaderMap;
use grok2api_kit::trace::Context;
use grok2api_proto::{
    Error, Kind,
    chat::{ChatEvent, chat_event::Kind as Event},
    keys::Used,
    ledger::{Entry, Outcome},
};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};
use uuid::Uuid;

use super::Recorder;
use crate::{
    admission::Permit,
    openai::error::{served, status_of},
    running::Place,
};
use turn::Turn;

const LONGEST_MESSAGE: usize = 500;
/// The client names what it likes: only names that exist are worth a place among the sums.
const NO_SUCH_MODEL: &str = "model_not_found";
const MODEL_NOT_ALLOWED: &str = "model_not_allowed";

/// One request's entry in the making; dropping it hands it over. Unless told otherwise, its client has left.
///
/// Several turns may serve a request, each known by its number from 0 on: what they bring is added up.
pub struct Record {
    recorder: Recorder,
    entry: Entry,
    begun: Instant,
    turns: Vec<Turn>,
    /// What it failed of when it is dropped before its end; nothing says that the client left.
    otherwise: Option<Error>,
    /// There is nothing to hand over.
    void: bool,
    /// The leave of a key with limits, and the tokens it counted beforehand.
    permit: Option<(Permit, u64)>,
    /// The headers are with the client: a failure changes its status no more.
    accepted: bool,
    place: Place,
    _open: TaskTrackerToken,
}

impl Record {
    pub(super) fn begin(recorder: Recorder, endpoint: &'static str, request_id: &str) -> Self {
        // Clients choose request ids and repeat them; quotas, blame and the ledger go by an id of ours.
        let id = format!("turn_{}", Uuid::now_v7().simple());
        Context::serves(&id);
        let mut record = Self::resume(recorder, endpoint, id);
        request_id.clone_into(&mut record.entry.request_id);
        record.place.say(&record.entry);
        record
    }

    pub(super) fn resume(recorder: Recorder, endpoint: &'static str, id: String) -> Self {
        let entry = Entry {
            id,
            endpoint: endpoint.to_owned(),
            outcome: Outcome::ClientCancelled.into(),
            http_status: 200,
            ..Entry::default()
        };
        Self {
            _open: recorder.token(),
            place: recorder.running().begin(&entry),
            recorder,
            entry,
            begun: Instant::now(),
            turns: vec![Turn::default()],
            otherwise: None,
            void: false,
            permit: None,
            accepted: false,
        }
    }

    /// `turn_…`: the request's id in logs and downstream calls.
    pub fn turn_id(&self) -> &str {
        &self.entry.id
    }

    /// What was asked for, once that is known.
    pub fn asked(&mut self, model: &str, stream: bool) {
        model.clone_into(&mut self.entry.model);
        self.entry.stream = stream;
        self.place.say(&self.entry);
    }

    /// By whom: the client key's id, empty for nobody in particular.
    pub fn called_by(&mut self, key: &str) {
        key.clone_into(&mut self.entry.client_key);
        self.place.say(&self.entry);
    }

    /// Resolves when an operator cancels the request.
    pub(crate) fn cancellation(&self) -> CancellationToken {
        self.place.cancellation()
    }

    /// It was admitted by the limits of its key, which are settled with it.
    pub(crate) fn permitted(&mut self, permit: Permit, tokens: u64) {
        self.permit = Some((permit, tokens));
    }

    /// How many turns serve the request; one until this is told.
    pub fn served_by(&mut self, turns: usize) {
        self.turns.resize_with(turns, Turn::default);
    }

    /// Notes what a batch of a turn's events brought.
    pub fn events(&mut self, turn: usize, events: &[ChatEvent]) {
        for kind in events.iter().filter_map(|event| event.kind.as_ref()) {
            self.event(turn, kind);
        }
    }

    fn event(&mut self, turn: usize, kind: &Event) {
        if is_output(kind) && self.entry.first_output_ms.is_none() {
            self.entry.first_output_ms = Some(millis(self.begun));
            self.place.first_output();
        }
        self.place.event(kind);
        let Some(turn) = self.turns.get_mut(turn) else { return };
        if self.permit.is_some() {
            turn.brought(kind);
        }
        match kind {
            Event::Started(started) => turn.started(&started.tried),
            Event::Charge(charge) => turn.charged(charge.units),
            Event::Usage(usage) => turn.used(*usage),
            Event::Image(_) => turn.image(),
            Event::Video(_) => turn.video(),
            Event::End(_) => {
                turn.ended();
                if self.turns.iter().all(Turn::has_ended) {
                    self.ended(Outcome::Success);
                }
            }
            _ => {}
        }
    }

    /// Notes who serves a turn, before its events are passed on.
    pub fn begins(&mut self, turn: usize, events: &[ChatEvent]) {
        for kind in events.iter().filter_map(|event| event.kind.as_ref()) {
            if let (Event::Started(started), Some(turn)) = (kind, self.turns.get_mut(turn)) {
                turn.started(&started.tried);
            }
        }
    }

    /// Says in an answer's headers what it took so far: `x-g2a-attempts` and `x-g2a-upstream-ms`, which for several turns
    /// at the same time is that of the longest. Says nothing when nobody was asked yet.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let efforts = self.turns.iter().map(Turn::effort);
        let (attempts, upstream) =
            efforts.fold((0, 0), |all, one| (all.0 + one.0, std::cmp::max(all.1, one.1)));
        if attempts > 0 {
            served(attempts, upstream, headers);
        }
    }

    /// The request failed, by one of its turns. The others were given up.
    pub fn turn_failed(&mut self, turn: usize, error: &Error) {
        self.failed(error);
        for (at, other) in self.turns.iter_mut().enumerate() {
            if at == turn {
                other.failed(error);
            } else {
                other.close(Outcome::ClientCancelled, "another choice of the request failed");
            }
        }
    }

    /// The request failed.
    pub fn failed(&mut self, error: &Error) {
        self.ended(outcome(error.kind));
        if !self.accepted {
            self.entry.http_status = status_of(error.kind).as_u16().into();
        }
        self.entry.error_code = error.code.to_string();
        self.entry.error_message = cut(error.message.clone());
        // Whatever a client makes up must not stay in the ledger for ever.
        if error.code == NO_SUCH_MODEL || error.code == MODEL_NOT_ALLOWED {
            self.entry.model.clear();
        }
    }

    /// What the request failed of when it is given up, where its client need not stay.
    pub fn unless_finished(&mut self, error: Error) {
        self.otherwise = Some(error);
    }

    /// Somebody else serves the request, and tells of it.
    pub fn leave(mut self) {
        self.void = true;
        if let Some((permit, _)) = &self.permit {
            permit.leave();
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

    /// Nobody has told how it ended.
    fn abandoned(&mut self) {
        if std::thread::panicking() {
            self.ended(Outcome::Internal);
            self.entry.http_status = if self.accepted { 200 } else { 500 };
            "internal_error".clone_into(&mut self.entry.error_code);
        } else if let Some(error) = self.otherwise.take() {
            self.failed(&error);
        } else {
            self.ended(Outcome::ClientCancelled);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.void {
            return;
        }
        if self.entry.duration_ms == 0 {
            self.abandoned();
        }
        let outcome = self.entry.outcome();
        let reserved =
            self.permit.as_ref().map_or(0, |(_, tokens)| tokens.div_ceil(self.turns.len().max(1) as u64));
        let tokens = self.turns.iter().map(|turn| turn.tokens(reserved)).sum();
        for mut turn in self.turns.drain(..) {
            turn.close(outcome, &self.entry.error_message);
            turn.add_to(&mut self.entry);
        }
        self.place.end(&self.entry);
        if let Some((permit, _)) = self.permit.take().filter(|_| counts(&self.entry)) {
            permit.used(Used { tokens, units: self.entry.units.into() });
        }
        self.recorder.push(std::mem::take(&mut self.entry));
    }
}

/// Whether a request counts against its key: not if it failed through no fault of the client, who got nothing of it.
fn counts(entry: &Entry) -> bool {
    let delivered = entry.stream && entry.first_output_ms.is_some();
    match entry.outcome() {
        Outcome::Success | Outcome::ClientCancelled => true,
        // What was refused before anybody was asked has cost nothing.
        Outcome::InvalidRequest | Outcome::Refused => delivered || !entry.attempts.is_empty(),
        _ => delivered,
    }
}

/// What a client sees something of.
fn is_output(kind: &Event) -> bool {
    match kind {
        Event::Text(_) | Event::FunctionCall(_) | Event::Image(_) | Event::Video(_) => true,
        Event::ImageProgress(_) | Event::VideoProgress(_) => true,
        Event::Reasoning(reasoning) => !reasoning.header,
        _ => false,
    }
}

fn outcome(kind: Kind) -> Outcome {
    match kind {
        Kind::InvalidRequest | Kind::NotFound | Kind::Conflict => Outcome::InvalidRequest,
        Kind::TooLarge | Kind::TooSlow | Kind::UnsupportedMedia => Outcome::InvalidRequest,
        Kind::Unauthenticated | Kind::PermissionDenied => Outcome::Refused,
        Kind::RateLimited => Outcome::RateLimited,
        Kind::Unavailable => Outcome::Unavailable,
        Kind::Upstream => Outcome::Upstream,
        Kind::Timeout => Outcome::Timeout,
        Kind::Cancelled => Outcome::ClientCancelled,
        Kind::Internal => Outcome::Internal,
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_MESSAGE));
    text
}
