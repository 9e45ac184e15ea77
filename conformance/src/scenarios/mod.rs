//! The scenarios, by what they are about. Those that name `Inspect` need a network on virtual time.

pub mod gossip;
pub mod identity;
pub mod leave;
pub mod lives;
pub mod partition;
pub mod probe;
pub mod rows;
pub mod suspicion;
pub mod time;
pub mod traffic;
pub mod verdicts;

mod common;
