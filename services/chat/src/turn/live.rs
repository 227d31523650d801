//! A stream that is being read: upstream reads in, batches of events out.
//!
//! From the commit point on a task drives it and hands batches through a small channel. A slow client slows the
//! upstream; one that does not read at all is cut off by the total timeout; one that leaves stops everything at once.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all};
use grok2api_kit::{lifecycle::Tasks, trace::Step};
use grok2api_proto::{
    Result, Stream,
    chat::{
        self, Charge, ChatBatch, ChatEvent, ChatRequest, ImageProgress, Media, Started,
        chat_event::Kind as Event,
    },
    media::{self, MediaCache},
    pool::Outcome,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_stream::wrappers::ReceiverStream;

use super::{
    attempt::Attempt,
    limits::Limits,
    told::{self, Told, Trial},
    tried,
};
use crate::{
    grok::{
        self,
        decoder::{Decoder, Output},
        failure::Failure,
    },
    lease::Lease,
    models::Model,
};

/// Batches that may wait for a slow client.
const WAITING: usize = 2;

/// The upstream's answer, and its step in the trace.
pub(super) struct Upstream {
    pub(super) response: reqwest::Response,
    pub(super) _step: Step,
}

pub(super) struct Live {
    /// Gone as soon as no more is wanted of it.
    response: Option<Upstream>,
    trial: Option<Trial>,
    decoder: Decoder,
    lease: Lease,
    media: Arc<dyn MediaCache>,
    request_id: String,
    /// Of what it makes.
    owner: String,
    model: &'static Model,
    attempts: u32,
    /// The attempts before this one, and when this one began.
    tried: Vec<chat::Attempt>,
    began: Instant,
    begun: Instant,
    limits: Limits,
    /// Decoded, not yet told.
    outputs: VecDeque<Output>,
    /// Room for the decoder.
    decoded: Vec<Output>,
    /// Events that wait for the commit point.
    held: Vec<ChatEvent>,
    /// How the upstream ended, once it has; told behind the outputs.
    end: Option<Result<(), Failure>>,
    /// It has drawn, and is charged for that.
    drew: bool,
}

/// For whom a turn makes what it makes, as the media cache keeps it.
fn owner(request: &ChatRequest) -> String {
    match (request.client_key.as_str(), request.admin.as_str()) {
        ("", "") => String::new(),
        ("", admin) => format!("admin:{admin}"),
        (key, _) => format!("key:{key}"),
    }
}

impl Live {
    pub(super) fn begin(attempt: &Attempt<'_>, lease: Lease, limits: Limits, response: Upstream) -> Self {
        Self {
            response: Some(response),
            trial: None,
            decoder: attempt.decoder(),
            lease,
            media: attempt.turn.media.clone(),
            request_id: attempt.turn.request.request_id.clone(),
            owner: owner(&attempt.turn.request),
            model: attempt.turn.model,
            attempts: attempt.number,
            tried: attempt.tried.to_vec(),
            began: attempt.began,
            begun: attempt.turn.begun,
            limits,
            outputs: VecDeque::new(),
            decoded: Vec::new(),
            held: Vec::new(),
            end: None,
            drew: false,
        }
    }

    /// Takes over the attempt that opened it.
    pub(super) fn tried_by(self, trial: Trial) -> Self {
        Self { trial: Some(trial), ..self }
    }

    /// Reads until the first output is there.
    pub(super) async fn commit(mut self) -> Result<Self, (Lease, Failure)> {
        loop {
            match self.events().await {
                Ok(Some(events)) => {
                    let committed = events.iter().any(commits);
                    self.held.extend(events);
                    if committed {
                        return Ok(self);
                    }
                }
                // An end without output is a failure of the decoder's, so this is never reached.
                Ok(None) => return Ok(self),
                Err(failure) => return Err((self.lease, failure)),
            }
        }
    }

    /// The batches from the commit point on.
    pub(super) fn into_stream(mut self, tasks: &Tasks, told: Told) -> Stream<ChatBatch> {
        let mut tried = self.tried.clone();
        tried.push(tried::begun(&self.lease, self.began));
        let conversation_id = self.decoder.conversation_id().to_owned();
        let started = Started { conversation_id, attempts: self.attempts, tried };
        let mut events = vec![ChatEvent::from(Event::Started(started)), self.charge()];
        events.append(&mut self.held);
        let (sender, receiver) = mpsc::channel(WAITING);
        let context = told.context().clone();
        let driven = async move {
            tokio::select! {
                biased;
                // The client left: dropping the rest drops the upstream's connection and settles the lease.
                () = sender.closed() => {}
                () = self.drive(events, &sender, told) => {}
            }
        };
        tasks.spawn("turn", context.hold(driven));
        ReceiverStream::new(receiver).boxed()
    }

    async fn drive(
        mut self,
        first: Vec<ChatEvent>,
        sender: &mpsc::Sender<Result<ChatBatch>>,
        mut told: Told,
    ) {
        let mut next: Result<_, Failure> = Ok(Some(first));
        loop {
            let batch = match next {
                Ok(Some(events)) => Ok(ChatBatch { events }),
                Ok(None) => return,
                Err(failure) => {
                    told.ended(Some(&failure.error.code));
                    return self.fail(failure, sender).await;
                }
            };
            if let Ok(batch) = &batch {
                told.events(&batch.events);
            }
            if self.is_complete() {
                self.succeed();
                told.ended(None);
            }
            let sent = timeout_at(self.limits.deadline(), sender.send(batch)).await;
            next = match sent {
                Ok(Ok(())) => self.events().await,
                Ok(Err(_)) => return,
                Err(_) => Err(self.limits.exceeded()),
            };
        }
    }

    /// What is next to tell, never empty; nothing at the end.
    async fn events(&mut self) -> Result<Option<Vec<ChatEvent>>, Failure> {
        loop {
            if !self.outputs.is_empty() {
                return self.deliver().await.map(Some);
            }
            if let Some(end) = self.end.take() {
                self.end = Some(Ok(()));
                return end.map(|()| None);
            }
            let read = self.read().await?;
            let decoded = read.as_ref().map_or(Ok(()), |bytes| self.decoder.feed(bytes, &mut self.decoded));
            if self.decoder.is_cut() {
                self.response = None;
            }
            self.end = match decoded {
                Err(failure) => Some(Err(failure)),
                Ok(()) if read.is_none() || self.decoder.is_done() => {
                    Some(self.decoder.finish(&mut self.decoded))
                }
                Ok(()) => None,
            };
            if !self.decoded.is_empty() {
                self.limits.told();
            }
            self.outputs.extend(self.decoded.drain(..));
            if self.decoder.drew_images() && !self.drew {
                self.drew = true;
                self.lease.units = self.model.image_cost;
                self.outputs.push_front(Output::Event(self.charge()));
            }
        }
    }

    fn charge(&self) -> ChatEvent {
        Event::Charge(Charge { units: self.lease.units }).into()
    }

    /// Nothing is left to tell, and it ended well.
    fn is_complete(&self) -> bool {
        self.outputs.is_empty() && matches!(self.end, Some(Ok(())))
    }

    /// The next bytes; nothing at the end. Once the finished message has come, a connection that lingers or breaks
    /// is an end too.
    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        let over = self.decoder.is_over();
        let (until, limit) = if over { self.limits.lingering() } else { self.limits.next() };
        if Instant::now() >= self.limits.deadline() {
            return if over { Ok(None) } else { Err(self.limits.exceeded()) };
        }
        let Some(upstream) = &mut self.response else { return Ok(None) };
        match timeout_at(until, upstream.response.chunk()).await {
            Ok(Ok(read)) => {
                self.limits.alive();
                Ok(read)
            }
            _ if over => Ok(None),
            Ok(Err(error)) => Err(grok::transport(&error)),
            Err(_) => Err(self.limits.passed(limit)),
        }
    }

    /// Tells the events up to the first asset; or fetches the assets that are next, all at once.
    async fn deliver(&mut self) -> Result<Vec<ChatEvent>, Failure> {
        let plain = self.outputs.iter().take_while(|output| matches!(output, Output::Event(_))).count();
        if plain > 0 {
            let events = self.outputs.drain(..plain).filter_map(|output| match output {
                Output::Event(event) => Some(event),
                Output::Preview { .. } | Output::Image(_) | Output::Video(_) => None,
            });
            return Ok(events.collect());
        }
        let assets = self.outputs.iter().take_while(|output| !matches!(output, Output::Event(_))).count();
        let assets: Vec<Output> = self.outputs.drain(..assets).collect();
        let fetches = join_all(assets.into_iter().map(|asset| self.fetch(asset)));
        let fetched =
            timeout_at(self.limits.deadline(), fetches).await.map_err(|_| self.limits.exceeded())?;
        let (found, lost): (Vec<_>, Vec<_>) = fetched.into_iter().partition(Result::is_ok);
        if let Some(Err(failure)) = lost.into_iter().next() {
            // What was decoded behind it would end the answer as if it were whole.
            self.outputs.clear();
            self.end = Some(Err(failure.clone()));
            if found.is_empty() {
                return Err(failure);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn fetch(&self, asset: Output) -> Result<ChatEvent, Failure> {
        let event = match asset {
            Output::Event(event) => return Ok(event),
            Output::Preview { index, percent, location } => {
                // The image itself is still to come: one that cannot be shown yet is no failure.
                let preview = self.store(media::Kind::Image, location).await.ok();
                Event::ImageProgress(ImageProgress { index, percent, preview })
            }
            Output::Image(location) => Event::Image(self.store(media::Kind::Image, location).await?),
            Output::Video(location) => Event::Video(self.store(media::Kind::Video, location).await?),
        };
        Ok(ChatEvent::from(event))
    }

    /// Brings an asset into the media cache.
    async fn store(&self, kind: media::Kind, location: String) -> Result<Media, Failure> {
        let request = media::FetchRequest {
            request_id: self.request_id.clone(),
            kind: kind.into(),
            location,
            token: self.lease.token().to_owned(),
            owner: self.owner.clone(),
        };
        // The upstream has done its work: only the download failed, so nothing is asked for again.
        let item = self.media.fetch(request).await;
        let item = item.map_err(|error| Failure { charged: true, ..Failure::own(error) })?;
        Ok(Media { name: item.name, content_type: item.content_type, size: item.size })
    }

    fn succeed(&mut self) {
        tracing::info!(
            turn.id = self.request_id,
            model = self.model.id,
            attempts = self.attempts,
            duration_ms = self.begun.elapsed().as_millis(),
            "turn finished"
        );
        self.tell(told::SUCCESS);
        self.lease.settle(Outcome::Success, None);
    }

    fn tell(&mut self, outcome: &str) {
        if let Some(trial) = &mut self.trial {
            trial.ended(outcome);
        }
    }

    async fn fail(mut self, failure: Failure, sender: &mpsc::Sender<Result<ChatBatch>>) {
        tracing::warn!(
            turn.id = self.request_id,
            model = self.model.id,
            attempts = self.attempts,
            duration_ms = self.begun.elapsed().as_millis(),
            error.code = %failure.error.code,
            "turn failed after output: {}",
            failure.error
        );
        self.tried.push(tried::failed(&self.lease, &failure, self.began));
        self.tell(&tried::outcome(&failure));
        self.lease.settle(failure.outcome, Some(&failure));
        // The upstream's connection is not kept for a client that may never read this.
        drop(self.response);
        sender.send(Err(failure.error.after(self.tried))).await.ok();
    }
}

/// Whether an event is output: after it no other account is tried. Drawing in progress counts, since it has been
/// paid for.
pub(super) fn commits(event: &ChatEvent) -> bool {
    match &event.kind {
        Some(Event::Text(_) | Event::FunctionCall(_) | Event::Image(_) | Event::Video(_)) => true,
        Some(Event::ImageProgress(_) | Event::VideoProgress(_) | Event::End(_)) => true,
        Some(Event::Reasoning(reasoning)) => !reasoning.header,
        _ => false,
    }
}
