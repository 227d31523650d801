//! `GET /openapi.json`, and `GET /docs` for people.

use axum::{
    Extension,
    http::{HeaderValue, header},
    response::{Html, IntoResponse},
};
use bytes::Bytes;
use utoipa::openapi::OpenApi;

use crate::openapi::page;

/// The document and its page, made once.
#[derive(Clone)]
pub(crate) struct Docs {
    json: Bytes,
    page: Bytes,
    policy: HeaderValue,
}

impl Docs {
    pub(crate) fn new(api: &OpenApi) -> Self {
        let document = serde_json::to_value(api).unwrap_or_default();
        let policy = HeaderValue::try_from(page::policy())
            .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
        Self { json: document.to_string().into(), page: page::render(&document).into(), policy }
    }
}

pub(crate) async fn document(Extension(docs): Extension<Docs>) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, docs.json)
}

pub(crate) async fn page(Extension(docs): Extension<Docs>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, docs.policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, Html(docs.page))
}
