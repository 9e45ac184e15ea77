//! What a node saw, as a file, and its replay.
//!
//! A node is a function of its state and its inputs, so the inputs with their times *are* the run: [`Replay`] steps a fresh node
//! through them and compares a running [`Digest`] of everything that came out. `docs/trace.md` is the format's definition.
//!
//! - [`Trace`] reads a file: blocks that are checked one by one, lazily, without copying;
//! - [`Cursor`] walks what is in them: keyframes, inputs, outputs where they were recorded, gaps;
//! - [`Replay`] plays them;
//! - [`Tape`] records a node into memory; the recorder of `swim-driver`, which is bounded and never blocks, is built of the
//!   same [`block`]s.
//!
//! Nothing here opens a file, a socket or a thread.

#![forbid(unsafe_code)]

pub mod block;
mod bytes;
mod cursor;
mod digest;
mod entries;
mod error;
mod header;
mod index;
mod record;
mod replay;
mod tape;
mod trace;

pub use cursor::{Cursor, Item};
pub use digest::{Digest, state_hash};
pub use entries::{Entries, Entry};
pub use error::{Damage, TraceError};
pub use header::Header;
pub use index::{Index, Place};
pub use record::Recorded;
pub use replay::{Divergence, Outputs, Replay, ReplayError, Step, Summary};
pub use tape::{Steps, Tape};
pub use trace::{Block, Blocks, FORMAT_VERSION, Trace};
