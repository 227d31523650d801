//! A turn as server-sent events: one batch of the chat service is one write to the client.
//!
//! Every source is a stream, so that waiting for one loses nothing when the ping is due first. Dropping the body
//! drops the sources, and with them the turn.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse as _, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Error, Result, Stream,
    chat::{ChatBatch, ChatEvent},
    media::Chunk,
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{Turn, flatten, image_bytes, incomplete, stopping};
use crate::{
    Deps,
    openai::{
        inline::Pieces,
        stream::{Encoder, PING},
    },
    usage::Record,
};

const PING_EVERY: Duration = Duration::from_secs(10);

/// Waits for the commit as long as one ping interval, so that early failures have a status of their own.
pub(super) async fn answer(deps: Deps, turn: Turn, mut record: Record) -> Result<Response> {
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let chat = deps.chat.clone();
    let mut call = Box::pin(async move { chat.complete(turn.request).await });
    let (batches, out) = tokio::select! {
        biased;
        committed = &mut call => {
            (committed.inspect_err(|error| record.failed(error))?, BytesMut::new())
        }
        _ = ping.tick() => (flatten(call), BytesMut::from(PING)),
    };
    record.accepted();
    let encoder = Encoder::new(&turn.head, turn.presentation);
    let (image, events) = (None, Vec::new());
    let live = Live { deps, id: turn.id, record, batches, encoder, ping, out, image, events, taken: 0 };
    let frames = stream::unfold(live, async |mut live| Some((Ok::<_, Infallible>(live.next().await?), live)));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// The body of one stream.
struct Live {
    deps: Deps,
    id: String,
    record: Record,
    batches: Stream<ChatBatch>,
    encoder: Encoder,
    ping: Interval,
    /// Frames not written yet.
    out: BytesMut,
    /// The image being copied into the content.
    image: Option<Image>,
    /// The batch being encoded, and how many of its events are.
    events: Vec<ChatEvent>,
    taken: usize,
}

struct Image {
    chunks: Stream<Chunk>,
    pieces: Pieces,
}

/// What a stream wakes up for.
enum Wake {
    Batch(Option<Result<ChatBatch>>),
    Chunk(Option<Result<Chunk>>),
    Ping,
    Stop,
}

impl Live {
    /// The next write, or the end.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            match self.wait().await {
                Wake::Batch(None) | Wake::Batch(Some(Err(_))) | Wake::Ping | Wake::Stop
                    if self.encoder.is_done() =>
                {
                    return None;
                }
                Wake::Batch(Some(Ok(batch))) => self.batch(batch),
                Wake::Chunk(Some(Ok(chunk))) => self.chunk(&chunk),
                Wake::Chunk(None) => self.image_end(),
                Wake::Ping => self.out.extend_from_slice(PING),
                Wake::Batch(None) => self.fail(&incomplete()),
                Wake::Batch(Some(Err(error))) | Wake::Chunk(Some(Err(error))) => self.fail(&error),
                Wake::Stop => self.fail(&stopping()),
            }
        }
        Some(self.out.split().freeze())
    }

    async fn wait(&mut self) -> Wake {
        let next = async {
            match &mut self.image {
                Some(image) => Wake::Chunk(image.chunks.next().await),
                None => Wake::Batch(self.batches.next().await),
            }
        };
        tokio::select! {
            biased;
            () = self.deps.tasks.shutdown().stopped() => Wake::Stop,
            wake = next => wake,
            _ = self.ping.tick() => Wake::Ping,
        }
    }

    fn batch(&mut self, batch: ChatBatch) {
        self.record.events(&batch.events);
        self.events = batch.events;
        self.taken = 0;
        self.encode();
    }

    /// Encodes up to the end of the batch, or to an image whose bytes come first.
    fn encode(&mut self) {
        let events = &self.events[self.taken..];
        if let Some((taken, image)) = self.encoder.until_image(events, &mut self.out) {
            self.encoder.image_start(image, &mut self.out);
            let chunks = image_bytes(&self.deps, image.name.clone());
            self.image = Some(Image { chunks, pieces: Pieces::default() });
            self.taken += taken;
        }
    }

    fn chunk(&mut self, chunk: &Chunk) {
        if let Some(image) = &mut self.image {
            image.pieces.push(&chunk.data, |piece| self.encoder.insert(piece, &mut self.out));
        }
    }

    fn image_end(&mut self) {
        if let Some(mut image) = self.image.take() {
            image.pieces.finish(|piece| self.encoder.insert(piece, &mut self.out));
            self.encoder.image_end(&mut self.out);
            self.encode();
        }
    }

    /// Ends the stream with an error, and the turn with it.
    fn fail(&mut self, error: &Error) {
        tracing::warn!(request.id = self.id, error.code = %error.code, "stream failed: {error}");
        self.record.failed(error);
        self.encoder.fail(error, &mut self.out);
        self.image = None;
        self.batches = stream::empty().boxed();
    }
}
