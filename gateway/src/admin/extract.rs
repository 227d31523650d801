//! What requests of the admin API carry, checked.

use axum::{
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::request::Parts,
};
use grok2api_proto::{Error, Kind};
use serde::de::DeserializeOwned;

use super::Console;
use crate::{body, openai::error::Failure};

/// Rows of a page when nothing else is asked for, and at most.
pub(super) const PAGE: u32 = 50;
const MOST_ON_A_PAGE: u32 = 500;

/// A JSON body, whatever the content type says.
pub(super) struct Body<T>(pub(super) T);

/// The query behind the `?`.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Console> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let bytes = body::read(&parts.headers, body, console.deps.max_body_bytes).await?;
        let read = serde_json::from_slice(&bytes);
        let wrong = |error: serde_json::Error| {
            Error::new(
                Kind::InvalidRequest,
                "invalid_json",
                format!("the body is not as it must be: {error}"),
            )
        };
        Ok(Self(read.map_err(wrong)?))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => {
                let message = format!("the query is not as it must be: {}", error.body_text());
                Err(Error::new(Kind::InvalidRequest, "invalid_value", message).into())
            }
        }
    }
}

/// Rows of a page.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Error> {
    match asked.unwrap_or(PAGE) {
        0 => Err(Error::invalid("limit", "a page has at least one row")),
        limit if limit > MOST_ON_A_PAGE => {
            Err(Error::invalid("limit", format!("a page has at most {MOST_ON_A_PAGE} rows")))
        }
        limit => Ok(limit),
    }
}

/// The parts of a list with commas.
pub(super) fn listed(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty())
}
