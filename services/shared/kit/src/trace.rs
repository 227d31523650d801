//! W3C trace context (<https://www.w3.org/TR/trace-context/>): which trace the work at hand belongs to, and which request.
//!
//! A [`Context`] is taken from a request's headers or made, holds while the request is served, and goes along with the
//! calls between the roles and the tasks that the request begins. The upstream is never told of it. Log lines carry its
//! ids. It is the one carrier: where spans are recorded ([`crate::telemetry`]), a [`Step`] has one, whose ids become those
//! of its context; spans find their parents through the context, and are never entered. So whatever outlives a step, such as
//! a write behind, belongs to its trace without making it longer.

mod body;
mod step;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context as OtelContext, SpanId, TraceFlags, TraceId,
    context::{FutureExt as _, WithContext},
    trace::{SpanContext, TraceContextExt as _, TraceState},
};

pub use body::{Body, Watch};
pub use step::Step;

/// `00-TRACE-SPAN-FLAGS`.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What the tracing systems on the way keep for themselves.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The least that must be passed on, and the most that is.
const LONGEST_STATE: usize = 512;
/// The request, as its client and as the product name it; between roles only.
const REQUEST: HeaderName = HeaderName::from_static("x-g2a-request");
const TURN: HeaderName = HeaderName::from_static("x-g2a-turn");

/// Whether OpenTelemetry is told which context work has.
static TOLD: AtomicBool = AtomicBool::new(false);

tokio::task_local! {
    static CURRENT: Context;
}

/// A place in a trace. Shown as `traceparent`.
#[derive(Clone, Debug)]
pub struct Context {
    trace: u128,
    span: u64,
    flags: u8,
    state: Option<HeaderValue>,
    ids: Arc<Ids>,
}

/// Which request it is.
#[derive(Debug, Default)]
struct Ids {
    request: OnceLock<HeaderValue>,
    turn: OnceLock<HeaderValue>,
}

/// Places are the same when they are in the same trace.
impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        (self.trace, self.span, self.flags, &self.state)
            == (other.trace, other.span, other.flags, &other.state)
    }
}

/// Begins to tell OpenTelemetry which context work has, for what it records of it.
pub(crate) fn tell() {
    TOLD.store(true, Ordering::Relaxed);
}

fn told() -> bool {
    TOLD.load(Ordering::Relaxed)
}

impl Context {
    /// The beginning of a trace, which nobody asked to record.
    pub fn fresh() -> Self {
        Self {
            trace: rand::random::<u128>().max(1),
            span: rand::random::<u64>().max(1),
            flags: 0,
            state: None,
            ids: Arc::default(),
        }
    }

    /// What a caller says; nothing when it says it twice or not as the standard has it.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
        let context = Self::parse(parent.to_str().ok()?.trim())?;
        Some(Self { state: state(headers), ..context })
    }

    fn parse(text: &str) -> Option<Self> {
        let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let mut fields = text.split('-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let sized = (version.len(), trace.len(), span.len(), flags.len()) == (2, 32, 16, 2);
        // Later versions may have more fields.
        let whole = version != "ff" && (version != "00" || fields.next().is_none());
        if !sized || !whole || ![version, trace, span, flags].into_iter().all(hex) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        // Of the flags only "sampled" and "random" have a meaning.
        Some(Self { trace, span, flags: flags & 3, state: None, ids: Arc::default() })
    }

    /// A step of ours in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span: rand::random::<u64>().max(1), ..self.clone() }
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }

    /// The request's id as its client knows it.
    pub fn request_id(&self) -> Option<&str> {
        self.ids.request.get()?.to_str().ok()
    }

    /// The request's id as the product knows it.
    pub fn turn_id(&self) -> Option<&str> {
        self.ids.turn.get()?.to_str().ok()
    }

    /// Everything with this context serves that request, as its client knows it.
    #[must_use]
    pub fn of_request(self, id: &str) -> Self {
        set(&self.ids.request, id);
        self
    }

    /// The work at hand, and all that has its context, serves that request, as the product knows it.
    pub fn serves(turn: &str) {
        // Without a context there is nothing to be known by it.
        let _ = CURRENT.try_with(|context| set(&context.ids.turn, turn));
    }

    /// Tells another role which request it is.
    pub(crate) fn write_ids(&self, headers: &mut HeaderMap) {
        for (name, id) in [(REQUEST, &self.ids.request), (TURN, &self.ids.turn)] {
            if let Some(id) = id.get() {
                headers.insert(name, id.clone());
            }
        }
    }

    /// What another role tells.
    pub(crate) fn read_ids(self, headers: &HeaderMap) -> Self {
        for (name, id) in [(REQUEST, &self.ids.request), (TURN, &self.ids.turn)] {
            if let Some(told) = headers.get(name) {
                id.get_or_init(|| told.clone());
            }
        }
        self
    }

    /// As OpenTelemetry has it.
    fn otel(&self) -> OtelContext {
        let state = self.state.as_ref().and_then(|state| state.to_str().ok()?.parse::<TraceState>().ok());
        OtelContext::new().with_remote_span_context(SpanContext::new(
            TraceId::from(self.trace),
            SpanId::from(self.span),
            TraceFlags::new(self.flags),
            true,
            state.unwrap_or_default(),
        ))
    }

    /// Puts it into the headers of a call, or of an answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Ok(parent) = HeaderValue::try_from(self.to_string()) {
            headers.insert(TRACEPARENT, parent);
        }
        if let Some(state) = &self.state {
            headers.insert(TRACESTATE, state.clone());
        }
    }

    /// That of the work at hand.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// The work with this as its context.
    pub fn hold<F: Future>(self, work: F) -> Held<F> {
        let work = if told() { Either::Left(work.with_context(self.otel())) } else { Either::Right(work) };
        CURRENT.scope(self, work)
    }

    /// What is done at once, with this as its context.
    pub fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        let _attached = told().then(|| self.otel().attach());
        CURRENT.sync_scope(self.clone(), work)
    }
}

