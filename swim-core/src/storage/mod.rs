//! Containers: slab of rows, shuffled round-robin, transmit queue, deadline heap, bounded ring, tree of sums.
//!
//! All are indexed by slot (a row's place in the slab), all have a `check` that compares every index with its plain
//! meaning, and none allocates after the slab has grown to its size, but for deadlines: of them there is room for many and no
//! more, since hardly ever all members have one.

mod buckets;
mod deadlines;
mod index;
mod links;
mod order;
mod radix;
mod ring;
mod slab;
mod slots;

use alloc::vec::Vec;

pub(crate) use buckets::{Buckets, Take};
pub(crate) use deadlines::Deadlines;
pub(crate) use index::Index;
use links::Links;
pub(crate) use order::Order;
pub(crate) use radix::{FAN, KEY_END, LEVELS, Radix, range_of};
pub(crate) use ring::Ring;
pub(crate) use slab::Slab;
pub(crate) use slots::Slots;
use slots::{NARROW_NONE, WIDE_NONE, narrow_of, narrow_to, wide_of, wide_to};

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// Slots are below this, so that three bytes tell all of them from no slot.
pub(crate) const SLOTS_MAX: u32 = (1 << 24) - 1;

/// From so many on, arrays grow by an eighth: doubling would leave large ones half empty.
const LARGE: usize = 1_024;

/// Makes room for so many items in all, and for some more, since one more member seldom comes alone.
pub(crate) fn make_room<T>(items: &mut Vec<T>, room: usize) {
    let now = items.capacity();
    if now < room {
        let more = if now < LARGE { now } else { now / 8 };
        items.reserve_exact(room.max(now + more) - items.len());
    }
}
