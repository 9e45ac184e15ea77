//! What every binding of `swim-core` needs once, whatever its runtime: no executor, and no thread but the short-lived one that
//! resolves the names of seeds, and the one that writes a recorder's files.
//!
//! - [`Setup`] says how a node starts, and makes the two ends:
//! - [`Handle`], for the embedder: commands in, [`View`]s (level) and [`Events`] (edge) out, [`Rumors`], and a
//!   [`Watch`] of what members put into their states;
//! - [`Pump`], for the binding: datagrams, deadlines and commands in, sealed datagrams out;
//! - [`bind()`]: from an address and a set-up to both ends;
//! - [`Engine`]: a pump on a [`Socket`] that never blocks, which is all but the waiting; on a [`Reactor`], a future;
//! - [`Plain`]: the envelope around each frame that anybody can open; with a `Keyring`, nobody else does, and
//!   [`Alerts`] tell who tries;
//! - `Key`, `Keyring` and `JoinToken` (feature `aead`): who may open it;
//! - [`Seed`] and [`Resolver`]: through whom to join, by address or by name;
//! - [`Recorder`]: what the node saw, kept in a bounded ring, dumped as a trace;
//! - [`Clock`]: the machine's time as the core wants it.
//!
//! A binding is a loop that takes an engine's turns and waits in between. Between the two ends are a mailbox, a
//! view cell and an event ring, all bounded.

#![forbid(unsafe_code)]

mod advertise;
mod alerts;
#[cfg(all(test, not(loom)))]
mod app_tests;
mod bind;
mod bind_error;
mod cell;
mod clock;
mod engine;
mod events;
#[cfg(feature = "aead")]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod held;
#[cfg(all(test, loom))]
mod loom_models;
mod mailbox;
mod own_state;
mod pump;
mod reads;
mod receives;
mod recorder;
mod resolver;
mod ring;
mod rows;
mod rumors;
mod seal;
mod seed;
mod seeds;
mod setup;
mod socket;
mod state;
mod stats;
mod sync;
mod task;
#[cfg(all(test, not(loom)))]
mod test_net;
#[cfg(all(test, not(loom)))]
mod test_socket;
#[cfg(all(test, not(loom)))]
mod test_task;
#[cfg(feature = "aead")]
mod token;
mod typed;
mod view;
mod waiters;
mod watch;

pub use swim_core;
pub use swim_trace;

pub use advertise::OnlyHere;
pub use alerts::{Alert, Alerts};
pub use bind::{bind, bind_blocking, bind_on, bind_on_blocking};
pub use bind_error::BindError;
pub use clock::Clock;
pub use engine::{Engine, Socket, Turn};
pub use events::{Events, RecvError, RecvTimeoutError, TryRecvError};
pub use handle::Handle;
pub use mailbox::{CommandError, Mailbox, Waker};
pub use pump::Pump;
pub use recorder::{Dumps, Recorder, RecorderStats, Recording};
pub use resolver::{Query, Resolver};
pub use rumors::{Heard, RumorView, Rumors};
#[cfg(feature = "aead")]
pub use seal::{Key, KeyId, KeyTextError, Keyring, KeyringError, KeysHeard, Secrets};
pub use seal::{Plain, Refused};
pub use seed::{Seed, SeedError};
pub use setup::{Setup, SetupError};
pub use socket::SocketOptions;
pub use state::EntryView;
pub use stats::{Counters, DriverStats};
pub use task::Reactor;
#[cfg(feature = "aead")]
pub use token::{JoinToken, TokenError};
pub use typed::StateError;
pub use view::{MemberView, View};
pub use watch::{Change, Watch};

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
        everywhere::<EntryView>();
        everywhere::<RumorView>();
        anywhere::<Events>();
        anywhere::<Rumors>();
        anywhere::<Alerts>();
        anywhere::<Watch>();
        anywhere::<Pump>();
        anywhere::<Query>();
    }
}
