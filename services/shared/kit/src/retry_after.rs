//! `Retry-After`, as RFC 9110 section 10.2.3 has it: a number of seconds, or a date.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use jiff::{civil::DateTime, tz::TimeZone};

/// Less would be asked again at once.
const SHORTEST: Duration = Duration::from_secs(1);
/// Nobody means more than a day, and nobody should wait for it.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The preferred format, and the two obsolete ones that recipients must understand.
const DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How long to wait, from a second to a day; nothing when it is not told in a way that can be understood. A date is
/// compared with that of the response, for its clock need not be ours; without one, with `now_ms`.
pub fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    let value = text(headers, header::RETRY_AFTER)?;
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => LONGEST,
        Err(_) => {
            let now = text(headers, header::DATE).and_then(date).unwrap_or(now_ms);
            Duration::from_millis(u64::try_from(date(value)?.saturating_sub(now)).unwrap_or_default())
        }
    };
    Some(wait.clamp(SHORTEST, LONGEST))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// Epoch milliseconds of an HTTP date.
fn date(text: &str) -> Option<i64> {
    let time = DATES.iter().find_map(|format| DateTime::strptime(format, text).ok())?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: i64 = 784_111_777_000;

    fn headers(retry_after: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, HeaderValue::from_str(date).unwrap());
        }
        headers
    }

    #[rstest]
    #[case::seconds("120", Some(120))]
    #[case::spaces(" 7 ", Some(7))]
    #[case::at_once("0", Some(1))]
    #[case::too_long("31536000", Some(86_400))]
    #[case::absurd("99999999999999999999999", Some(86_400))]
    #[case::date("Sun, 06 Nov 1994 08:51:37 GMT", Some(120))]
    #[case::rfc_850("Sunday, 06-Nov-94 08:51:37 GMT", Some(120))]
    #[case::asctime("Sun Nov  6 08:51:37 1994", Some(120))]
    #[case::past("Sun, 06 Nov 1994 08:00:00 GMT", Some(1))]
    #[case::next_year("Mon, 06 Nov 1995 08:49:37 GMT", Some(86_400))]
    #[case::negative("-5", None)]
    #[case::nonsense("soon", None)]
    #[case::empty("", None)]
    #[case::no_such_day("Sun, 32 Nov 1994 08:51:37 GMT", None)]
    fn both_forms_are_understood_and_clamped(#[case] value: &str, #[case] seconds: Option<u64>) {
        assert_eq!(retry_after(&headers(value, None), NOW), seconds.map(Duration::from_secs));
    }

    #[test]
    fn a_date_is_compared_with_that_of_the_response() {
        let given = headers("Sun, 06 Nov 1994 09:00:07 GMT", Some("Sun, 06 Nov 1994 09:00:00 GMT"));
        assert_eq!(retry_after(&given, NOW), Some(Duration::from_secs(7)));
        let given = headers("Sun, 06 Nov 1994 08:49:47 GMT", Some("yesterday"));
        assert_eq!(retry_after(&given, NOW), Some(Duration::from_secs(10)));
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
