//! The OpenAI protocol: requests in, events out as chunks or as one answer. Pure; IO is in the handlers.

pub mod error;
pub mod images;
pub mod inline;
pub mod present;
pub mod request;
pub mod stream;
pub mod videos;
pub mod whole;

#[cfg(test)]
mod samples;
