//! State below the services: traits in domain terms and their implementations.
//!
//! Times are epoch milliseconds, ids are UUIDv7, secrets are sealed before they reach a row. A row that no code of
//! ours can have written is reported as [`Error::ImpossibleRow`], never guessed at.

//!
//! [`Store::open`] gives the traits over the store that the settings name: SQLite, MySQL (or MariaDB) or Redis. The
//! SQL is written once, in `src/sql`, and compiled into [`sqlite`] and [`mysql`], which differ in a few types and
//! texts. One suite of tests runs on all of them.

#![expect(clippy::duplicate_mod, reason = "src/sql is compiled once for each database")]

pub mod accounts;
pub mod actions;
pub mod admins;
pub mod bell;
pub mod board;
mod bounded;
pub mod budgets;
pub mod captures;
pub mod client_keys;
mod error;
pub mod idempotency;
pub mod ledger;
pub mod limiter;
pub mod media;
pub mod mysql;
mod probe;
pub mod redis;
mod resealing;
pub mod responses;
pub mod seal;
pub mod sessions;
pub mod settings;
pub mod sqlite;
mod store;
pub mod videos;

pub use error::{Error, Result};
pub use probe::{probe, reach_shared};
pub use resealing::{Damaged, Resealed, Sealed};
pub use store::{Migrated, Store, masked, place};
