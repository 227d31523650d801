//! `POST /rest/rate-limits` and `GET /api/auth/session`, and what their answers mean. Source:
//! `grok-web-protocol.md` sections 1.5, 4.1 and 5.1.

use std::time::Duration;

use grok2api_kit::{
    clock::Clock,
    egress::{Gateway, send},
    redact::redact,
    retry_after::retry_after,
};
use grok2api_proto::pool::Outcome;
use grok2api_storage::accounts::Tier;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::{
    classes::Counter,
    reading::{ReadEnd, ReadJob},
    window::Reading,
};

const PATH: &str = "/rest/rate-limits";
const SESSION_PATH: &str = "/api/auth/session";
const TIMEOUT: Duration = Duration::from_secs(15);
const BASIC_WINDOW_MS: i64 = 72_000_000;
const PAID_WINDOW_MS: i64 = 7_200_000;
/// Longer is no quota window.
const LONGEST_WINDOW_SECONDS: i64 = 31 * 86_400;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ask<'a> {
    request_kind: &'static str,
    model_name: &'a str,
}

/// The fields that are read; null and absent are the same.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Limits {
    window_size_seconds: Option<i64>,
    remaining_queries: Option<i64>,
    total_queries: Option<i64>,
    remaining_tokens: Option<i64>,
    total_tokens: Option<i64>,
}

/// The fields of a session that tell whose it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Session {
    status: Option<String>,
    session: Option<User>,
    user: Option<User>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    #[serde(rename = "userId")]
    user_id: Option<String>,
    id: Option<String>,
    sub: Option<String>,
}

/// The upstream's user of a credential that it has just taken. An error is why nothing was learned.
pub(super) async fn user(egress: &Gateway, job: &ReadJob) -> Result<String, String> {
    let egress = egress.current().map_err(|error| error.to_string())?;
    let request = egress.api(Method::GET, SESSION_PATH, "/", job.token.expose());
    let request = request.map_err(|error| error.to_string())?;
    let answer = send("session", request.timeout(TIMEOUT)).await;
    let (answer, _step) = answer.map_err(|error| transport(&error))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("status {}", status.as_u16()));
    }
    let body = answer.bytes().await.map_err(|error| transport(&error))?;
    session_user(&body)
}

fn session_user(body: &[u8]) -> Result<String, String> {
    let session: Session =
        serde_json::from_slice(body).map_err(|error| format!("not the expected JSON: {error}"))?;
    // The status is judged before the identity.
    if let Some(status) = session.status.filter(|status| status != "authenticated") {
        return Err(format!("the session is {}", redact(&status)));
    }
    let id = session.session.and_then(|user| user.user_id).or_else(|| {
        let user = session.user?;
        user.id.or(user.user_id).or(user.sub)
    });
    id.filter(|id| !id.is_empty()).ok_or_else(|| "the session names no user".to_owned())
}

/// Asks the upstream once. An error is why nothing was learned, safe to be logged.
pub(super) async fn read(egress: &Gateway, job: &ReadJob) -> Result<ReadEnd, String> {
    let egress = egress.current().map_err(|error| error.to_string())?;
    let ask = Ask { request_kind: "DEFAULT", model_name: &job.rate_limit_name };
    let request =
        egress.api(Method::POST, PATH, "/", job.token.expose()).map_err(|error| error.to_string())?;
    let answer = send("rate-limits", request.json(&ask).timeout(TIMEOUT)).await;
    let (answer, _step) = answer.map_err(|error| transport(&error))?;
    let status = answer.status();
    let wait = retry_after(answer.headers(), Clock::system().now_ms());
    let body = answer.bytes().await.map_err(|error| transport(&error))?;
    if status == StatusCode::TOO_MANY_REQUESTS {
        let text = redact(&String::from_utf8_lossy(&body));
        let wait = wait.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        return Ok(ReadEnd::Limited(wait, format!("status 429 {text}")));
    }
    interpret(status, &body, job.counter, job.tier)
}

fn interpret(status: StatusCode, body: &[u8], counter: Counter, tier: Tier) -> Result<ReadEnd, String> {
    if status.is_success() {
        let limits: Limits =
            serde_json::from_slice(body).map_err(|error| format!("not the expected JSON: {error}"))?;
        return Ok(ReadEnd::Reading(limits.reading(counter, tier)?));
    }
    let text = redact(&String::from_utf8_lossy(body));
    // HTML is the edge network speaking: it knows nothing of accounts.
    let json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    match status {
        StatusCode::UNAUTHORIZED if json => Ok(ReadEnd::Refused(Outcome::Unauthenticated, text)),
        StatusCode::FORBIDDEN if json && text.contains("blocked-user") => {
            Ok(ReadEnd::Refused(Outcome::Banned, text))
        }
        _ => Err(format!("status {} {text}", status.as_u16())),
    }
}

