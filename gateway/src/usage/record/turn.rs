//! One turn of a request: a choice of its own, with its own accounts.

use grok2api_proto::{
    Error,
    chat::{self, Usage, chat_event::Kind as Event},
    ledger::{Attempt, Entry, Outcome},
};
use tokio::time::Instant;

use super::millis;
use crate::admission::CHARS_PER_TOKEN;

/// What a turn's events told so far.
#[derive(Default)]
pub(super) struct Turn {
    attempts: Vec<Attempt>,
    /// When the attempt that serves was told of, and how long it had taken until then.
    serving: Option<(Instant, u64)>,
    /// Charged for the attempt that serves.
    units: u32,
    usage: Usage,
    images: u32,
    videos: u32,
    /// Characters of what it said and thought, where they are counted.
    chars: usize,
    ended: bool,
}

impl Turn {
    pub(super) fn started(&mut self, tried: &[chat::Attempt]) {
        self.attempts = tried.iter().map(attempt).collect();
        self.serving = tried.last().map(|last| (Instant::now(), last.duration_ms));
    }

    /// How many accounts were asked, and how long they took, in milliseconds.
    pub(super) fn effort(&self) -> (usize, u64) {
        (self.attempts.len(), self.attempts.iter().map(|attempt| attempt.duration_ms).sum())
    }

    pub(super) fn charged(&mut self, units: u32) {
        self.units = units;
    }

    /// Counts what a turn says that may never tell its usage.
    pub(super) fn brought(&mut self, kind: &Event) {
        self.chars += match kind {
            Event::Text(text) => text.text.chars().count(),
            Event::FunctionCall(call) => call.arguments.chars().count(),
            Event::Reasoning(reasoning) => reasoning.text.chars().count(),
            _ => 0,
        };
    }

    /// In and out: as the turn told, else the prompt and what it has said so far.
    pub(super) fn tokens(&self, prompt: u64) -> u64 {
        match self.usage.prompt_tokens + self.usage.completion_tokens {
            0 => prompt + u64::try_from(self.chars.div_ceil(CHARS_PER_TOKEN)).unwrap_or(u64::MAX),
            told => told,
        }
    }

    pub(super) fn used(&mut self, usage: Usage) {
        self.usage = usage;
    }

    pub(super) fn image(&mut self) {
        self.images += 1;
    }

    pub(super) fn video(&mut self) {
        self.videos += 1;
    }

    pub(super) fn ended(&mut self) {
        self.ended = true;
        self.close(Outcome::Success, "");
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What the error tells of the turn's attempts is all there is to tell of them.
    pub(super) fn failed(&mut self, error: &Error) {
        if !error.attempts().is_empty() {
            self.attempts = error.attempts().iter().map(attempt).collect();
            (self.serving, self.units) = (None, 0);
        }
    }

    /// Ends the attempt that served, unless that is known.
    pub(super) fn close(&mut self, outcome: Outcome, cause: &str) {
        let Some((since, before)) = self.serving.take() else { return };
        if let Some(last) = self.attempts.last_mut().filter(|last| last.outcome.is_empty()) {
            last.duration_ms = before + millis(since);
            name(outcome).clone_into(&mut last.outcome);
            cause.clone_into(&mut last.cause);
        }
    }

    /// Adds the turn to its request.
    pub(super) fn add_to(mut self, entry: &mut Entry) {
        if let Some(last) = self.attempts.last_mut().filter(|_| self.units > 0) {
            last.units = self.units;
        } else {
            entry.units += self.units;
        }
        entry.units += self.attempts.iter().map(|attempt| attempt.units).sum::<u32>();
        entry.attempts.append(&mut self.attempts);
        entry.prompt_tokens += self.usage.prompt_tokens;
        entry.completion_tokens += self.usage.completion_tokens;
        entry.reasoning_tokens += self.usage.reasoning_tokens;
        entry.tokens_estimated |= self.usage.estimated;
        entry.images += self.images;
        entry.videos += self.videos;
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
