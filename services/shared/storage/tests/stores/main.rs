//! The stores: one contract on SQLite, a real MariaDB and a real Redis, and what each does at its start, when it is
//! killed, and with rows that nobody can have written.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod admins;
mod bell;
mod board;
mod budgets;
mod captures;
mod client_keys;
mod damage;
mod durable;
mod full;
mod idempotency;
mod ledger;
mod limiter;
mod media;
mod resealing;
mod responses;
mod settings;
mod start;
mod support;
mod videos;
