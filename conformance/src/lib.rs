//! Known bugs and outages of systems of this kind as scenarios, written once and run on every network there is.
//!
//! A network implements [`Harness`], and [`suite!`] gives it one test per scenario. What only a virtual network can do
//! (forge a frame, look into a node, let an hour pass) is [`Inspect`], with scenarios of its own: [`suite_inspect!`].
//! What only real sockets can do, be made to fail, is [`Sockets`], with those of [`suite_faults!`].
//!
//! A scenario is a function of a [`Run`]: one seed, from which it draws what it leaves to chance. How many seeds each has
//! stands in the lists of `suite.rs`. The environment overrides: `SWIM_SEEDS=1000` runs so many, `SWIM_SEED=17` that one.
//!
//! Times are counted in protocol periods or derived from [`Harness::config`], never in seconds, because real networks run
//! the same scenarios with short periods.

#![forbid(unsafe_code)]

mod batch;
mod frames;
mod harness;
mod inspect;
mod real;
mod replayed;
mod run;
mod suite;

pub mod scenarios;

pub use batch::{Seeds, Summary, batch, over_seeds, rerun, summary};
pub use frames::{alive, claim, detail, frame, rumor_frame, says, state_frame};
pub use harness::{Harness, Link, Mark, Peer, Spec, Way, is_down, is_suspect};
pub use inspect::{Inspect, Sent, Shared, Traffic};
pub use real::{
    Binding, Counts, FaultCounts, Faults, Layer, Layered, Ready, Real, Sends, SocketError, Sockets, Times,
    polled_for_nothing,
};
pub use replayed::{recording, replay};
pub use run::Run;

// The README's examples must compile and run, each of them on its binding.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
