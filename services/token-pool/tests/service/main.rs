//! The service over SQLite: the contract three ways, callers side by side, two processes, and true quotas.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[macro_use]
mod three_ways;

mod contract;
mod crowd;
mod import;
mod list;
mod operator;
mod parameters;
mod processes;
mod refresh;
mod replicas;
mod support;
