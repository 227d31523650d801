//! The one error that crosses service borders.
//!
//! Mapped here, once, to gRPC and back; mapped once per client protocol to HTTP in the gateway.

use std::{borrow::Cow, collections::HashMap, fmt, time::Duration};

use prost::Message as _;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::{ErrorDetails, StatusExt, pb::Status as Details};

use crate::chat::{Attempt, Attempts};

/// Result of every service call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

const DOMAIN: &str = "grok2api";
const ATTEMPTS: &str = "type.googleapis.com/grok2api.chat.v1.Attempts";

/// What went wrong, in terms a client can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Who has to do what about it.
    pub kind: Kind,
    /// Stable, machine-readable: `model_not_found`, `pool_exhausted` …
    pub code: Cow<'static, str>,
    /// For a person; no source chain, no secrets.
    pub message: String,
    /// The parameter at fault: `messages[0].content`.
    pub param: Option<String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// The accounts that a turn tried, for the ledger; never told to a client.
    pub attempts: Option<Box<Attempts>>,
}

macro_rules! kinds {
    ($( $(#[$doc:meta])* $Kind:ident = $name:literal, $code:ident; )*) => {
        /// The closed set of failures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $( $(#[$doc])* $Kind, )* }

        impl Kind {
            /// Every kind, for total tests of the mappings.
            pub const ALL: &'static [Kind] = &[$( Kind::$Kind, )*];

            /// Stable name, as it travels in gRPC error details.
            pub fn name(self) -> &'static str {
                match self { $( Kind::$Kind => $name, )* }
            }

            fn grpc(self) -> Code {
                match self { $( Kind::$Kind => Code::$code, )* }
            }
        }
    };
}

kinds! {
    /// The request is wrong; the same request will fail again.
    InvalidRequest = "invalid_request", InvalidArgument;
    /// No or a wrong credential of the *client*.
    Unauthenticated = "unauthenticated", Unauthenticated;
    /// The client may not do this, or the upstream refuses the content.
    PermissionDenied = "permission_denied", PermissionDenied;
    /// No such thing.
    NotFound = "not_found", NotFound;
    /// Somebody else changed it first.
    Conflict = "conflict", Aborted;
    /// Over a size limit.
    TooLarge = "too_large", OutOfRange;
    /// A media type that is not taken.
    UnsupportedMedia = "unsupported_media", InvalidArgument;
    /// The client sends its request too slowly.
    TooSlow = "too_slow", DeadlineExceeded;
    /// A limit of the client, or every account's quota, is used up for now.
    RateLimited = "rate_limited", ResourceExhausted;
    /// A part of the product, or a usable account, is missing for now.
    Unavailable = "unavailable", Unavailable;
    /// The upstream failed or answered nonsense.
    Upstream = "upstream", Unknown;
    /// Not in time.
    Timeout = "timeout", DeadlineExceeded;
    /// The caller left.
    Cancelled = "cancelled", Cancelled;
    /// A defect of ours.
    Internal = "internal", Internal;
}

impl Error {
    /// An error of a kind with its stable code and message.
    pub fn new(kind: Kind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { kind, code, message, param: None, retry_after: None, attempts: None }
    }

    /// A wrong parameter: `invalid_value` at `param`.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest, "invalid_value", message).at(param)
    }

    /// A defect of ours; `message` must not carry details of the inside.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, "internal_error", message)
    }

    /// A part of the product cannot be reached, or was lost in the middle of a call.
    pub fn peer_unavailable() -> Self {
        Self::new(Kind::Unavailable, "peer_unavailable", "an internal service is unreachable")
            .retry_after(Duration::from_secs(1))
    }

    /// A part of the product did not answer in time.
    pub fn peer_timeout() -> Self {
        Self::new(Kind::Timeout, "peer_timeout", "an internal call took too long")
    }

    /// Names the parameter at fault.
    #[must_use]
    pub fn at(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Says which accounts were tried.
    #[must_use]
    pub fn after(mut self, attempts: Vec<Attempt>) -> Self {
        self.attempts = (!attempts.is_empty()).then(|| Box::new(Attempts { items: attempts }));
        self
    }

    /// The accounts that a turn tried, for the ledger; never told to a client.
    pub fn attempts(&self) -> &[Attempt] {
        self.attempts.as_ref().map(|attempts| attempts.items.as_slice()).unwrap_or_default()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.param {
            Some(param) => write!(f, "{}: {} ({param})", self.code, self.message),
            None => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut metadata = HashMap::from([("kind".to_owned(), error.kind.name().to_owned())]);
        if let Some(param) = error.param {
            metadata.insert("param".to_owned(), param);
        }
        let mut details = ErrorDetails::with_error_info(error.code, DOMAIN, metadata);
        if let Some(wait) = error.retry_after {
            details.set_retry_info(Some(wait));
        }
        let status = Status::with_error_details(error.kind.grpc(), error.message, details);
        match error.attempts {
            Some(attempts) => with_attempts(&status, &attempts),
            None => status,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let Some(info) = details.error_info().filter(|info| info.domain == DOMAIN) else {
            return from_foreign(&status);
        };
        let name = info.metadata.get("kind");
        let kind = Kind::ALL.iter().copied().find(|kind| Some(kind.name()) == name.map(String::as_str));
        Self {
            kind: kind.unwrap_or(Kind::Internal),
            code: info.reason.clone().into(),
            message: status.message().to_owned(),
            param: info.metadata.get("param").cloned(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            attempts: attempts(&status),
        }
    }
}

/// The status with one detail more.
fn with_attempts(status: &Status, attempts: &Attempts) -> Status {
    let mut details = Details::decode(status.details()).unwrap_or_default();
    let value = attempts.encode_to_vec();
    details.details.push(prost_types::Any { type_url: ATTEMPTS.to_owned(), value });
    Status::with_details(status.code(), status.message(), details.encode_to_vec().into())
}

fn attempts(status: &Status) -> Option<Box<Attempts>> {
    let details = Details::decode(status.details()).unwrap_or_default().details;
    let found = details.iter().find(|detail| detail.type_url == ATTEMPTS)?;
    Attempts::decode(&found.value[..]).ok().map(Box::new)
}

/// A status that no service of ours made: the connection, or tonic itself.
fn from_foreign(status: &Status) -> Error {
    match status.code() {
        Code::DeadlineExceeded => Error::peer_timeout(),
        // tonic's own word for a deadline that has passed, on either side.
        Code::Cancelled if status.message() == TimeoutExpired(()).to_string() => Error::peer_timeout(),
        // We are still waiting, so it was the peer that gave the call up.
        Code::Unavailable | Code::Cancelled => Error::peer_unavailable(),
        // A status with a source was made on this side: the connection broke, whatever code tonic found for that.
        _ if std::error::Error::source(status).is_some() => Error::peer_unavailable(),
        Code::Unauthenticated => Error::new(Kind::Internal, "internal_secret_mismatch", status.message()),
        Code::OutOfRange => Error::new(Kind::TooLarge, "message_too_large", "the request is too large"),
        _ => Error::internal(format!("an internal call failed: {}", status.message())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_wire() {
        for &kind in Kind::ALL {
            let error = Error::new(kind, "some_code", "text")
                .at("messages[0]")
                .retry_after(Duration::from_millis(1500))
                .after(vec![Attempt { account_id: "a".into(), units: 4, ..Attempt::default() }]);
            assert_eq!(Error::from(Status::from(error.clone())), error);
        }
    }

    #[test]
    fn an_error_without_options_survives_the_wire() {
        let error = Error::internal("text");
        assert_eq!(Error::from(Status::from(error.clone())), error);
    }

    #[test]
    fn an_unreachable_service_says_when_to_try_again() {
        let error = Error::from(Status::unavailable("tcp connect error"));
        assert_eq!(error.kind, Kind::Unavailable);
        assert!(error.retry_after.is_some());
        assert!(!error.message.contains("tcp"));
    }

    #[test]
    fn what_breaks_on_the_way_is_a_matter_of_trying_again() {
        let broken = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        for (status, kind, code) in [
            (Status::from_error(Box::new(broken())), Kind::Unavailable, "peer_unavailable"),
            (Status::cancelled("operation was canceled"), Kind::Unavailable, "peer_unavailable"),
            (Status::from_error(Box::new(TimeoutExpired(()))), Kind::Timeout, "peer_timeout"),
            (Status::cancelled("Timeout expired"), Kind::Timeout, "peer_timeout"),
            (Status::deadline_exceeded("late"), Kind::Timeout, "peer_timeout"),
            (Status::unknown("a server of others failed"), Kind::Internal, "internal_error"),
            (Status::unimplemented("no such method"), Kind::Internal, "internal_error"),
        ] {
            let text = format!("{status:?}");
            let error = Error::from(status);
            assert_eq!((error.kind, error.code.as_ref()), (kind, code), "{text}");
        }
    }
}
