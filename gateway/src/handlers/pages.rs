//! The one page a browser finds.

use axum::{
    http::header,
    response::{Html, IntoResponse},
};

const PAGE: &str = include_str!("landing.html");
/// Nothing but the page's own style, known by its hash; a test keeps it true.
const POLICY: &str = "default-src 'none'; style-src 'sha256-CtFM/3MVLYDfpL6P+cZrclkEb6dkJ/vsVliX5uzvM7w='; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) async fn landing() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Html(PAGE))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_admits_the_pages_own_style_and_nothing_else() {
        let (_, rest) = PAGE.split_once("<style>").unwrap();
        let (style, rest) = rest.split_once("</style>").unwrap();
        assert!(!rest.contains("<style") && !PAGE.contains("<script") && !PAGE.contains("style="));
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "the style's hash is {hash}");
    }
}
