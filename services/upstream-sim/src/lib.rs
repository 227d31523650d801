#![doc = include_str!("../README.md")]

mod account;
mod assets;
mod clock;
mod config;
mod edge;
mod fault;
mod ids;
mod journal;
mod listener;
mod markers;
mod models;
mod player;
mod reply;
mod router;
mod routes;
mod scenario;
mod script;
mod sim;
mod world;

pub use account::{AccountView, Exhausted, Pool, Tier, WindowView};
pub use config::{Framing, SessionCheck, SimConfig, StreamDefaults};
pub use fault::{Fault, FaultCall, Scope, faults};
pub use journal::{Counters, Outcome, RequestRecord};
pub use scenario::{
    AccountPatch, AccountRule, FaultRule, Pattern, Scale, Scenario, ScenarioError, StreamPatch, WindowPatch,
};
pub use sim::{Sim, start};
