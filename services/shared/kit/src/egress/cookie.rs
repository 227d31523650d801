//! The one builder of the `Cookie` header. Source: `grok-web-protocol.md` section 1.3.

use grok2api_proto::{Error, Kind, Result};
use http::HeaderValue;

/// `sso=…; sso-rw=…` and the clearance cookies, marked sensitive so that no log shows it.
///
/// # Errors
/// `invalid_token` when the token cannot stand in a header.
pub fn cookie(token: &str, clearance: &str) -> Result<HeaderValue> {
    let tail = if clearance.is_empty() { String::new() } else { format!("; {clearance}") };
    let mut value = HeaderValue::from_str(&format!("sso={token}; sso-rw={token}{tail}")).map_err(|_| {
        Error::new(
            Kind::Unavailable,
            "invalid_token",
            "an account's token or cf_clearance cannot be a cookie value",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What the operator pasted as clearance: the bare value, `cf_clearance=…`, or a whole cookie string of which the
/// edge network's cookies are kept.
pub(super) fn clearance(setting: &str) -> String {
    let setting = setting.trim().trim_end_matches(';');
    if setting.is_empty() || !setting.contains('=') {
        return if setting.is_empty() { String::new() } else { format!("cf_clearance={setting}") };
    }
    let kept: Vec<&str> = setting.split(';').map(str::trim).filter(|pair| is_edge_cookie(pair)).collect();
    if kept.is_empty() { format!("cf_clearance={setting}") } else { kept.join("; ") }
}

fn is_edge_cookie(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    matches!(name, "cf_clearance" | "__cf_bm" | "_cfuvid") || name.starts_with("cf_chl_")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "")]
    #[case("abc", "cf_clearance=abc")]
    #[case("cf_clearance=abc", "cf_clearance=abc")]
    #[case("cf_clearance=abc; ", "cf_clearance=abc")]
    #[case("a.b=c", "cf_clearance=a.b=c")]
    #[case("sso=x; cf_clearance=abc; __cf_bm=d; theme=dark", "cf_clearance=abc; __cf_bm=d")]
    fn every_spelling_of_the_clearance_is_understood(#[case] setting: &str, #[case] expected: &str) {
        assert_eq!(clearance(setting), expected);
    }

    #[test]
    fn a_token_that_is_no_header_value_is_refused() {
        assert_eq!(cookie("a\nb", "").unwrap_err().code, "invalid_token");
        assert!(cookie("abc", "").unwrap().is_sensitive());
    }
}
