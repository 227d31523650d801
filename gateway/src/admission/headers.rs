//! What a client sees of its limits: `x-ratelimit-…` in OpenAI's two families, requests and tokens; and the body that
//! holds its permit.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue},
    response::Response,
};
use grok2api_proto::keys::{AdmitResponse, Rate};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;

use super::Permit;

type Family = [HeaderName; 3];

const REQUESTS: Family = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: Family = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
/// What became of the admission, from the handler to the layer around it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<Passed>>);

#[derive(Default)]
struct Passed {
    requests: Option<Rate>,
    tokens: Option<Rate>,
    permit: Option<Permit>,
}

impl Gate {
    pub(super) fn passed(&self, answer: AdmitResponse, permit: Option<Permit>) {
        *self.0.lock() = Passed { requests: answer.requests, tokens: answer.tokens, permit };
    }

    /// The answer, with what it tells of limits; its body holds the permit until it has ended.
    pub(crate) fn around(self, mut response: Response) -> Response {
        let Passed { requests, tokens, permit } = std::mem::take(&mut *self.0.lock());
        for (family, rate) in [(REQUESTS, requests), (TOKENS, tokens)] {
            let Some(rate) = rate else { continue };
            let [limit, remaining, reset] = family;
            let headers = response.headers_mut();
            headers.insert(limit, rate.limit.into());
            headers.insert(remaining, rate.remaining.into());
            if let Ok(text) = HeaderValue::try_from(duration(rate.reset_ms)) {
                headers.insert(reset, text);
            }
        }
        match permit {
            None => response,
            // Whoever writes the body drops it as soon as it has ended, and the permit with it.
            Some(permit) => response.map(|body| {
                Body::new(body.map_err(move |error| {
                    let _held = &permit;
                    error
                }))
            }),
        }
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

/// As OpenAI writes it: `120ms`, `1s`, `6m0s`.
fn duration(millis: u64) -> String {
    match (millis, millis.div_ceil(1000)) {
        (1..1000, _) => format!("{millis}ms"),
        (_, seconds @ 0..60) => format!("{seconds}s"),
        (_, seconds) => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::duration;

    #[rstest]
    #[case(0, "0s")]
    #[case(17, "17ms")]
    #[case(999, "999ms")]
    #[case(1_001, "2s")]
    #[case(59_900, "1m0s")]
    #[case(60_100, "1m1s")]
    #[case(3_600_000, "60m0s")]
    fn durations_are_written_as_openai_does(#[case] millis: u64, #[case] text: &str) {
        assert_eq!(duration(millis), text);
    }
}
