//! A deterministic virtual network over the very nodes that run in production.
//!
//! A [`World`] drives `swim_driver`'s pumps, envelope and mailbox included, on virtual time: it is one more binding,
//! whose socket and clock are made up. One seed draws latency, loss, and whatever else is random, so a run can be
//! repeated byte for byte, and hours pass in seconds.
//!
//! What can go wrong, alone or together:
//! - ways between nodes: [`World::cut`], and everything that a [`Link`] does: loss, also in [`Bursts`], duplicates,
//!   reordering, [`Latency`] with or without a long tail, [`Damage`], a black hole for large datagrams, and [`Clog`];
//! - by zones ([`World::set_zone_latency`]), for all that a node sends ([`World::set_uplink`]), or for single datagrams
//!   as a test decides ([`World::add_rule`]); one address that two machines have ([`World::share_address`]);
//! - machines: paused ([`World::pause`]), with blocked I/O ([`World::block`]), slow ([`World::set_slow`],
//!   [`World::set_slow_reader`]), with a wrong clock ([`World::drift`],
//!   [`World::clock_forth`], [`World::clock_back`]);
//! - processes: [`World::kill`], [`World::restart`], [`World::relocate`], and crowds of them: [`World::mass_join`],
//!   [`World::acquaint`], [`World::mass_kill`], [`World::rolling_restart`].
//!
//! [`World::network`] counts what took place. [`World::seal`] has nodes seal what they send, as with a keyring in production.
//!
//! ```
//! use swim_core::State;
//! use swim_sim::{Way, World, secs};
//!
//! let mut w = World::new(3);
//! let [a, b, c] = ["a", "b", "c"].map(|name| w.spawn(name));
//! w.join(b, &[a]);
//! w.join(c, &[a]);
//! assert!(w.run_until(secs(10), |w| w.all_see(3)).is_some());
//!
//! w.cut(&[a], &[b, c], Way::Both);
//! w.run(secs(60));
//! assert_eq!(w.sees(b, a), Some(State::Dead));
//! assert_eq!(w.sees(b, c), Some(State::Alive));
//! ```
//!
//! [`swarm`] draws whole runs, with faults and checkers, from nothing but a seed. [`drill`] plays a timeline of faults to a cluster and reports what followed; [`plan`] computes what a configuration
//! means, and simulates nothing.
//!
//! [`experiments`] measures what papers publish, with the nodes in worlds or with the papers' own models.

#![forbid(unsafe_code)]

mod acquaint;
mod alarms;
mod burst;
mod clock;
mod clog;
mod crowd;
mod damage;
mod digest;
pub mod drill;
pub mod experiments;
mod fabric;
mod faults;
mod host;
mod inspect;
mod latency;
mod link;
mod network;
mod pace;
mod parallel;
pub mod plan;
mod pool;
mod queue;
mod rng;
mod rule;
mod sealing;
mod shared;
mod stats;
pub mod swarm;
mod turn;
mod world;

#[cfg(test)]
mod tests;

pub use burst::Bursts;
pub use clog::Clog;
pub use damage::Damage;
pub use fabric::Way;
pub use host::{NodeIx, Traffic};
pub use latency::{Latency, Spread};
pub use link::{Link, millis, percent, secs};
pub use network::Sent;
pub use rule::Verdict;
pub use stats::NetworkStats;
pub use world::World;
