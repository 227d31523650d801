//! The whole product against the simulated upstream, over real sockets: in one process and split over gRPC.

mod chat;
mod cli;
mod faults;
mod load;
mod media;
mod sdk;
mod state;
mod support;
