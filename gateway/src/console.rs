//! The operator's console: the files that `admin-web` was built into, and one page for all its addresses.
//!
//! The console finds its way by the address in the browser, so every address below `/manage` is that page unless it names
//! a file. Files under `assets/` have a fingerprint in their name and are kept by browsers for good; all else is asked for
//! anew. The policy allows this host and nothing else, neither scripts nor styles inside the page.

mod files;

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::handlers::missing;
use files::{FILES, File};

const INDEX: &str = "index.html";
/// What is shown when the console was not built.
const MISSING: &str = include_str!("console/missing.html");
/// Its own style, known by its hash; a test keeps it true.
const MISSING_POLICY: &str = "default-src 'none'; style-src 'sha256-CtFM/3MVLYDfpL6P+cZrclkEb6dkJ/vsVliX5uzvM7w='; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// `blob:` and `data:` are pictures and videos that the page itself holds: those that are about to be sent, and answers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob:; manifest-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The console's addresses.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(page))
        .route("/login", get(page))
        .route("/manage", get(page))
        .route("/manage/", get(page))
        .route("/manage/{*path}", get(below))
}

async fn page(headers: HeaderMap) -> Response {
    match find(FILES, INDEX) {
        Some(file) => answer(file, &headers),
        None => guarded(MISSING_POLICY, html(MISSING.into())),
    }
}

async fn below(Path(path): Path<String>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(file) = find(FILES, &path) {
        return answer(file, &headers);
    }
    // A file of another version: a page in its place would be read as a script.
    if path.starts_with("assets/") {
        return missing::route(method, uri).await.into_response();
    }
    page(headers).await
}

fn find<'a>(files: &'a [File], name: &str) -> Option<&'a File> {
    files.binary_search_by(|file| file.name.cmp(name)).ok().map(|at| &files[at])
}

fn answer(file: &File, headers: &HeaderMap) -> Response {
    let cache = if file.name.starts_with("assets/") { FOR_GOOD } else { "no-cache" };
    let same =
        headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == file.tag.as_bytes());
    let mut response = if same { StatusCode::NOT_MODIFIED.into_response() } else { content(file, headers) };
    let fields = response.headers_mut();
    fields.insert(header::ETAG, HeaderValue::from_static(file.tag));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    guarded(POLICY, response)
}

/// The bytes, in the best form that the client takes.
fn content(file: &File, headers: &HeaderMap) -> Response {
    let (bytes, encoding) = match (file.br, file.gzip) {
        (Some(br), _) if takes(headers, "br") => (br, Some("br")),
        (_, Some(gzip)) if takes(headers, "gzip") => (gzip, Some("gzip")),
        _ => (file.plain, None),
    };
    let mut response = Body::from(bytes).into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type()));
    if let Some(encoding) = encoding {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// Whether `accept-encoding` names the encoding and does not refuse it.
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        named && quality.is_none_or(|quality| quality > 0.0)
    })
}

fn html(body: Body) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, body).into_response()
}

fn guarded(policy: &'static str, mut response: Response) -> Response {
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    fields.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

#[cfg(test)]
mod tests;
