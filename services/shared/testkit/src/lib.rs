//! Development only: three ways to reach a service, and fakes that implement the services' traits.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod backing;
mod captures;
mod chat;
mod config;
mod disk;
mod idempotency;
mod keys;
mod ledger;
mod media;
mod pool;
mod reach;
mod responses;
mod servers;
mod standing;
mod videos;

pub use backing::Backing;
pub use captures::FakeCaptures;
pub use chat::{FakeChat, Step, Turn};
pub use config::runtime_config;
pub use disk::SmallDisk;
pub use idempotency::FakeIdempotency;
pub use keys::FakeKeys;
pub use ledger::FakeLedger;
pub use media::FakeMediaCache;
pub use pool::FakePool;
pub use reach::{Reach, reach};
pub use responses::FakeResponses;
pub use servers::{MariaDb, RedisServer, S3Server};
pub use standing::{Ground, Standing};
pub use videos::FakeVideoJobs;
