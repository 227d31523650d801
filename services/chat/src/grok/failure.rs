//! Whose fault a failure is, told from status, body and in-band errors (`grok-web-protocol.md` sections 3.11, 5).
//!
//! [`RULES`] is the policy: one row a case, first match wins. The pool decides what each outcome does to the
//! account; here it is only named.

use std::time::Duration;

use grok2api_kit::redact::redact;
use grok2api_proto::{Error, Kind, pool::Outcome};
use serde::de::IgnoredAny;
use serde_json::Value;

/// A failed attempt.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the client sees when no other attempt succeeds.
    pub error: Error,
    /// What the pool is told.
    pub outcome: Outcome,
    /// Whether another account may do better.
    pub retry: bool,
    /// Whether the upstream had accepted the turn, so that it counts against the quota.
    pub charged: bool,
    /// The upstream's own wish, in milliseconds.
    pub retry_after_ms: Option<u32>,
}

/// Where a failure showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// HTTP status; 0 stands for any.
    Status(u16),
    /// 500 and above.
    ServerError,
    /// An error object inside a 200 stream with this gRPC code; 0 stands for any.
    Stream(i64),
}

/// What the body must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Any,
    /// JSON or plain text holding one of these, lower-cased.
    Says(&'static [&'static str]),
    /// The same, and JSON: proxies answer in plain words too.
    JsonSays(&'static [&'static str]),
    /// HTML or nothing: the edge network, not the application.
    Edge,
}

struct Rule {
    place: Place,
    body: Body,
    outcome: Outcome,
    retry: bool,
    kind: Kind,
    code: &'static str,
    message: &'static str,
}

const DEAD: &[&str] = &[
    "unauthorized",
    "unauthenticated",
    "not logged in",
    "bad-credentials",
    "invalid-credentials",
    "failed to look up session id",
    "session not found",
    "token expired",
    "token revoked",
];
const BANNED: &[&str] = &["blocked-user", "user is blocked", "account suspended", "email-domain-rejected"];
const MODERATED: &[&str] = &["content-moderated", "usage guidelines", "safety_check_type"];
const ANTI_BOT: &[&str] = &["anti-bot"];
const LIMITED: &[&str] = &["rate limit", "rate_limit", "too many requests", "usage limit", "rate limited"];

/// No connection was made at all.
pub(crate) const UNREACHABLE: &str = "upstream_unreachable";

const EDGE_HINT: &str =
    "the upstream's edge refused this deployment; check cf_clearance, user_agent, x_statsig_id and proxy_url";

const fn rule(
    place: Place,
    body: Body,
    outcome: Outcome,
    retry: bool,
    kind: Kind,
    code: &'static str,
    message: &'static str,
) -> Rule {
    Rule { place, body, outcome, retry, kind, code, message }
}