/// Work with a context.
pub type Held<F> = tokio::task::futures::TaskLocalFuture<Context, Either<WithContext<F>, F>>;

/// The work with the context that is held now, if one is: for what goes on in a task of its own.
pub fn carried<F: Future<Output = ()>>(work: F) -> impl Future<Output = ()> {
    match Context::current() {
        Some(context) => Either::Left(context.hold(work)),
        None => Either::Right(work),
    }
}

fn set(id: &OnceLock<HeaderValue>, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        id.get_or_init(|| value);
    }
}

/// All of a caller's `tracestate`, unless it is longer than is passed on.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let all: Vec<&[u8]> = headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes).collect();
    let all = all.join(&b","[..]);
    (1..=LONGEST_STATE).contains(&all.len()).then(|| HeaderValue::from_bytes(&all).ok())?
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::lifecycle::Tasks;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[rstest]
    #[case::usual(PARENT, true)]
    #[case::later("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", true)]
    #[case::more("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false)]
    #[case::forbidden("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false)]
    #[case::capitals("00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01", false)]
    #[case::no_trace("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false)]
    #[case::no_span("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false)]
    #[case::short("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false)]
    #[case::sign("00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false)]
    #[case::empty("", false)]
    #[case::nonsense("é", false)]
    fn what_a_caller_says_is_believed_as_the_standard_has_it(#[case] text: &str, #[case] good: bool) {
        let read = Context::read(&headers(&[("traceparent", text)]));
        assert_eq!(read.is_some(), good, "{read:?}");
        if let Some(context) = read {
            assert_eq!(context.to_string(), PARENT);
        }
    }

    #[test]
    fn a_step_stays_in_its_trace_and_keeps_the_state() {
        let given = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")];
        let child = Context::read(&headers(&given)).unwrap().child();
        let mut written = HeaderMap::new();
        child.write(&mut written);
        let parent = written["traceparent"].to_str().unwrap();
        assert!(parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && parent.ends_with("-01"));
        assert!(!parent.contains("00f067aa0ba902b7"));
        assert_eq!(written["tracestate"], "a=1,b=2");
        let twice = [("traceparent", PARENT), ("traceparent", PARENT)];
        assert_eq!(Context::read(&headers(&twice)), None);
        let long = "x".repeat(LONGEST_STATE + 1);
        let read = Context::read(&headers(&[("traceparent", PARENT), ("tracestate", &long)]));
        assert_eq!(read.unwrap().state, None);
    }

    #[tokio::test]
    async fn a_task_of_a_request_has_its_context() {
        let (context, tasks) = (Context::fresh(), Tasks::new());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let begin = async {
            tasks.spawn("of a request", async move { sender.send(Context::current()).unwrap() });
        };
        context.clone().hold(begin).await;
        assert_eq!(receiver.await.unwrap(), Some(context));
        assert_eq!(Context::current(), None);
    }

    #[tokio::test]
    async fn background_work_of_a_request_has_its_context_too() {
        let (context, tasks) = (Context::fresh(), Tasks::new());
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let begin = async {
            let one = sender.clone();
            tasks.spawn_background("of a request", async move { one.send(Context::current()).unwrap() });
            tasks.spawn_finishing(async move { sender.send(Context::current()).unwrap() });
        };
        context.clone().hold(begin).await;
        for _ in 0..2 {
            assert_eq!(receiver.recv().await.unwrap().as_ref(), Some(&context));
        }
    }

    #[tokio::test]
    async fn a_call_says_which_request_it_is_for_and_an_answer_does_not() {
        let context = Context::fresh().of_request("mine");
        context.clone().hold(async { Context::serves("turn_1") }).await;
        let (mut call, mut answer) = (HeaderMap::new(), HeaderMap::new());
        context.write(&mut answer);
        let child = context.child();
        child.write(&mut call);
        child.write_ids(&mut call);
        let there = Context::read(&call).unwrap().read_ids(&call);
        assert_eq!((there.request_id(), there.turn_id()), (Some("mine"), Some("turn_1")));
        assert_eq!(there.trace_id(), context.trace_id());
        assert!(!answer.keys().any(|name| name.as_str().starts_with("x-g2a")), "{answer:?}");
    }

    #[tokio::test]
    async fn a_step_of_which_no_span_is_recorded_still_has_a_place() {
        let parent = Context::fresh().of_request("mine");
        let step = Step::below(Some(&parent), tracing::info_span!("a step"));
        assert_eq!(step.context().trace_id(), parent.trace_id());
        assert_ne!(step.context().span_id(), parent.span_id());
        let seen = step.hold(async { Context::current() }).await.unwrap();
        assert_eq!(seen.request_id(), Some("mine"));
    }
}
