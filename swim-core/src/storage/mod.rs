//! Containers: slab of rows, shuffled round-robin, transmit queue, deadline heap, bounded ring, tree of sums.
//!
//! All are indexed by slot (a row's place in the slab), all have a `check` that compares every index with its plain
//! meaning, and none allocates after the slab has grown to its size.

mod buckets;
mod deadlines;
mod order;
mod radix;
mod ring;
mod slab;

pub(crate) use buckets::{Buckets, Take};
pub(crate) use deadlines::Deadlines;
pub(crate) use order::Order;
pub(crate) use radix::{FAN, KEY_END, LEVELS, Radix, range_of};
pub(crate) use ring::Ring;
pub(crate) use slab::Slab;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;
