//! A turn as server-sent events: one batch of the chat service is one write to the client.
//!
//! Every source is a stream, so that waiting for one loses nothing when the ping is due first. Dropping the body
//! drops the sources, and with them the turn.

mod choice;

use std::{convert::Infallible, future::poll_fn, time::Duration};

use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use grok2api_proto::{Error, Result};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{Turn, incomplete, opening::Opening, stopping};
use crate::{
    Deps,
    openai::{
        stream::{Encoder, PING, failure},
        whole::total,
    },
    running::cancelled,
    unwind::Farewell,
    usage::Record,
};
use choice::{Brought, Choice};

pub(in crate::handlers) const PING_EVERY: Duration = Duration::from_secs(10);

/// Waits for the commit as long as one ping interval, so that early failures have a status of their own.
pub(super) async fn answer(deps: Deps, turn: Turn, mut record: Record) -> Result<Response> {
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let calls = turn.requests.into_iter().map(|request| {
        let chat = deps.chat.clone();
        Box::pin(async move { chat.complete(request).await }) as _
    });
    let (mut opening, cancel) = (Opening::new(calls), record.cancellation());
    let out = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            record.failed(&cancelled());
            return Err(cancelled());
        }
        answered = opening.answered() => {
            answered.inspect_err(|(at, error)| record.turn_failed(*at, error)).map_err(|(_, error)| error)?;
            BytesMut::new()
        }
        _ = ping.tick() => BytesMut::from(PING),
    };
    let mut headers = HeaderMap::new();
    opening.heard().for_each(|(at, batch)| record.begins(at, &batch.events));
    record.tell(&mut headers);
    record.accepted();
    let encoder = |index| Encoder::new(&turn.head, index, turn.presentation.clone());
    let streams = opening.into_streams().into_iter().zip(0..);
    let choices = streams.map(|(batches, index)| Choice::new(batches, encoder(index))).collect();
    let live = Live { deps, id: turn.id, cancel, record, choices, next: 0, closed: false, ping, out };
    let frames = stream::unfold(live, async |mut live| Some((Ok::<_, Infallible>(live.next().await?), live)));
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((kind, headers, Extension(Farewell(failure)), Body::from_stream(frames)).into_response())
}

/// The body of one stream.
struct Live {
    deps: Deps,
    id: String,
    cancel: CancellationToken,
    record: Record,
    choices: Vec<Choice>,
    /// Whose turn it is to be looked at first.
    next: usize,
    /// The last frame is written.
    closed: bool,
    ping: Interval,
    /// Frames not written yet.
    out: BytesMut,
}

/// What a stream wakes up for.
enum Wake {
    Choice(usize, Brought),
    Ping,
    Stop,
    Cancel,
}

impl Live {
    /// The next write, or the end.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            if self.choices.iter().all(Choice::is_over) {
                return None;
            }
            match self.wait().await {
                Wake::Ping | Wake::Stop | Wake::Cancel if self.closed => return None,
                Wake::Choice(at, brought) => self.take(at, brought),
                Wake::Ping => self.out.extend_from_slice(PING),
                Wake::Stop => self.give_up(&stopping()),
                Wake::Cancel => self.give_up(&cancelled()),
            }
        }
        Some(self.out.split().freeze())
    }

    async fn wait(&mut self) -> Wake {
        let (choices, next) = (&mut self.choices, &mut self.next);
        let brought = poll_fn(|context| {
            for _ in 0..choices.len() {
                let at = *next % choices.len();
                *next = at + 1;
                let polled = choices[at].poll(context);
                if polled.is_ready() {
                    return polled.map(|brought| Wake::Choice(at, brought));
                }
            }
            std::task::Poll::Pending
        });
        tokio::select! {
            biased;
            () = self.deps.tasks.shutdown().stopped() => Wake::Stop,
            () = self.cancel.cancelled() => Wake::Cancel,
            wake = brought => wake,
            _ = self.ping.tick() => Wake::Ping,
        }
    }

    fn take(&mut self, at: usize, brought: Brought) {
        let Self { choices, deps, out, record, .. } = self;
        if matches!(brought, Brought::Batch(Some(Ok(_)))) && choices.len() > 1 {
            // Clients that put choices together expect them to begin in their order.
            choices.iter_mut().for_each(|choice| choice.encoder.greet(out));
        }
        let choice = &mut choices[at];
        match brought {
            Brought::Batch(None | Some(Err(_))) if choice.encoder.is_done() => choice.end(),
            Brought::Batch(Some(Ok(batch))) => {
                record.events(at, &batch.events);
                choice.batch(batch, deps, out);
            }
            Brought::Chunk(Some(Ok(chunk))) => choice.chunk(&chunk, out),
            Brought::Chunk(None) => choice.image_end(deps, out),
            Brought::Batch(None) => return self.choice_failed(at, &incomplete()),
            Brought::Batch(Some(Err(error))) | Brought::Chunk(Some(Err(error))) => {
                return self.choice_failed(at, &error);
            }
        }
        self.close();
    }

    /// Ends the stream once every choice has ended.
    fn close(&mut self) {
        if self.closed || !self.choices.iter().all(|choice| choice.encoder.is_done()) {
            return;
        }
        self.closed = true;
        let usage = total(self.choices.iter().map(|choice| choice.encoder.usage()));
        if let Some(choice) = self.choices.first_mut() {
            choice.encoder.close(&usage, &mut self.out);
        }
    }

    fn choice_failed(&mut self, at: usize, error: &Error) {
        self.record.turn_failed(at, error);
        self.fail(error);
    }

    fn give_up(&mut self, error: &Error) {
        self.record.failed(error);
        self.fail(error);
    }

    /// Ends the stream with an error, and its turns with it.
    fn fail(&mut self, error: &Error) {
        tracing::warn!(request.id = self.id, error.code = %error.code, "stream failed: {error}");
        for choice in &mut self.choices {
            choice.encoder.abandon(&mut self.out);
        }
        failure(error, &mut self.out);
        self.choices.clear();
    }
}
