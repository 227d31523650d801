//! Requests to the upstream, timed and in their trace. The upstream is told nothing of it.

use reqwest::{RequestBuilder, Response};
use tokio::time::Instant;
use tracing::info_span;

use crate::{metrics::UPSTREAM_DURATION, trace::Step};

/// A request under way. Given up before its end, it tells so.
struct Underway {
    operation: &'static str,
    begun: Instant,
    told: bool,
}

/// Sends a request; with the answer's head comes the step, to be kept as long as the body is read.
///
/// # Errors
/// As [`RequestBuilder::send`].
pub async fn send(operation: &'static str, request: RequestBuilder) -> reqwest::Result<(Response, Step)> {
    let mut underway = Underway { operation, begun: Instant::now(), told: false };
    let (client, request) = request.build_split();
    let request = request?;
    // Paths can name users of the upstream; the host is enough.
    let span = info_span!(
        "upstream",
        otel.name = operation,
        otel.kind = "client",
        http.request.method = request.method().as_str(),
        server.address = request.url().host_str(),
        server.port = request.url().port_or_known_default(),
    );
    let step = Step::begin(span);
    match client.execute(request).await {
        Ok(response) => {
            let status = response.status();
            step.note("http.response.status_code", i64::from(status.as_u16()));
            if status.is_client_error() || status.is_server_error() {
                step.failed(status.as_str());
            }
            underway.tell(status.as_str());
            Ok((response, step))
        }
        Err(error) => {
            let kind = match () {
                () if error.is_timeout() => "timeout",
                () if error.is_connect() => "connect",
                () => "broken",
            };
            step.failed(kind);
            underway.tell(kind);
            Err(error)
        }
    }
}

impl Underway {
    fn tell(&mut self, status: &str) {
        self.told = true;
        let seconds = self.begun.elapsed().as_secs_f64();
        UPSTREAM_DURATION.record(seconds, [self.operation.into(), status.to_owned().into()]);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.told {
            self.tell("given_up");
        }
    }
}
