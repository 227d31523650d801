//! A stream that is being read: upstream reads in, batches of events out.
//!
//! Nothing is read ahead: a slow client slows the upstream, and dropping the stream drops the upstream's.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all, stream};
use grok2api_proto::{
    Result, Stream,
    chat::{ChatBatch, ChatEvent, Media, Started, chat_event::Kind as Event},
    media::{self, MediaCache},
    pool::Outcome,
};
use tokio::time::{Instant, timeout_at};

use super::{attempt::Attempt, limits::Limits};
use crate::{
    grok::{
        self,
        decoder::{Decoder, Output},
        failure::Failure,
    },
    lease::Lease,
    models::Model,
};

pub(super) struct Live {
    response: reqwest::Response,
    decoder: Decoder,
    lease: Lease,
    media: Arc<dyn MediaCache>,
    request_id: String,
    model: &'static Model,
    attempts: u32,
    begun: Instant,
    limits: Limits,
    outputs: Vec<Output>,
    /// Events that wait for the commit point.
    held: Vec<ChatEvent>,
    /// What went wrong behind the events just given.
    broken: Option<Failure>,
    ended: bool,
}

impl Live {
    pub(super) fn begin(
        attempt: &Attempt<'_>,
        lease: Lease,
        limits: Limits,
        response: reqwest::Response,
    ) -> Self {
        Self {
            response,
            decoder: attempt.decoder(),
            lease,
            media: attempt.turn.media.clone(),
            request_id: attempt.turn.request.request_id.clone(),
            model: attempt.turn.model,
            attempts: attempt.number,
            begun: attempt.begun,
            limits,
            outputs: Vec::new(),
            held: Vec::new(),
            broken: None,
            ended: false,
        }
    }

    /// Reads until the first output is there.
    pub(super) async fn commit(mut self) -> Result<Self, (Lease, Failure)> {
        loop {
            match self.events().await {
                Ok(events) => {
                    let committed = events.iter().any(commits);
                    self.held.extend(events);
                    if committed {
                        return Ok(self);
                    }
                }
                Err(failure) => return Err((self.lease, failure)),
            }
        }
    }

    /// The batches from the commit point on.
    pub(super) fn into_stream(mut self) -> Stream<ChatBatch> {
        let started =
            Started { conversation_id: self.decoder.conversation_id().to_owned(), attempts: self.attempts };
        let mut events = vec![ChatEvent::from(Event::Started(started))];
        events.append(&mut self.held);
        let first = stream::iter([Ok(ChatBatch { events })]);
        first.chain(stream::unfold(Some(self), Self::step)).boxed()
    }

    async fn step(live: Option<Self>) -> Option<(Result<ChatBatch>, Option<Self>)> {
        let mut live = live?;
        if live.ended && live.broken.is_none() {
            return None;
        }
        match live.events().await {
            Ok(events) => Some((Ok(ChatBatch { events }), Some(live))),
            Err(failure) => {
                let error = failure.error.clone();
                live.fail(&failure);
                Some((Err(error), None))
            }
        }
    }

    /// What the next read brings that is worth telling; never empty.
    async fn events(&mut self) -> Result<Vec<ChatEvent>, Failure> {
        loop {
            if let Some(failure) = self.broken.take() {
                return Err(failure);
            }
            let decoded = match self.read().await? {
                Some(bytes) => self.decoder.feed(&bytes, &mut self.outputs),
                None => {
                    self.ended = true;
                    self.decoder.finish(&mut self.outputs)
                }
            };
            if self.decoder.drew_images() {
                self.lease.units = Some(self.model.image_cost);
            }
            let (events, lost) = self.deliver().await;
            self.broken = lost.or(decoded.err());
            if self.ended && self.broken.is_none() {
                self.succeed();
            }
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        let (until, limit) = self.limits.next();
        let Ok(read) = timeout_at(until, self.response.chunk()).await else {
            return Err(self.limits.passed(limit));
        };
        self.limits.alive();
        read.map_err(|error| grok::transport(&error))
    }

    /// Fetches the media among the outputs, all at once, and keeps the order.
    async fn deliver(&mut self) -> (Vec<ChatEvent>, Option<Failure>) {
        let plain = self.outputs.iter().all(|output| matches!(output, Output::Event(_)));
        if plain {
            let events = self.outputs.drain(..).filter_map(|output| match output {
                Output::Event(event) => Some(event),
                Output::Image(_) | Output::Video(_) => None,
            });
            return (events.collect(), None);
        }
        let outputs = std::mem::take(&mut self.outputs);
        let fetched = join_all(outputs.into_iter().map(|output| self.resolve(output))).await;
        let mut lost = None;
        let events =
            fetched.into_iter().filter_map(|found| found.map_err(|failure| lost = Some(failure)).ok());
        (events.collect(), lost)
    }

    async fn resolve(&self, output: Output) -> Result<ChatEvent, Failure> {
        let (kind, location) = match output {
            Output::Event(event) => return Ok(event),
            Output::Image(location) => (media::Kind::Image, location),
            Output::Video(location) => (media::Kind::Video, location),
        };
        let request = media::FetchRequest {
            request_id: self.request_id.clone(),
            kind: kind.into(),
            location,
            token: self.lease.token().to_owned(),
        };
        // The upstream has done its work: only the download failed, so nothing is asked for again.
        let item = self
            .media
            .fetch(request)
            .await
            .map_err(|error| Failure { charged: true, ..Failure::own(error) })?;
        let item = Media { name: item.name, content_type: item.content_type, size: item.size };
        Ok(ChatEvent::from(if kind == media::Kind::Image { Event::Image(item) } else { Event::Video(item) }))
    }

    fn succeed(&mut self) {
        tracing::info!(
            request.id = self.request_id,
            model = self.model.id,
            attempts = self.attempts,
            duration_ms = self.begun.elapsed().as_millis(),
            "turn finished"
        );
        self.lease.settle(Outcome::Success, None);
    }

    fn fail(&mut self, failure: &Failure) {
        tracing::warn!(
            request.id = self.request_id,
            model = self.model.id,
            attempts = self.attempts,
            duration_ms = self.begun.elapsed().as_millis(),
            error.code = %failure.error.code,
            "turn failed after output: {}",
            failure.error
        );
        self.lease.settle(failure.outcome, Some(failure));
    }
}

/// Whether an event is output: after it no other account is tried.
fn commits(event: &ChatEvent) -> bool {
    match &event.kind {
        Some(Event::Text(_) | Event::Image(_) | Event::Video(_)) => true,
        Some(Event::ImageProgress(_) | Event::VideoProgress(_) | Event::End(_)) => true,
        Some(Event::Reasoning(reasoning)) => !reasoning.header,
        _ => false,
    }
}
