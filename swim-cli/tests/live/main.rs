//! Commands that run real nodes, a module for each: `cargo test -p swim-cli --test live agent::`.

mod agent;
mod demo;
mod record;
mod sealed;
#[path = "../util/mod.rs"]
mod util;
