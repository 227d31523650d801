//! What is not there.

use axum::http::{Method, Uri};
use grok2api_proto::{Error, Kind};

use crate::openai::error::Failure;

pub(crate) async fn route(method: Method, uri: Uri) -> Failure {
    Error::new(Kind::NotFound, "unknown_url", format!("there is no route {method} {}", uri.path())).into()
}

pub(crate) async fn method(method: Method, uri: Uri) -> Failure {
    Failure::method_not_allowed(format!("{} cannot be asked with {method}", uri.path()))
}
