//! A piece of the work, with its span.

use opentelemetry::{
    Array, StringValue, Value,
    trace::{Status, TraceContextExt as _},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::Context;

/// A step of ours in a trace. Its span, where spans are recorded, ends when it is dropped.
#[derive(Debug)]
pub struct Step {
    span: Span,
    context: Context,
}

impl Step {
    /// A step below another place; without one it begins a trace.
    pub fn below(parent: Option<&Context>, span: Span) -> Self {
        let recorded = (!span.is_disabled()).then(|| recorded(parent, &span)).flatten();
        let context = recorded.unwrap_or_else(|| parent.map_or_else(Context::fresh, Context::child));
        Self { span, context }
    }

    /// A step of the work at hand.
    pub fn begin(span: Span) -> Self {
        Self::below(Context::current().as_ref(), span)
    }

    /// A step of which no span is recorded.
    pub fn silent(parent: Option<&Context>) -> Self {
        Self::below(parent, Span::none())
    }

    /// Its place in the trace: what it does is done with it.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Notes what became known.
    pub fn note(&self, name: &'static str, value: impl Into<Value>) {
        if !self.span.is_disabled() {
            self.span.set_attribute(name, value);
        }
    }

    /// Notes a list of words.
    pub fn note_words(&self, name: &'static str, words: impl IntoIterator<Item = String>) {
        let words = words.into_iter().map(StringValue::from).collect();
        self.note(name, Value::Array(Array::String(words)));
    }

    /// It failed: how, in one word.
    pub fn failed(&self, kind: &str) {
        if !self.span.is_disabled() {
            self.span.set_attribute("error.type", kind.to_owned());
            self.span.set_status(Status::error(kind.to_owned()));
        }
    }

    /// Does it.
    pub async fn hold<T>(self, work: impl Future<Output = T>) -> T {
        self.context.clone().hold(work).await
    }
}

/// The place of a span; nothing when nobody records spans.
fn recorded(parent: Option<&Context>, span: &Span) -> Option<Context> {
    if let Some(parent) = parent {
        // It fails where nobody records spans, which is seen below.
        let _ = span.set_parent(parent.otel());
    }
    let context = span.context();
    let place = context.span().span_context().clone();
    place.is_valid().then(|| Context {
        trace: u128::from_be_bytes(place.trace_id().to_bytes()),
        span: u64::from_be_bytes(place.span_id().to_bytes()),
        flags: place.trace_flags().to_u8(),
        state: parent.and_then(|parent| parent.state.clone()),
        ids: parent.map(|parent| parent.ids.clone()).unwrap_or_default(),
    })
}
