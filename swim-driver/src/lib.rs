//! What every binding of `swim-core` needs once, whatever its runtime: no socket, no executor, and no thread but the
//! short-lived one that resolves the names of seeds.
//!
//! - [`Setup`] says how a node starts, and makes the two ends:
//! - [`Handle`], for the embedder: commands in, [`View`]s (level) and [`Events`] (edge) out;
//! - [`Pump`], for the binding: datagrams, deadlines and commands in, sealed datagrams out;
//! - [`Seal`] and [`Plain`]: the envelope around each frame;
//! - [`Seed`] and [`Resolver`]: through whom to join, by address or by name;
//! - [`Clock`]: the machine's time as the core wants it.
//!
//! A binding is a loop around a pump; its type documentation has the four steps. Between the two ends are a mailbox, a
//! view cell and an event ring, all bounded.

#![forbid(unsafe_code)]

mod cell;
mod clock;
mod events;
mod handle;
mod mailbox;
mod pump;
mod resolver;
mod rows;
mod seal;
mod seed;
mod seeds;
mod setup;
mod sync;
mod view;

pub use swim_core;

pub use clock::Clock;
pub use events::{Events, RecvError, RecvTimeoutError, TryRecvError};
pub use handle::Handle;
pub use mailbox::{CommandError, Mailbox, Waker};
pub use pump::{DriverStats, Pump};
pub use resolver::{Query, Resolver};
pub use seal::{Plain, Refused, Seal};
pub use seed::{Seed, SeedError};
pub use setup::{Setup, SetupError};
pub use view::{MemberView, View};

#[cfg(test)]
mod tests {
    use super::*;

    /// What an embedder may do with these is part of their contract.
    #[test]
    fn what_crosses_threads_may() {
        fn everywhere<T: Clone + Send + Sync + 'static>() {}
        fn anywhere<T: Send + 'static>() {}
        everywhere::<Handle>();
        everywhere::<std::sync::Arc<View>>();
        everywhere::<MemberView>();
        everywhere::<Resolver>();
        everywhere::<Seed>();
        anywhere::<Events>();
        anywhere::<Pump>();
        anywhere::<Query>();
    }
}
