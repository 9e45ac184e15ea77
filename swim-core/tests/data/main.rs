//! Rumors and node state over nodes without a driver: how they spread, and what becomes of hostile and faulty input.

mod abuse;
mod answers;
mod deltas;
mod fetch;
mod malice;
#[path = "../net/mod.rs"]
mod net;
mod order;
mod rumors;
mod snapshot;
mod spread;
mod summaries;
mod sync;
#[path = "../util/mod.rs"]
mod util;
