//! The trace of a request: the client's own, else a new one; also told in the answer. Its step and its time end with the
//! last byte of the answer.

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::Response,
};
use grok2api_kit::{
    metrics::{HTTP_ACTIVE, HTTP_DURATION, Held},
    trace::{Body as Watched, Context, Step, Watch},
};
use tokio::time::Instant;
use tracing::info_span;

use super::request_id;

/// Probes ask all the time, and are nobody's request.
const UNTOLD: &str = "/health";
/// A path that no route knows; what clients make up is no label.
const UNKNOWN: &str = "unmatched";

/// A request, until its answer has ended.
struct Exchange {
    step: Step,
    method: &'static str,
    route: String,
    begun: Instant,
    /// Nothing while there is no answer.
    status: Option<StatusCode>,
    whole: bool,
    _active: Held,
}

pub(super) async fn hold(request: Request, next: Next) -> Response {
    let parent = Context::read(request.headers());
    let route = request.extensions().get::<MatchedPath>().map_or(UNKNOWN, MatchedPath::as_str).to_owned();
    let id = request_id(request.headers());
    if route == UNTOLD {
        let context = Step::silent(parent.as_ref()).context().clone().of_request(id);
        let mut response = context.clone().hold(next.run(request)).await;
        context.write(response.headers_mut());
        return response;
    }
    let method = known(request.method());
    let span = info_span!(
        "http",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        url.path = request.uri().path(),
        request.id = id,
    );
    let step = Step::below(parent.as_ref(), span);
    let context = step.context().clone().of_request(id);
    let mut exchange = Exchange {
        step,
        method,
        route,
        begun: Instant::now(),
        status: None,
        whole: false,
        _active: HTTP_ACTIVE.hold([]),
    };
    let mut response = context.clone().hold(next.run(request)).await;
    context.write(response.headers_mut());
    exchange.status = Some(response.status());
    response.map(|body| Body::new(Watched::new(body, context, exchange)))
}

/// Clients can make up methods too.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

impl Watch for Exchange {
    fn ended(&mut self, _: Option<&HeaderMap>) {
        self.whole = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // As other servers note a client that left before there was an answer.
        let status = self.status.map_or(499, |status| status.as_u16());
        self.step.note("http.response.status_code", i64::from(status));
        if status >= 500 {
            self.step.failed(&status.to_string());
        }
        self.step.note("grok2api.answer.whole", self.whole);
        let route = std::mem::take(&mut self.route);
        HTTP_DURATION.record(
            self.begun.elapsed().as_secs_f64(),
            [self.method.into(), route.into(), i64::from(status).into()],
        );
    }
}
