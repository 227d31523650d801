//! Running a process: settings, telemetry, lifecycle, readiness, clock, the gRPC stacks, and the one factory of
//! outgoing HTTP clients.
//!
//! Every service crate and the gateway build on this crate and on `proto`, and on nothing of each other.

pub mod clock;
pub mod directory;
pub mod egress;
pub mod grpc;
pub mod lifecycle;
pub mod metrics;
pub mod ops;
pub mod readiness;
pub mod redact;
pub mod retry_after;
pub mod runtime;
pub mod settings;
pub mod telemetry;
pub mod trace;