#[rustfmt::skip]
const RULES: &[Rule] = &[
    //   where                 body               to the pool                retry  to the client
    rule(Place::Status(401),   Body::Edge,        Outcome::EgressRefused,    true,  Kind::Upstream,         "anti_bot_rejected",         EDGE_HINT),
    rule(Place::Status(401),   Body::JsonSays(DEAD), Outcome::Unauthenticated,  true,  Kind::Upstream,         "upstream_unauthorized",     "the upstream does not know the account any more"),
    rule(Place::Status(401),   Body::Any,         Outcome::Unknown,          true,  Kind::Upstream,         "upstream_unauthorized",     "the upstream refused the account"),
    rule(Place::Status(403),   Body::Edge,        Outcome::EgressRefused,    true,  Kind::Upstream,         "anti_bot_rejected",         EDGE_HINT),
    rule(Place::Status(403),   Body::Says(BANNED),    Outcome::Banned,       true,  Kind::Upstream,         "upstream_account_blocked",  "the upstream has blocked the account"),
    rule(Place::Status(403),   Body::Says(ANTI_BOT),  Outcome::EgressRefused, true, Kind::Upstream,         "anti_bot_rejected",         EDGE_HINT),
    rule(Place::Status(403),   Body::Says(MODERATED), Outcome::RequestRefused, false, Kind::PermissionDenied, "content_moderated",       "the upstream refuses this content"),
    rule(Place::Status(403),   Body::Any,         Outcome::Unknown,          true,  Kind::Upstream,         "upstream_forbidden",        "the upstream refused the request"),
    rule(Place::Status(429),   Body::Any,         Outcome::RateLimited,      true,  Kind::RateLimited,      "upstream_rate_limited",     "the upstream's rate limit is reached"),
    rule(Place::Status(400),   Body::Any,         Outcome::RequestRefused,   false, Kind::InvalidRequest,   "upstream_invalid_request",  "the upstream does not take this request"),
    rule(Place::Status(422),   Body::Any,         Outcome::RequestRefused,   false, Kind::InvalidRequest,   "upstream_invalid_request",  "the upstream does not take this request"),
    rule(Place::Status(413),   Body::Any,         Outcome::RequestRefused,   false, Kind::TooLarge,         "upstream_too_large",        "the request is too large for the upstream"),
    rule(Place::Status(404),   Body::Any,         Outcome::RequestRefused,   false, Kind::Upstream,         "upstream_not_found",        "the upstream does not know the model or address"),
    rule(Place::ServerError,   Body::Any,         Outcome::UpstreamFailed,   true,  Kind::Upstream,         "upstream_error",            "the upstream failed"),
    rule(Place::Status(0),     Body::Any,         Outcome::Unknown,          true,  Kind::Upstream,         "upstream_error",            "the upstream answered in an unexpected way"),
    rule(Place::Stream(0),     Body::Says(BANNED),    Outcome::Banned,       true,  Kind::Upstream,         "upstream_account_blocked",  "the upstream has blocked the account"),
    rule(Place::Stream(0),     Body::Says(MODERATED), Outcome::RequestRefused, false, Kind::PermissionDenied, "content_moderated",       "the upstream refuses this content"),
    rule(Place::Stream(0),     Body::Says(LIMITED),   Outcome::RateLimited,  true,  Kind::RateLimited,      "upstream_rate_limited",     "the upstream's rate limit is reached"),
    rule(Place::Stream(8),     Body::Any,         Outcome::RateLimited,      true,  Kind::RateLimited,      "upstream_rate_limited",     "the upstream's rate limit is reached"),
    rule(Place::Stream(7),     Body::Any,         Outcome::EgressRefused,    true,  Kind::Upstream,         "anti_bot_rejected",         EDGE_HINT),
    rule(Place::Stream(0),     Body::Any,         Outcome::UpstreamFailed,   true,  Kind::Upstream,         "upstream_error",            "the upstream reported an error"),
];

impl Failure {
    /// A refused request: status, content type and body as received (the body may be cut).
    pub fn from_response(status: u16, content_type: &str, body: &str, retry_after: Option<Duration>) -> Self {
        let edge = is_edge(content_type, body);
        let place = |rule: &Rule| match rule.place {
            Place::Status(expected) => expected == 0 || expected == status,
            Place::ServerError => status >= 500,
            Place::Stream(_) => false,
        };
        let text = if edge { String::new() } else { message_in(body) };
        let mut failure = Self::by_rule(place, &body.to_lowercase(), edge, &text);
        failure.retry_after_ms = retry_after.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        if failure.error.kind == Kind::RateLimited {
            failure.error.retry_after = retry_after;
        }
        failure.error.message = format!("{} (status {status})", failure.error.message);
        failure
    }

    /// An error object inside a 200 stream.
    pub fn from_stream(value: &Value) -> Self {
        let (text, code) = match value {
            Value::String(text) => (text.clone(), 0),
            other => {
                let inner = other.get("error").unwrap_or(other);
                let text = inner.get("message").and_then(Value::as_str).or_else(|| inner.as_str());
                (text.unwrap_or_default().to_owned(), inner.get("code").and_then(Value::as_i64).unwrap_or(0))
            }
        };
        let place =
            |rule: &Rule| matches!(rule.place, Place::Stream(expected) if expected == 0 || expected == code);
        let failure = Self::by_rule(place, &value.to_string().to_lowercase(), false, &text);
        // The turn had been taken; only a limit or a closed door says that it was not worked on.
        let charged = matches!(failure.outcome, Outcome::UpstreamFailed | Outcome::RequestRefused);
        Self { charged, ..failure }
    }

