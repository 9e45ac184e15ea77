//! Commands that compute and simulate, and how mistakes are told, a module for each: `cargo test -p swim-cli --test cli plan::`.

mod errors;
mod keys;
mod lifeguard;
mod papers;
mod plan;
mod run;
mod sim;
mod swarm;
#[path = "../util/mod.rs"]
mod util;
