//! Tokens as people paste them. Source: `grok-web-protocol.md` section 1.3.

use grok2api_storage::accounts::Token;

/// Shorter is no token: it could not even be masked.
const MIN_CHARS: usize = 8;
/// Longer does not fit a cookie header.
const MAX_CHARS: usize = 4096;

/// The bare token in `sso=…`, a cookie string or a raw paste, without what copying added to it.
///
/// # Errors
/// Why there is no usable token in it; never shows the text.
pub(crate) fn normalise(pasted: &str) -> Result<Token, &'static str> {
    let clean: String = pasted.chars().filter(|c| !is_debris(*c)).collect();
    let token = pick(&clean).trim().trim_matches(['"', '\'']);
    match token {
        "" => Err("the token is empty"),
        _ if token.chars().count() < MIN_CHARS => Err("the token is too short"),
        _ if token.chars().count() > MAX_CHARS => Err("the token is too long"),
        _ if !token.bytes().all(is_cookie_byte) => {
            Err("the token holds characters that cannot stand in a cookie")
        }
        _ => Ok(Token::new(token)),
    }
}

/// The value of `sso` (else of `sso-rw`) in a cookie string, else what stands before the first `;`.
fn pick(text: &str) -> &str {
    let text = text.trim().trim_matches(['"', '\'']);
    let text = text.strip_prefix("Cookie:").unwrap_or(text);
    let named = |name: &str| {
        text.split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|pair| pair.0 == name)
            .map(|pair| pair.1)
    };
    named("sso").or_else(|| named("sso-rw")).unwrap_or_else(|| text.split(';').next().unwrap_or_default())
}

/// Control characters, invisible characters and the typography of word processors.
fn is_debris(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00a0}' | '\u{00ad}' | '\u{180e}' | '\u{3000}' | '\u{feff}')
        || ('\u{2000}'..='\u{206f}').contains(&c)
}

/// `cookie-octet` of RFC 6265, section 4.1.1.
fn is_cookie_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::bare("sim-basic-0001")]
    #[case::spaces("  sim-basic-0001 \r\n")]
    #[case::prefix("sso=sim-basic-0001")]
    #[case::writable("sso-rw=sim-basic-0001")]
    #[case::seed_cookie("sso-rw=sim-basic-0001;sso=sim-basic-0001")]
    #[case::cookie("i18nextLng=en; sso=sim-basic-0001; cf_clearance=abc")]
    #[case::header("Cookie: sso=sim-basic-0001")]
    #[case::tail("sim-basic-0001; theme=dark")]
    #[case::quoted("\"sim-basic-0001\"")]
    #[case::debris("\u{feff}sim-\u{200b}basic-\u{0}000\u{2013}1\u{2019}")]
    #[case::broken_line("sim-basic-\r\n0001")]
    fn one_token_in_many_spellings(#[case] pasted: &str) {
        assert_eq!(normalise(pasted).unwrap().expose(), "sim-basic-0001");
    }

    #[rstest]
    #[case("", "the token is empty")]
    #[case(" \u{200b}; sso=", "the token is empty")]
    #[case("sso=", "the token is empty")]
    #[case("abc", "the token is too short")]
    #[case("token with spaces", "the token holds characters that cannot stand in a cookie")]
    #[case("tokën-tokën-tokën", "the token holds characters that cannot stand in a cookie")]
    fn what_is_no_token_is_refused_with_a_reason(#[case] pasted: &str, #[case] reason: &str) {
        assert_eq!(normalise(pasted).unwrap_err(), reason);
    }

    #[test]
    fn a_whole_page_is_no_token() {
        assert_eq!(normalise(&"a".repeat(MAX_CHARS + 1)).unwrap_err(), "the token is too long");
    }
}
