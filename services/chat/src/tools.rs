//! Functions of the client's, and answers in JSON, for an upstream that knows neither.
//!
//! What the client offers is told to the model in words ([`prompt`]); what the model says passes a [`sieve`] that finds
//! calls in it wherever the stream cut them; a call's arguments are [repaired](repair) and held to their [`schema`].
//! The [`Shaper`] puts these together: events in, events out, and at the end whether the model must be asked once
//! more. It is pure; `turn::shaped` does the asking. Pages for users: `docs/tools.md`.
//!
//! Decisions:
//!
//! - 2026-12: a frame whose name is no function of the client's stays text. Answers about this very markup are more
//!   frequent than misspelt names, which are matched loosely instead.
//! - 2026-12: what the second turn says beside its calls is dropped: it apologises.

mod arguments;
mod document;
mod frame;
pub mod prompt;
pub mod repair;
mod scan;
pub mod schema;
mod shaper;
pub mod sieve;

pub use shaper::{Outcome, Shaper};

/// Opens a call in the model's text.
pub const OPEN: &str = "<tool_call>";
/// Closes it.
pub const CLOSE: &str = "</tool_call>";
