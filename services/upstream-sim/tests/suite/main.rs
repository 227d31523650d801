//! The simulator over a real socket.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing helper fails its test"
)]

mod assets;
mod chat;
mod control;
mod faults;
mod media;
mod quota;
mod stream;
mod support;
mod upload;
