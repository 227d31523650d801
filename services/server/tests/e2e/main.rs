//! The whole product against the simulated upstream, over real sockets: in one process and split over gRPC.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]
#![expect(unreachable_pub, reason = "the support module is shared by all modules of this binary")]

mod accounts;
mod admin;
mod backup;
mod bucket;
mod capture;
mod chat;
mod cli;
mod client_keys;
mod crowds;
mod egress;
mod faults;
mod http;
mod import_seed;
mod keys;
mod limits;
mod load;
mod malformed;
mod media;
mod openapi;
mod outages;
mod processes;
mod replicas;
mod sdk;
mod state;
mod stores;
mod support;
mod usage;
mod went_back;
