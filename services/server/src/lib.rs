//! The one binary `grok2api`: composition only.
//!
//! [`Instance`] is a running process, or one of several inside a test: which services run here and which are
//! reached over gRPC is decided in [`compose`] and nowhere else.

pub mod commands;
mod compose;
mod exclusive;
mod ground;
mod instance;
mod listeners;
mod presence;
mod rehearsal;
mod remotes;
mod roles;
mod start_text;
mod store;

pub use instance::{Instance, StartError};
pub use roles::{Role, Roles};

/// Exit code: wrong usage of the command line.
pub const EXIT_USAGE: u8 = 64;
/// Exit code: a task the process cannot live without has crashed.
pub const EXIT_CRASHED: u8 = 70;
/// Exit code: wrong settings, or a store that cannot be used.
pub const EXIT_CONFIGURATION: u8 = 78;
