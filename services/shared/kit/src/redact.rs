//! Upstream text on its way to people: secrets out, length bounded.

/// Longest text passed on, in characters.
const LIMIT: usize = 300;
/// Beginnings that mark a credential.
const MARKERS: [&str; 7] =
    ["sso=", "sso-rw=", "cf_clearance=", "bearer", "sim-basic-", "sim-super-", "sim-heavy-"];

/// Replaces what looks like a credential, an e-mail address or a URL, and control characters; cuts long text.
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(LIMIT));
    let mut after_bearer = false;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !shown.is_empty() {
            shown.push(' ');
        }
        let hidden = after_bearer || is_secret(word);
        after_bearer = word.to_ascii_lowercase().ends_with("bearer");
        shown.push_str(if hidden { "[redacted]" } else { word });
        if shown.chars().count() > LIMIT {
            shown = shown.chars().take(LIMIT).collect();
            shown.push('…');
            break;
        }
    }
    shown
}

fn is_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let token_like = |part: &str| {
        part.len() >= 32 && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=+/".contains(c))
    };
    lower != "bearer" && MARKERS.iter().any(|marker| lower.contains(marker))
        || word.contains("eyJ")
        || lower.contains("://")
        || (word.contains('@') && word.contains('.'))
        || word.split(['"', '\'', ',', ';', ':', '(', ')']).any(token_like)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_addresses_and_urls_are_hidden_and_plain_words_stay() {
        for secret in [
            "sso=abcdef",
            "sso-rw=abc;sso=abc",
            "cf_clearance=xyz",
            "eyJhbGciOi.J9.x",
            "user@example.com",
            "https://grok.com/x?token=1",
            "sim-basic-0001",
            "0123456789abcdef0123456789abcdef",
        ] {
            let shown = redact(&format!("before {secret} after"));
            assert_eq!(shown, "before [redacted] after", "{secret}");
        }
        assert_eq!(redact("Authorization: Bearer abc"), "Authorization: Bearer [redacted]");
        assert_eq!(redact(r#"{"authorization":"Bearer abc"}"#), "[redacted] [redacted]");
        assert_eq!(redact("Request rejected by anti-bot rules."), "Request rejected by anti-bot rules.");
    }

    #[test]
    fn long_text_is_cut_and_control_characters_go() {
        let shown = redact(&"word\u{7}\n".repeat(500));
        assert!(shown.chars().count() <= LIMIT + 1);
        assert!(!shown.contains('\u{7}'));
    }
}
