//! What some broken members do to all others, and what a broken reader does to its node: two machines on one address, restarts
//! without end, a hundred that come back with lives before their last, events that nobody reads.

mod address;
#[path = "../util/draw.rs"]
mod draw;
#[path = "../util/heap.rs"]
mod heap;
mod liar;
mod lies;
mod masses;
mod restarts;
mod unread;
#[path = "../util/mod.rs"]
mod util;