    fn by_rule(place: impl Fn(&Rule) -> bool, body: &str, edge: bool, text: &str) -> Self {
        let matches = |rule: &&Rule| {
            place(rule)
                && match rule.body {
                    Body::Any => true,
                    Body::Edge => edge,
                    Body::Says(words) => !edge && words.iter().any(|word| body.contains(word)),
                    Body::JsonSays(words) => {
                        serde_json::from_str::<IgnoredAny>(body).is_ok()
                            && words.iter().any(|word| body.contains(word))
                    }
                }
        };
        let Some(rule) = RULES.iter().find(matches) else {
            return Self::upstream("upstream_error", "the upstream answered in an unexpected way");
        };
        let shown = redact(text);
        let message =
            if shown.is_empty() { rule.message.to_owned() } else { format!("{}: {shown}", rule.message) };
        Self {
            error: Error::new(rule.kind, rule.code, message),
            outcome: rule.outcome,
            retry: rule.retry,
            charged: false,
            retry_after_ms: None,
        }
    }

    /// The upstream answered 200, and then not as it should.
    pub fn upstream(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            error: Error::new(Kind::Upstream, code, message),
            outcome: Outcome::UpstreamFailed,
            retry: true,
            charged: true,
            retry_after_ms: None,
        }
    }

    /// The connection failed or was cut.
    pub fn transport(code: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::TransportFailed, ..Self::upstream(code, message) }
    }

    /// One of the three stream timeouts.
    pub fn timeout(code: &'static str, message: impl Into<String>) -> Self {
        let mut failure = Self::transport(code, message);
        failure.error.kind = Kind::Timeout;
        failure
    }

    /// The content was held back by the upstream.
    pub fn moderated(message: impl Into<String>) -> Self {
        Self {
            error: Error::new(Kind::PermissionDenied, "content_moderated", message),
            outcome: Outcome::RequestRefused,
            retry: false,
            charged: true,
            retry_after_ms: None,
        }
    }

    /// A fault on our side of the turn; no account is to blame and none would do better.
    pub fn own(error: Error) -> Self {
        Self { error, outcome: Outcome::Unknown, retry: false, charged: false, retry_after_ms: None }
    }

    /// The same failure of work that must not be done twice: tried again only when the upstream said no, or never
    /// heard of it.
    #[must_use]
    pub fn unless_begun(mut self) -> Self {
        let refused = !matches!(self.outcome, Outcome::UpstreamFailed | Outcome::TransportFailed);
        self.retry &= refused || self.error.code == UNREACHABLE;
        self
    }
}

/// HTML or nothing is the edge network's; the application answers JSON (or plain text).
fn is_edge(content_type: &str, body: &str) -> bool {
    let body = body.trim_start();
    body.is_empty() || body.starts_with('<') || content_type.contains("text/html")
}

