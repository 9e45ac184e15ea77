//! SWIM membership with Lifeguard as one pure state machine.
//!
//! A [`Node`] is a function of (state, now, input): it owns no clock, socket, thread or callback. Its driver hands in
//! one input at a time and drains the outputs before the next:
//!
//! 1. [`Node::handle`] one input, at a time that the driver read;
//! 2. [`Node::poll_transmit`] until `None`, and send each datagram;
//! 3. [`Node::poll_event`] until `None`;
//! 4. wait for the next datagram or command, at most until [`Node::poll_timeout`]; then 1 again.
//!
//! That order is the *drain rule*; debug builds assert it. The same inputs at the same times give the same outputs, byte
//! for byte, on every machine. After its members are admitted a node allocates nothing to probe, answer, gossip,
//! suspect or refute, unless more of them are suspected or dead at a time, or change while they are still being introduced,
//! than there is room for (`docs/protocol.md`, "Bounds").
//!
//! `docs/protocol.md` tells what is decided and why, `docs/wire.md` what the bytes mean.

#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod agreement;
mod budget;
mod config;
mod conflicts;
mod cookies;
mod cx;
mod detect;
mod doubts;
mod echo;
mod event;
mod evidence;
mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gossip;
mod hash;
mod heal;
mod health;
mod identity;
mod join;
mod keyspace;
mod limits;
mod math;
mod members;
mod mutation;
mod node;
mod orphans;
mod outbox;
mod recent;
mod rivals;
mod rng;
mod rumors;
mod state;
mod stats;
mod status;
mod storage;
#[cfg(test)]
mod story;
mod suspicion;
mod sync;
mod time;
mod verdicts;
mod views;
pub mod wire;

pub use config::{Buddy, Config, ConfigError, StopPolicy};
pub use event::Event;
pub use evidence::{Evidence, Fact};
pub use hash::name_hash;
pub use identity::{Identity, Profile, ProfileError};
pub use limits::TooLong;
#[cfg(swim_mutations)]
pub use mutation::Mutation;
pub use node::{Command, Entry, Input, Member, Members, Node, RestoreError, Rumor, Transmit};
pub use stats::Stats;
pub use status::{Incarnation, NodeId, RumorId, State, Status};
pub use time::Instant;

/// The version of this crate: the same one replays what it has recorded.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The generator of all random choices; its state is part of a snapshot.
pub const GENERATOR: &str = "xoshiro256**";

/// How many cases a property is tried with: next to none under Miri, which takes a hundred times as long for each.
#[cfg(test)]
fn cases(wanted: u64) -> u64 {
    if cfg!(miri) { wanted.div_ceil(1_000) } else { wanted }
}
