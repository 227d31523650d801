//! One account's try: upload, open the stream, read to the commit point.

use grok2api_kit::egress::send;
use grok2api_proto::chat;
use http::Method;
use tokio::time::{Instant, timeout_at};

use super::{
    Turn,
    limits::Limits,
    live::{Live, Upstream},
    told::Trial,
    tried,
};
use crate::{
    grok::{
        self,
        decoder::{Decoder, Options},
        failure::Failure,
        payload::{self, Payload},
        upload,
    },
    lease::Lease,
    models::Product,
};

/// What one try works with.
pub(super) struct Attempt<'a> {
    pub turn: &'a Turn,
    /// Counts from one.
    pub number: u32,
    pub began: Instant,
    /// The ones before.
    pub tried: &'a [chat::Attempt],
    pub trial: Trial,
}

impl Attempt<'_> {
    /// The committed stream, or the lease back with what went wrong.
    pub(super) async fn open(mut self, mut lease: Lease) -> Result<Live, (Lease, Failure)> {
        self.trial.asks(lease.account());
        let opened = match self.respond(&mut lease).await {
            Ok((response, limits)) => Live::begin(&self, lease, limits, response).commit().await,
            Err(failure) => Err((lease, failure)),
        };
        match opened {
            Ok(live) => Ok(live.tried_by(self.trial)),
            Err((lease, failure)) => {
                let failure = self.guarded(failure);
                self.trial.ended(&tried::outcome(&failure));
                Err((lease, failure))
            }
        }
    }

    /// A video that may have been begun is never begun again.
    fn guarded(&self, failure: Failure) -> Failure {
        if self.turn.model.kind == Product::Video { failure.unless_begun() } else { failure }
    }

    /// Sends the turn; gives the response once its headers say 200.
    async fn respond(&self, lease: &mut Lease) -> Result<(Upstream, Limits), Failure> {
        let egress = self.turn.egress.current().map_err(Failure::own)?;
        let config = &self.turn.config.config;
        let upload = upload::upload(&self.turn.files, &egress, lease.token());
        let attachments = timeout_at(self.turn.deadline, upload)
            .await
            .unwrap_or_else(|_| Err(Limits::new(config, self.turn.deadline).exceeded()))?;
        let body = payload::Turn {
            model: self.turn.model,
            message: &self.turn.prompt,
            attachments: &attachments,
            temporary: self.turn.request.temporary.unwrap_or(config.temporary),
            disable_memory: config.disable_memory,
            images: self.turn.request.drawing.as_ref().map(|drawing| drawing.count),
        };
        let request = egress
            .api(Method::POST, payload::PATH, "/", lease.token())
            .map_err(Failure::own)?
            .json(&Payload::from(&body));
        // Only now is the upstream asked for an answer.
        let limits = Limits::new(config, self.turn.deadline);
        let (until, limit) = limits.next();
        let sent = timeout_at(until, send("chat", request)).await.map_err(|_| limits.passed(limit))?;
        let (response, step) = sent.map_err(|error| grok::transport(&error))?;
        if response.status() != http::StatusCode::OK {
            return Err(grok::refusal(response).await);
        }
        lease.charged = true;
        Ok((Upstream { response, _step: step }, limits))
    }

    pub(super) fn decoder(&self) -> Decoder {
        let tags =
            self.turn.config.config.filtered_tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        Decoder::new(&Options {
            filtered_tags: tags.map(str::to_owned).collect(),
            video: self.turn.model.kind == Product::Video,
            prompt_chars: self.turn.prompt.chars().count() as u64,
            stop: self.turn.request.stop.clone(),
            max_tokens: self.turn.request.max_tokens,
            drawing: self.turn.request.drawing.is_some(),
            previews: self.turn.request.drawing.as_ref().is_some_and(|drawing| drawing.previews),
        })
    }
}
