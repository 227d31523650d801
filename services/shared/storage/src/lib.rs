//! State below the services: traits in domain terms and their implementations.
//!
//! Times are epoch milliseconds, ids are UUIDv7, secrets are sealed before they reach a row. A row that no code of
//! ours can have written is reported as [`Error::ImpossibleRow`], never guessed at.

pub mod accounts;
mod error;
pub mod media;
pub mod seal;
pub mod settings;
pub mod sqlite;

pub use error::{Error, Result};
