//! Images as server-sent events: previews while they are drawn, then the images.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Error, Result, Stream,
    chat::{ChatBatch, Media, Usage, chat_event::Kind as Event},
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::{Turn, base64, incomplete, stopping};
use crate::{
    Deps,
    handlers::chat::opening::Opening,
    openai::{
        images::{Asked, failure},
        stream::PING,
    },
    running::cancelled,
    unwind::Farewell,
    usage::Record,
};

const PING_EVERY: Duration = Duration::from_secs(10);

/// Waits for the commit as long as one ping interval, so that early failures have a status of their own.
pub(super) async fn answer(deps: Deps, turn: Turn, mut record: Record) -> Result<Response> {
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (chat, request) = (deps.chat.clone(), turn.request);
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
        _ = ping.tick() => BytesMut::from(PING),
    };
    let mut headers = HeaderMap::new();
    opening.heard().for_each(|(at, batch)| record.begins(at, &batch.events));
    record.tell(&mut headers);
    record.accepted();
    let live = Live {
        deps,
        id: turn.id,
        cancel,
        record,
        asked: turn.asked,
        count: turn.count,
        previews: turn.previews,
        batches: stream::select_all(opening.into_streams()).boxed(),
        ping,
        out,
        shown: Vec::new(),
        drawn: Vec::new(),
        usage: Usage::default(),
        next: VecDeque::new(),
        done: false,
    };
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
    asked: Asked,
    count: usize,
    /// Most previews of one image.
    previews: u32,
    batches: Stream<ChatBatch>,
    ping: Interval,
    out: BytesMut,
    /// Previews shown so far, by image.
    shown: Vec<u32>,
    drawn: Vec<Media>,
    usage: Usage,
    /// What is to be written next; its bytes are read when it is its turn.
    next: VecDeque<Frame>,
    /// The turn has ended.
    done: bool,
}

enum Frame {
    Preview(Media, u32),
    Image(Media, Option<Usage>),
}

impl Live {
    /// The next write, or the end.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() {
            match self.next.pop_front() {
                Some(frame) => self.write(frame).await,
                None if self.done => return None,
                None => self.wait().await,
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
                Some(Ok(batch)) => {
                    self.record.events(0, &batch.events);
                    batch.events.into_iter().filter_map(|event| event.kind).for_each(|event| self.event(event));
                }
                Some(Err(error)) => self.fail(&error),
                None => self.fail(&incomplete()),
            },
            _ = self.ping.tick() => self.out.extend_from_slice(PING),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::ImageProgress(progress) => {
                let at = progress.index as usize;
                if let Some(preview) = progress.preview.filter(|_| at < self.count) {
                    self.shown.resize(self.shown.len().max(at + 1), 0);
                    if self.shown[at] < self.previews {
                        self.next.push_back(Frame::Preview(preview, self.shown[at]));
                        self.shown[at] += 1;
                    }
                }
            }
            Event::Image(image) if self.drawn.len() < self.count => self.drawn.push(image),
            Event::Usage(usage) => self.usage = usage,
            Event::End(_) => self.end(),
            _ => {}
        }
    }

    /// Only now the usage is known, which the last image tells.
    fn end(&mut self) {
        self.done = true;
        let last = self.drawn.len().saturating_sub(1);
        for (at, image) in self.drawn.drain(..).enumerate() {
            self.next.push_back(Frame::Image(image, (at == last).then_some(self.usage)));
        }
    }

    async fn write(&mut self, frame: Frame) {
        let (Frame::Preview(media, _) | Frame::Image(media, _)) = &frame;
        match (base64(&self.deps, media).await, &frame) {
            (Ok(text), Frame::Preview(media, index)) => {
                self.asked.partial(media, &text, *index, &mut self.out);
            }
            (Ok(text), Frame::Image(media, usage)) => {
                self.asked.completed(media, &text, usage.as_ref(), &mut self.out);
            }
            (Err(error), Frame::Preview(..)) => tracing::debug!(%error, "a preview is gone"),
            (Err(error), Frame::Image(..)) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &Error) {
        tracing::warn!(request.id = self.id, error.code = %error.code, "image stream failed: {error}");
        self.record.turn_failed(0, error);
        failure(error, &mut self.out);
        self.done = true;
        self.next.clear();
        self.batches = stream::empty().boxed();
    }
}
