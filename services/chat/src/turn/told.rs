//! What operators are told of a turn and of its attempts: spans and numbers, once each, however they end.
//!
//! Names of attributes are those of the GenAI conventions (<https://opentelemetry.io/docs/specs/semconv/gen-ai/>).

use grok2api_kit::{
    metrics::{ATTEMPTS, Held, STREAMS_IN_FLIGHT, TURN_DURATION},
    trace::{Context, Step},
};
use grok2api_proto::chat::{ChatEvent, Usage, chat_event::Kind as Event};
use tokio::time::Instant;
use tracing::info_span;

/// A turn, from its beginning to the end of its stream.
pub(super) struct Told {
    step: Step,
    model: &'static str,
    begun: Instant,
    ended: bool,
    _in_flight: Held,
}

/// One account's try.
pub(super) struct Trial {
    step: Step,
    model: &'static str,
    ended: bool,
}

impl Told {
    pub(super) fn begin(model: &'static str, begun: Instant) -> Self {
        let span = info_span!(
            "chat",
            otel.name = format_args!("chat {model}"),
            otel.kind = "client",
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = "xai",
            gen_ai.request.model = model,
        );
        let in_flight = STREAMS_IN_FLIGHT.hold(["chat".into()]);
        Self { step: Step::begin(span), model, begun, ended: false, _in_flight: in_flight }
    }

    pub(super) fn context(&self) -> &Context {
        self.step.context()
    }

    /// Notes what a batch says of the whole.
    pub(super) fn events(&self, events: &[ChatEvent]) {
        for event in events.iter().filter_map(|event| event.kind.as_ref()) {
            match event {
                Event::Usage(usage) => self.used(usage),
                Event::End(end) => {
                    let reason = end.finish().as_str_name().trim_start_matches("FINISH_").to_lowercase();
                    // A list, as the conventions have it.
                    self.step.note_words("gen_ai.response.finish_reasons", [reason]);
                }
                _ => {}
            }
        }
    }

    fn used(&self, usage: &Usage) {
        let number = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        self.step.note("gen_ai.usage.input_tokens", number(usage.prompt_tokens));
        self.step.note("gen_ai.usage.output_tokens", number(usage.completion_tokens));
    }

    /// How it ended: well, or by that error's code.
    pub(super) fn ended(&mut self, error: Option<&str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(error) = error {
            self.step.failed(error);
        }
        let error = error.unwrap_or_default().to_owned();
        TURN_DURATION.record(self.begun.elapsed().as_secs_f64(), [self.model.into(), error.into()]);
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.ended(Some("client_cancelled"));
    }
}

impl Trial {
    pub(super) fn begin(model: &'static str, number: u32) -> Self {
        let span = info_span!("attempt", otel.name = format_args!("attempt {number}"), attempt = number);
        Self { step: Step::begin(span), model, ended: false }
    }

    pub(super) fn context(&self) -> &Context {
        self.step.context()
    }

    /// Which account is asked.
    pub(super) fn asks(&self, account: &str) {
        self.step.note("account.id", account.to_owned());
    }

    pub(super) fn ended(&mut self, outcome: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if outcome != SUCCESS {
            self.step.failed(outcome);
        }
        ATTEMPTS.add(1, [self.model.into(), outcome.to_owned().into()]);
    }
}

/// The outcome of an attempt that ended well.
pub(super) const SUCCESS: &str = "success";

impl Drop for Trial {
    fn drop(&mut self) {
        self.ended("client_cancelled");
    }
}
