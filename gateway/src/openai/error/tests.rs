use rstest::rstest;
use serde_json::json;

use super::*;

#[test]
fn every_kind_has_a_status_and_the_type_that_goes_with_it() {
    for &kind in Kind::ALL {
        let status = status_of(kind);
        let expected = match status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            500..=599 => "server_error",
            other => panic!("{kind:?} answers {other}"),
        };
        assert_eq!(type_of(kind), expected, "{kind:?}");
    }
}

#[test]
fn the_body_has_all_four_keys() {
    let with = Error::invalid("messages[0].role", "'messages[0].role' is wrong");
    assert_eq!(
        serde_json::to_value(Body::from(&with)).unwrap(),
        json!({"error": {
            "message": "'messages[0].role' is wrong",
            "type": "invalid_request_error",
            "param": "messages[0].role",
            "code": "invalid_value",
        }})
    );
    let without = serde_json::to_value(Body::from(&Error::internal("x"))).unwrap();
    assert_eq!(without["error"].get("param"), Some(&json!(null)));
}

#[rstest]
#[case::exact(Kind::RateLimited, Some(2_500), Some(("3", "2500")), true)]
#[case::at_least_a_second(Kind::Unavailable, Some(10), Some(("1", "10")), true)]
#[case::clamped(Kind::RateLimited, Some(3_600_000), Some(("60", "60000")), false)]
#[case::unknown(Kind::Unavailable, None, Some(("1", "1000")), true)]
#[case::upstream(Kind::Upstream, None, None, true)]
#[case::the_request_is_wrong(Kind::InvalidRequest, None, None, false)]
#[case::a_defect(Kind::Internal, None, None, false)]
#[case::a_key(Kind::Unauthenticated, None, None, false)]
fn a_client_is_told_when_and_whether_to_try_again(
    #[case] kind: Kind,
    #[case] wait_ms: Option<u64>,
    #[case] told: Option<(&str, &str)>,
    #[case] retry: bool,
) {
    let mut error = Error::new(kind, "code", "message");
    error.retry_after = wait_ms.map(Duration::from_millis);
    let response = Failure::from(error).into_response();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("retry-after").zip(header("retry-after-ms")), told);
    assert_eq!(header("x-should-retry"), (!retry).then_some("false"));
}
