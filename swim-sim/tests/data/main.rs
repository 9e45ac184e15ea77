//! States and rumors on the virtual network: what the experiments measure, held to bounds, and stories of what can be lost.

mod bounds;
mod forged;
mod lost;
#[path = "../stories/mod.rs"]
mod stories;