impl Limits {
    /// The numbers that count for the class, if they can be true.
    fn reading(&self, counter: Counter, tier: Tier) -> Result<Reading, String> {
        let queries = self.remaining_queries.map(|left| (left, self.total_queries));
        let tokens = self.remaining_tokens.map(|left| (left, self.total_tokens));
        let (remaining, total) = match counter {
            Counter::Tokens => tokens.or(queries),
            Counter::Queries => queries,
        }
        .ok_or("it holds no remaining units")?;
        let total = total.unwrap_or(remaining);
        if remaining < 0 || total <= 0 || remaining > total {
            return Err(format!("implausible: {remaining} of {total} remaining"));
        }
        let units = |value: i64| u32::try_from(value).map_err(|_| format!("implausible: {value} units"));
        let seconds =
            self.window_size_seconds.filter(|seconds| (1..=LONGEST_WINDOW_SECONDS).contains(seconds));
        let unknown = if tier == Tier::Basic { BASIC_WINDOW_MS } else { PAID_WINDOW_MS };
        let length_ms = seconds.map_or(unknown, |seconds| seconds * 1000);
        Ok(Reading { total: units(total)?, remaining: units(remaining)?, length_ms })
    }
}

/// What went wrong on the way; the error itself would show the address.
fn transport(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "could not connect"
    } else {
        "the connection broke"
    };
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn ok(body: &str, counter: Counter, tier: Tier) -> Result<(u32, u32, i64), String> {
        interpret(StatusCode::OK, body.as_bytes(), counter, tier).map(|end| match end {
            ReadEnd::Reading(reading) => (reading.remaining, reading.total, reading.length_ms),
            other => panic!("{other:?}"),
        })
    }

    #[rstest]
    #[case::tokens(r#"{"windowSizeSeconds":72000,"remainingQueries":20,"totalQueries":20,"remainingTokens":75,"totalTokens":80,"lowEffortRateLimits":null}"#, Counter::Tokens, (75, 80, 72_000_000))]
    #[case::heavy(r#"{"windowSizeSeconds":7200,"remainingQueries":19,"totalQueries":20,"remainingTokens":75,"totalTokens":80}"#, Counter::Queries, (19, 20, 7_200_000))]
    #[case::no_tokens(r#"{"windowSizeSeconds":7200,"remainingQueries":19,"totalQueries":20,"remainingTokens":null}"#, Counter::Tokens, (19, 20, 7_200_000))]
    #[case::no_total(r#"{"remainingQueries":19}"#, Counter::Queries, (19, 19, 72_000_000))]
    #[case::no_window(r#"{"windowSizeSeconds":0,"remainingTokens":0,"totalTokens":80}"#, Counter::Tokens, (0, 80, 72_000_000))]
    fn answers_are_understood(
        #[case] body: &str,
        #[case] counter: Counter,
        #[case] expected: (u32, u32, i64),
    ) {
        assert_eq!(ok(body, counter, Tier::Basic), Ok(expected));
    }

    #[rstest]
    #[case::negative(r#"{"remainingTokens":-1,"totalTokens":80}"#)]
    #[case::too_many(r#"{"remainingTokens":81,"totalTokens":80}"#)]
    #[case::no_quota(r#"{"remainingTokens":0,"totalTokens":0}"#)]
    #[case::huge(r#"{"remainingTokens":99999999999,"totalTokens":99999999999}"#)]
    #[case::empty("{}")]
    #[case::html("<!doctype html>")]
    #[case::text(r#"{"remainingTokens":"many"}"#)]
    fn implausible_answers_are_not_adopted(#[case] body: &str) {
        assert!(ok(body, Counter::Tokens, Tier::Basic).is_err());
    }

    #[rstest]
    #[case(r#"{"status":"authenticated","session":{"userId":"u1","email":"e"}}"#, Ok("u1"))]
    #[case(r#"{"user":{"id":"u2","email":"e"}}"#, Ok("u2"))]
    #[case(r#"{"user":{"sub":"u3"}}"#, Ok("u3"))]
    #[case(r#"{"status":"blocked","session":{"userId":"u1"}}"#, Err("the session is blocked"))]
    #[case(r#"{"status":"unauthenticated"}"#, Err("the session is unauthenticated"))]
    #[case(r#"{"user":{"name":"anonymous"}}"#, Err("the session names no user"))]
    fn a_session_tells_whose_it_is(#[case] body: &str, #[case] expected: Result<&str, &str>) {
        let user = session_user(body.as_bytes());
        assert_eq!(user.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn the_window_of_a_paid_tier_is_shorter_when_it_is_not_told() {
        let body = r#"{"remainingTokens":1,"totalTokens":1}"#;
        assert_eq!(ok(body, Counter::Tokens, Tier::Super), Ok((1, 1, PAID_WINDOW_MS)));
    }

    #[rstest]
    #[case(401, r#"{"code":16,"message":"unauthenticated"}"#, Some(Outcome::Unauthenticated))]
    #[case(401, "<html>", None)]
    #[case(
        403,
        r#"{"code":7,"message":"User is blocked [WKE=unauthorized:blocked-user]"}"#,
        Some(Outcome::Banned)
    )]
    #[case(403, r#"{"message":"temporary rejection"}"#, None)]
    #[case(403, "<!doctype html><title>Just a moment...", None)]
    #[case(503, "", None)]
    fn only_json_that_speaks_of_the_account_blames_it(
        #[case] status: u16,
        #[case] body: &str,
        #[case] expected: Option<Outcome>,
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        let blamed = match interpret(status, body.as_bytes(), Counter::Tokens, Tier::Basic) {
            Ok(ReadEnd::Refused(outcome, _)) => Some(outcome),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        assert_eq!(blamed, expected);
    }
}
