//! A deterministic virtual network over the very nodes that run in production.
//!
//! A [`World`] drives `swim_driver`'s pumps, envelope and mailbox included, on virtual time: it is one more binding,
//! whose socket and clock are made up. One seed draws latency, loss, and whatever else is random, so a run can be
//! repeated byte for byte, and hours pass in seconds.
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

#![forbid(unsafe_code)]

mod alarms;
mod digest;
mod fabric;
mod host;
mod inspect;
mod link;
mod network;
mod pool;
mod queue;
mod rng;
mod turn;
mod world;

#[cfg(test)]
mod tests;

pub use fabric::{NetworkStats, Way};
pub use host::{NodeIx, Traffic};
pub use link::{Link, millis, percent, secs};
pub use network::Sent;
pub use world::World;
