//! Clusters that seal, on the virtual network: what is promised in `docs/security.md`, held against whoever is on the path.
//!
//! Many of the tests play a world twice, once with an attacker and once without: all that nodes know, have counted and have
//! told must be the same in both, to the byte. So links take 5 ms and lose nothing there, and no draw can go another way.
//!
//! Sizes are smaller where nothing is optimised; `.ci/run` plays them whole. Figures are printed with `-- --nocapture`.

mod cluster;
#[path = "../util/draw.rs"]
mod draw;
mod flips;
mod formation;
#[path = "../util/heap.rs"]
mod heap;
mod migration;
mod replays;
mod rotation;
mod strangers;
