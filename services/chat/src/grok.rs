//! The driver for Grok's web chat over REST: what is sent, and how the stream that comes back is read.
//!
//! *bytes → objects ([`frames`]) → lines ([`line`]) → events ([`decoder`])*; nothing after the decoder knows Grok.

pub mod decoder;
pub mod failure;
pub mod frames;
pub(crate) mod line;
pub(crate) mod media;
pub mod payload;
pub mod prompt;
pub(crate) mod search;
pub(crate) mod sieve;
pub(crate) mod unescape;
pub(crate) mod upload;

use std::time::Duration;

use failure::Failure;
use grok2api_kit::{clock::Clock, retry_after::retry_after};
use http::header;

/// Most of an error body that is looked at.
const MAX_ERROR_BODY: usize = 16 * 1024;
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

/// What a response that is no success says.
pub(crate) async fn refusal(mut response: reqwest::Response) -> Failure {
    let status = response.status().as_u16();
    let text = |name| response.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let retry_after = retry_after(response.headers(), Clock::system().now_ms());
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ERROR_BODY {
                break;
            }
        }
    };
    // A body that never ends tells no more than one that is cut.
    tokio::time::timeout(ERROR_BODY_TIME, read).await.unwrap_or_default();
    Failure::from_response(status, &content_type, &String::from_utf8_lossy(&body), retry_after)
}

/// A failure of the connection itself; `source` chains and addresses stay inside.
pub(crate) fn transport(error: &reqwest::Error) -> Failure {
    tracing::debug!(?error, "upstream connection");
    if error.is_connect() {
        return Failure {
            charged: false,
            ..Failure::transport(failure::UNREACHABLE, "the upstream cannot be reached")
        };
    }
    Failure::transport("upstream_connection_lost", "the connection to the upstream was lost")
}
