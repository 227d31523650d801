//! The service over SQLite: the contract three ways, callers side by side, two processes, and true quotas.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod contract;
mod crowd;
mod processes;
mod refresh;
mod support;
