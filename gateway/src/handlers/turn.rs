//! A turn for protocols that give one answer a request: as a stream of events, or collected.

use std::convert::Infallible;

use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse as _, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use grok2api_proto::{
    Error, Result, Stream,
    chat::{ChatBatch, ChatRequest},
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::chat::{incomplete, live::PING_EVERY, opening::Opening, stopping};
use crate::{Deps, running::cancelled, unwind::Farewell, usage::Record};

/// Writes the events of a protocol.
pub(crate) trait Encoder: Send + 'static {
    /// Keeps proxies and clients waiting.
    const PING: &'static [u8];

    /// Appends the frames of a batch.
    fn batch(&mut self, batch: &ChatBatch, out: &mut BytesMut);
    /// Whether the answer is complete.
    fn is_done(&self) -> bool;
    /// Ends the stream with an error.
    fn fail(&mut self, error: &Error, out: &mut BytesMut);
    /// The frame that does, for a stream of which nothing is known any more.
    fn failure(error: &Error, out: &mut BytesMut);

    /// What has to happen before the end of the answer is sent.
    fn keeping(&mut self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

/// Gathers a whole answer.
pub(crate) trait Collector: Send {
    fn batch(&mut self, batch: &ChatBatch);
    /// Whether the answer is complete: what comes now is ignored.
    fn is_done(&self) -> bool;
}

/// The answer as it comes. Waits for the commit as long as one ping interval, so that early failures have a status of
/// their own.
pub(crate) async fn stream<E: Encoder>(
    deps: Deps,
    request: ChatRequest,
    mut record: Record,
    encoder: E,
) -> Result<Response> {
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let chat = deps.chat.clone();
    let mut opening =
        Opening::new(std::iter::once(Box::pin(async move { chat.complete(request).await }) as _));
    let cancel = record.cancellation();
    let out = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            record.failed(&cancelled());
            return Err(cancelled());
        }
        answered = opening.answered() => {
            answered.map_err(|(_, error)| error).inspect_err(|error| record.turn_failed(0, error))?;
            BytesMut::new()
        }
        _ = ping.tick() => BytesMut::from(E::PING),
    };
    let mut headers = HeaderMap::new();
    opening.heard().for_each(|(at, batch)| record.begins(at, &batch.events));
    record.tell(&mut headers);
    record.accepted();
    let batches = stream::select_all(opening.into_streams()).boxed();
    let live = Live { deps, cancel, record, encoder, batches, over: false, ping, out };
    let frames = stream::unfold(live, async |mut live| Some((Ok::<_, Infallible>(live.next().await?), live)));
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((kind, headers, Extension(Farewell(E::failure)), Body::from_stream(frames)).into_response())
}

/// The body of one stream. Dropping it drops the turn.
struct Live<E> {
    deps: Deps,
    cancel: CancellationToken,
    record: Record,
    encoder: E,
    batches: Stream<ChatBatch>,
    /// The call is over.
    over: bool,
    ping: Interval,
    /// Frames not written yet.
    out: BytesMut,
}

impl<E: Encoder> Live<E> {
    /// The next write, or the end.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            if self.over {
                return None;
            }
            self.wait().await;
            if let Some(kept) = self.encoder.keeping() {
                kept.await;
            }
        }
        Some(self.out.split().freeze())
    }

    async fn wait(&mut self) {
        tokio::select! {
            biased;
            () = self.deps.tasks.shutdown().stopped() => self.fail(&stopping()),
            () = self.cancel.cancelled() => self.fail(&cancelled()),
            batch = self.batches.next() => match batch {
                // Behind the last frame the call is read to its end.
                None | Some(Err(_)) if self.encoder.is_done() => self.over = true,
                None => self.fail(&incomplete()),
                Some(Err(error)) => self.fail(&error),
                Some(Ok(batch)) => {
                    self.record.events(0, &batch.events);
                    self.encoder.batch(&batch, &mut self.out);
                }
            },
            _ = self.ping.tick() => if !self.encoder.is_done() {
                self.out.extend_from_slice(E::PING);
            },
        }
    }

    fn fail(&mut self, error: &Error) {
        self.over = true;
        if !self.encoder.is_done() {
            tracing::warn!(turn.id = self.record.turn_id(), error.code = %error.code, "stream failed: {error}");
            self.record.turn_failed(0, error);
            self.encoder.fail(error, &mut self.out);
        }
    }
}

/// Reads the turn to its end, unless the process ends or an operator stops it before. A client that leaves drops this
/// future, and with it the turn.
pub(crate) async fn collect(
    deps: &Deps,
    request: ChatRequest,
    record: &mut Record,
    collector: &mut impl Collector,
) -> Result<()> {
    let (shutdown, cancel) = (deps.tasks.shutdown().clone(), record.cancellation());
    let answer = tokio::select! {
        answer = read(deps, request, record, collector) => answer,
        () = shutdown.stopped() => Err(stopping()),
        () = cancel.cancelled() => Err(cancelled()),
    };
    answer.inspect_err(|error| record.turn_failed(0, error))
}

async fn read(
    deps: &Deps,
    request: ChatRequest,
    record: &mut Record,
    collector: &mut impl Collector,
) -> Result<()> {
    let mut batches = deps.chat.complete(request).await?;
    while let Some(batch) = batches.next().await {
        let batch = match batch {
            Err(_) if collector.is_done() => break,
            batch => batch?,
        };
        record.events(0, &batch.events);
        collector.batch(&batch);
    }
    if collector.is_done() { Ok(()) } else { Err(incomplete()) }
}
