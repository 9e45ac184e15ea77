//! The scenarios, by what they are about. Those that name `Inspect` need a network on virtual time,
//! those that name `Sockets` one of real sockets.

pub mod carried;
pub mod deaths;
pub mod embedder;
pub mod faults;
pub mod gossip;
pub mod handles;
pub mod identity;
pub mod joins;
pub mod leave;
pub mod lives;
pub mod network;
pub mod partition;
pub mod probe;
pub mod restarts;
pub mod rows;
pub mod rumors;
pub mod sockets;
pub mod splits;
pub mod state;
pub mod suspicion;
pub mod time;
pub mod traffic;
pub mod verdicts;

mod common;
mod data;
