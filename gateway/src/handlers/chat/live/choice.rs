//! One choice of a stream.

use std::task::{Context, Poll};

use bytes::BytesMut;
use futures_util::StreamExt as _;
use grok2api_proto::{
    Result, Stream,
    chat::{ChatBatch, ChatEvent},
    media::Chunk,
};

use super::super::image_bytes;
use crate::{
    Deps,
    openai::{inline::Pieces, stream::Encoder},
};

/// A turn being read, and what of it is being encoded.
pub(super) struct Choice {
    pub(super) encoder: Encoder,
    /// Gone once it has ended.
    batches: Option<Stream<ChatBatch>>,
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

/// What a choice wakes up for.
pub(super) enum Brought {
    Batch(Option<Result<ChatBatch>>),
    Chunk(Option<Result<Chunk>>),
}

impl Choice {
    pub(super) fn new(batches: Stream<ChatBatch>, encoder: Encoder) -> Self {
        Self { encoder, batches: Some(batches), image: None, events: Vec::new(), taken: 0 }
    }

    /// Nothing is to come of it, its call included.
    pub(super) fn is_over(&self) -> bool {
        self.batches.is_none()
    }

    /// The call is over.
    pub(super) fn end(&mut self) {
        self.batches = None;
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Brought> {
        match (&mut self.image, &mut self.batches) {
            (Some(image), _) => image.chunks.poll_next_unpin(context).map(Brought::Chunk),
            (None, Some(batches)) => batches.poll_next_unpin(context).map(Brought::Batch),
            (None, None) => Poll::Pending,
        }
    }

    pub(super) fn batch(&mut self, batch: ChatBatch, deps: &Deps, out: &mut BytesMut) {
        self.events = batch.events;
        self.taken = 0;
        self.encode(deps, out);
    }

    /// Encodes up to the end of the batch, or to an image whose bytes come first.
    fn encode(&mut self, deps: &Deps, out: &mut BytesMut) {
        let events = &self.events[self.taken..];
        if let Some((taken, image)) = self.encoder.until_image(events, out) {
            self.encoder.image_start(image, out);
            let chunks = image_bytes(deps, image.name.clone());
            self.image = Some(Image { chunks, pieces: Pieces::default() });
            self.taken += taken;
        }
    }

    pub(super) fn chunk(&mut self, chunk: &Chunk, out: &mut BytesMut) {
        if let Some(image) = &mut self.image {
            image.pieces.push(&chunk.data, |piece| self.encoder.insert(piece, out));
        }
    }

    pub(super) fn image_end(&mut self, deps: &Deps, out: &mut BytesMut) {
        if let Some(mut image) = self.image.take() {
            image.pieces.finish(|piece| self.encoder.insert(piece, out));
            self.encoder.image_end(out);
            self.encode(deps, out);
        }
    }
}