/// The message in any of the shapes the upstream uses; empty when there is none.
fn message_in(body: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return body.chars().take(200).collect() };
    let error = value.get("error").unwrap_or(&value);
    let text = error
        .get("message")
        .or_else(|| value.get("message"))
        .and_then(Value::as_str)
        .or_else(|| error.as_str());
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(
        401,
        "application/json",
        r#"{"code":16,"message":"unauthenticated: bad-credentials"}"#,
        Outcome::Unauthenticated,
        true,
        "upstream_unauthorized"
    )]
    #[case(401, "text/html", "<html>", Outcome::EgressRefused, true, "anti_bot_rejected")]
    #[case(401, "text/plain", "Unauthorized", Outcome::Unknown, true, "upstream_unauthorized")]
    #[case(
        401,
        "application/json",
        r#"{"message":"who knows"}"#,
        Outcome::Unknown,
        true,
        "upstream_unauthorized"
    )]
    #[case(
        403,
        "application/json",
        r#"{"code":7,"message":"User is blocked [WKE=unauthorized:blocked-user]"}"#,
        Outcome::Banned,
        true,
        "upstream_account_blocked"
    )]
    #[case(
        403,
        "application/json",
        r#"{"code":"unauthorized:blocked-user","error":"User is blocked"}"#,
        Outcome::Banned,
        true,
        "upstream_account_blocked"
    )]
    #[case(
        403,
        "application/json",
        r#"{"error":{"code":7,"message":"Request rejected by anti-bot rules."}}"#,
        Outcome::EgressRefused,
        true,
        "anti_bot_rejected"
    )]
    #[case(
        403,
        "text/html; charset=utf-8",
        "<!doctype html><title>Just a moment...",
        Outcome::EgressRefused,
        true,
        "anti_bot_rejected"
    )]
    #[case(403, "", "", Outcome::EgressRefused, true, "anti_bot_rejected")]
    #[case(
        403,
        "application/json",
        r#"{"error":{"code":"content-moderated","message":"rejected"}}"#,
        Outcome::RequestRefused,
        false,
        "content_moderated"
    )]
    #[case(
        403,
        "text/plain",
        "Content violates usage guidelines",
        Outcome::RequestRefused,
        false,
        "content_moderated"
    )]
    #[case(
        403,
        "application/json",
        r#"{"message":"temporary rejection"}"#,
        Outcome::Unknown,
        true,
        "upstream_forbidden"
    )]
    #[case(
        429,
        "application/json",
        r#"{"message":"Too many requests"}"#,
        Outcome::RateLimited,
        true,
        "upstream_rate_limited"
    )]
    #[case(
        400,
        "application/json",
        r#"{"code":3,"message":"bad"}"#,
        Outcome::RequestRefused,
        false,
        "upstream_invalid_request"
    )]
    #[case(413, "", "", Outcome::RequestRefused, false, "upstream_too_large")]
    #[case(404, "application/json", "{}", Outcome::RequestRefused, false, "upstream_not_found")]
    #[case(502, "text/html", "<html>", Outcome::UpstreamFailed, true, "upstream_error")]
    #[case(520, "", "", Outcome::UpstreamFailed, true, "upstream_error")]
    #[case(302, "", "", Outcome::Unknown, true, "upstream_error")]
    fn every_refusal_has_its_scope(
        #[case] status: u16,
        #[case] content_type: &str,
        #[case] body: &str,
        #[case] outcome: Outcome,
        #[case] retry: bool,
        #[case] code: &str,
    ) {
        let failure = Failure::from_response(status, content_type, body, None);
        assert_eq!((failure.outcome, failure.retry, failure.error.code.as_ref()), (outcome, retry, code));
        assert!(!failure.charged);
        assert!(failure.error.message.contains(&status.to_string()));
    }

    #[rstest]
    #[case(json!({"message": "Request rejected by anti-bot rules.", "code": 7}), Outcome::EgressRefused)]
    #[case(json!({"message": "rate limited", "code": 8}), Outcome::RateLimited)]
    #[case(json!({"message": "You've reached your usage limit. Please try again later."}), Outcome::RateLimited)]
    #[case(json!("upstream stream failed"), Outcome::UpstreamFailed)]
    #[case(json!({"error": {"message": "x", "code": 8}}), Outcome::RateLimited)]
    #[case(json!({"message": "User is blocked [WKE=unauthorized:blocked-user]", "code": 7}), Outcome::Banned)]
    fn in_band_errors_are_told_apart(#[case] value: Value, #[case] outcome: Outcome) {
        assert_eq!(Failure::from_stream(&value).outcome, outcome);
    }

    #[test]
    fn secrets_in_upstream_text_do_not_reach_the_client() {
        let body = r#"{"message":"bad token sso=abcdef for user@example.com"}"#;
        let message = Failure::from_response(403, "application/json", body, None).error.message;
        assert!(!message.contains("abcdef") && !message.contains("example.com"), "{message}");
    }
}
