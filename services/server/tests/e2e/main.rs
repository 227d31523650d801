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
mod agents;
mod backup;
mod bucket;
mod capture;
mod chat;
mod cli;
mod client_keys;
mod crowds;
mod egress;
mod faults;
mod full;
mod http;
mod import_seed;
mod keys;
mod killed;
mod limits;
mod links;
mod load;
mod malformed;
mod mcp;
mod media;
mod observability;
mod openapi;
mod outage;
mod outages;
mod pool_killed;
mod processes;
mod programs;
mod replicas;
mod responses;
mod sdk;
mod state;
mod stores;
mod support;
mod tools;
mod usage;
mod went_back;
