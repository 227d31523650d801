//! A turn whose answer is shaped: calls are found in it, JSON is held to its schema. What cannot be used is asked for
//! once more, as a turn of its own of the upstream, with its own lease and within the same deadline.

use std::collections::VecDeque;

use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Error, Result, Stream,
    chat::{self, ChatBatch, ChatEvent, Started, chat_event::Kind as Event},
};
use tokio::time::Instant;

use super::{Turn, live::commits, unshaped};
use crate::tools::{Outcome, Shaper};

/// The answer while it comes.
struct Shaped {
    turn: Turn,
    shaper: Shaper,
    batches: Stream<ChatBatch>,
    /// Told, but not passed on yet.
    ready: VecDeque<ChatBatch>,
    /// The attempts of the first turn, once a second one runs; and those of the turn that runs.
    before: Vec<chat::Attempt>,
    tried: Vec<chat::Attempt>,
    began: Instant,
    units: u32,
    over: bool,
}

/// Runs the turn up to the first output that a client sees, so that what cannot be used has a status of its own.
///
/// # Errors
/// Those of a turn; `tool_call_invalid`, `tool_call_missing` and `structured_output_invalid`.
pub(super) async fn run(turn: Turn, shaper: Shaper) -> Result<Stream<ChatBatch>> {
    let began = Instant::now();
    let batches = unshaped(&turn).await?;
    let mut shaped = Shaped {
        turn,
        shaper,
        batches,
        ready: VecDeque::new(),
        before: Vec::new(),
        tried: Vec::new(),
        began,
        units: 0,
        over: false,
    };
    let mut held = Vec::new();
    while let Some(batch) = shaped.next().await? {
        let seen = batch.events.iter().any(commits);
        held.extend(batch.events);
        if seen {
            break;
        }
    }
    shaped.ready.push_back(ChatBatch { events: held });
    Ok(stream::unfold(shaped, async |mut shaped| Some((shaped.next().await.transpose()?, shaped))).boxed())
}

impl Shaped {
    /// The next batch that holds anything.
    async fn next(&mut self) -> Result<Option<ChatBatch>> {
        if let Some(batch) = self.ready.pop_front() {
            return Ok(Some(batch));
        }
        while !self.over {
            let batch = match self.batches.next().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(self.failed(error)),
                Some(Ok(batch)) => batch,
            };
            let events = self.shape(batch).await?;
            if !events.is_empty() {
                return Ok(Some(ChatBatch { events }));
            }
        }
        Ok(None)
    }

    async fn shape(&mut self, batch: ChatBatch) -> Result<Vec<ChatEvent>> {
        if self.shaper.untouched(&batch.events) {
            return Ok(batch.events);
        }
        let mut out = Vec::with_capacity(batch.events.len());
        for mut event in batch.events {
            self.note(&mut event);
            match self.shaper.take(event, &self.turn.prompt, &mut out) {
                Outcome::Going => {}
                Outcome::Again(prompt) => {
                    self.again(prompt).await?;
                    break;
                }
                Outcome::Failed(error) => {
                    self.over = true;
                    self.succeeded();
                    let attempts = std::mem::take(&mut self.tried);
                    return Err(error.after(self.with_before(attempts)));
                }
            }
        }
        Ok(out)
    }

    /// Remembers who serves, and tells of the first turn's accounts with those of the second.
    fn note(&mut self, event: &mut ChatEvent) {
        match &mut event.kind {
            Some(Event::Started(Started { tried, attempts, .. })) => {
                self.tried.clone_from(tried);
                *tried = self.with_before(std::mem::take(tried));
                *attempts += u32::try_from(self.before.len()).unwrap_or(u32::MAX);
            }
            Some(Event::Charge(charge)) => self.units = charge.units,
            _ => {}
        }
    }

    /// The turn that ran has ended well, whatever its answer is worth.
    fn succeeded(&mut self) {
        if let Some(last) = self.tried.last_mut() {
            "success".clone_into(&mut last.outcome);
            last.units = self.units;
            last.duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        }
    }

    async fn again(&mut self, prompt: String) -> Result<()> {
        self.succeeded();
        tracing::info!(
            turn.id = self.turn.request.request_id,
            model = self.turn.model.id,
            "the answer cannot be used; the model is asked once more"
        );
        self.before = std::mem::take(&mut self.tried);
        self.turn.prompt = prompt;
        self.began = Instant::now();
        // The first turn is read to its end, so that it is settled as the success it was.
        while let Some(Ok(_)) = self.batches.next().await {}
        match unshaped(&self.turn).await {
            Ok(batches) => self.batches = batches,
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    fn failed(&mut self, error: Error) -> Error {
        self.over = true;
        let attempts = error.attempts().to_vec();
        error.after(self.with_before(attempts))
    }

    fn with_before(&self, attempts: Vec<chat::Attempt>) -> Vec<chat::Attempt> {
        self.before.iter().cloned().chain(attempts).collect()
    }
}
