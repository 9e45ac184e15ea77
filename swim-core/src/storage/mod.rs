//! Containers: slab of rows, shuffled round-robin, transmit queue, deadline heap, bounded ring, tree of sums.
//!
//! All are indexed by slot (a row's place in the slab), all have a `check` that compares every index with its plain
//! meaning, and none allocates after the slab has grown to its size, but for deadlines, and for members that are in both
//! transmit queues: there is room for many and no more, since hardly ever all members have one, or are in both.

mod buckets;
mod deadlines;
mod index;
mod links;
mod order;
mod pair;
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
pub(crate) use pair::Pair;
pub(crate) use radix::{Chains, FAN, KEY_END, LEVELS, Radix, range_of};
pub(crate) use ring::Ring;
pub(crate) use slab::Slab;
pub(crate) use slots::Slots;
use slots::{NARROW_NONE, WIDE_NONE, narrow_of, narrow_to, wide_of, wide_to};

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;

/// Slots are below this, so that three bytes tell all of them from no slot.
pub(crate) const SLOTS_MAX: u32 = (1 << 24) - 1;

/// Most members of a table. Guests of [`Pair`] have places behind those of all slots, for which room is made beforehand.
pub(crate) const MEMBERS_MAX: usize = 1 << 22;

const _: () = assert!(2 * MEMBERS_MAX + MEMBERS_MAX / 16 < SLOTS_MAX as usize, "all places have numbers");

/// Arrays grow by a sixteenth of what they have: doubling would leave large ones half empty, and each copies its items sixteen
/// times in all, however large it becomes. Those of up to so many items grow by an eighth, since each step takes its time.
const LARGE: usize = 1_024;

/// Small ones grow by so many items at least.
const STEP: usize = 4;

/// For how many items room is made when there is some for `now` and `room` are needed: for more, since one more member seldom
/// comes alone.
fn room_for(room: usize, now: usize) -> usize {
    let step = if now <= LARGE { now / 8 } else { now / 16 };
    room.max(now.saturating_add(step.max(STEP)))
}

/// Makes room for so many items in all, and for some more.
pub(crate) fn make_room<T>(items: &mut Vec<T>, room: usize) {
    let now = items.capacity();
    if now < room {
        items.reserve_exact(room_for(room, now) - items.len());
    }
}
