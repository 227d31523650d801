//! Answers that are not streams.

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A whole answer: status, type and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) mime: &'static str,
    pub(crate) body: Cow<'static, str>,
    /// Seconds for `Retry-After`.
    pub(crate) retry_after: Option<u32>,
}

impl Reply {
    /// A fixed JSON answer.
    pub(crate) const fn json(status: u16, body: &'static str) -> Self {
        Self { status, mime: "application/json", body: Cow::Borrowed(body), retry_after: None }
    }

    /// A fixed page, as the edge network would serve it.
    pub(crate) const fn html(status: u16, body: &'static str) -> Self {
        Self { status, mime: "text/html; charset=UTF-8", body: Cow::Borrowed(body), retry_after: None }
    }

    /// `value` as JSON with status 200.
    pub(crate) fn ok<T: Serialize>(value: &T) -> Self {
        let body = serde_json::to_string(value).unwrap_or_default();
        Self { body: Cow::Owned(body), ..Self::json(200, "") }
    }

    /// The error shape of the web API: a gRPC code and a message (reference 5.1).
    pub(crate) fn error(status: u16, code: u32, message: impl AsRef<str>) -> Self {
        let body = serde_json::json!({"code": code, "message": message.as_ref(), "details": []}).to_string();
        Self { body: Cow::Owned(body), ..Self::json(status, "") }
    }

    /// 400: the request is not understood.
    pub(crate) fn invalid(message: impl AsRef<str>) -> Self {
        Self::error(400, 3, message)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(message: impl AsRef<str>) -> Self {
        Self::error(404, 5, message)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.into_owned()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.mime));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
