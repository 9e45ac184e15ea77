//! Two transmit queues over the same slots that share one set of links: what is small, and what is large.
//!
//! A slot is seldom in both, so both have one place for it, and whichever it is in takes that. Only what is small of a slot
//! that is queued as large needs a place elsewhere: a guest's, behind those of all slots. There is room for some of them,
//! found by a hash; beyond that, one more takes memory.
//!
//! Whatever is done, both are what two [`Buckets`](super::Buckets) would be, and they are written as such.

use serde::{Deserialize, Serialize};

use super::buckets::{COUNT, FIRST, IDLE, LIMIT_MAX, Lanes, List, Places, SECOND, Stored, Take};
use super::{Index, MEMBERS_MAX, NONE, Slab, room_for};
use crate::hash::mix64;

/// In a table of up to so many slots all can be in both queues without an allocation.
const FEW: usize = 32;

/// In a larger one, one in so many: what is large is told for a short while only, and few statuses change meanwhile.
const SHARE: usize = 32;

/// Both queues.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct Pair {
    lanes: Lanes<Guests>,
    /// Slots are below this.
    slots: usize,
}

/// What is small of slots that are queued as large.
#[derive(Clone, Debug)]
struct Guests {
    /// Places below this are their slots'.
    base: u32,
    /// By place, from `base` on.
    slots: Slab<u32>,
    /// The place less `base`, by the hash of the slot.
    by_slot: Index,
}

impl Guests {
    fn new() -> Self {
        Self { base: 0, slots: Slab::new(0), by_slot: Index::default() }
    }

    #[inline]
    fn place(&self, slot: u32) -> Option<u32> {
        if self.slots.len() == 0 {
            return None;
        }
        let at = self.by_slot.find(hash(slot), |at| self.slots.get(at) == Some(&slot));
        at.map(|at| self.base + at)
    }

    /// Whose this place is, from `base` on.
    #[cold]
    fn guest(&self, place: u32) -> u32 {
        self.slots.get(place - self.base).copied().unwrap_or(NONE)
    }

    /// Nobody's from now on is this place, from `base` on.
    #[cold]
    fn dismiss(&mut self, place: u32) {
        let at = place - self.base;
        if let Some(slot) = self.slots.remove(at) {
            self.by_slot.remove(at, hash(slot));
        }
    }

    /// Of how many there is room at least.
    fn room(&self) -> usize {
        let base = self.base as usize;
        base.min(FEW.max(base / SHARE))
    }

    fn has_room(&self) -> bool {
        self.slots.capacity() >= self.room()
    }

    /// Gives the slot a place.
    fn admit(&mut self, slot: u32) -> u32 {
        let at = self.slots.insert(slot);
        let slots = &self.slots;
        self.by_slot.insert(at, |at| hash_at(slots, at));
        self.base + at
    }
}

fn hash(slot: u32) -> u64 {
    mix64(u64::from(slot))
}

fn hash_at(slots: &Slab<u32>, at: u32) -> u64 {
    slots.get(at).map_or(0, |&slot| hash(slot))
}

impl Places for Guests {
    #[inline]
    fn slot(&self, place: u32) -> u32 {
        if place < self.base { place } else { self.guest(place) }
    }

    #[inline]
    fn left(&mut self, place: u32) {
        if place >= self.base {
            self.dismiss(place);
        }
    }
}

/// What is small of a slot is in the one lane, what is large in the other.
fn lane(large: bool) -> u8 {
    if large { FIRST } else { SECOND }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self { lanes: Lanes::new(2, Guests::new()), slots: 0 }
    }

    /// Admits slots below `slots`; nothing else allocates as long as [`FEW`] or one in [`SHARE`] are in both queues at most.
    pub(crate) fn grow(&mut self, slots: usize) {
        self.slots = self.slots.max(slots);
        let base = self.lanes.places.base as usize;
        if self.slots > base {
            self.make_room(room_for(self.slots, base));
        } else if !self.lanes.places.has_room() {
            // A clone has no more room than it needs.
            self.reserve();
        }
    }

    /// The places of so many slots come before those of the guests, who move.
    #[cold]
    fn make_room(&mut self, base: usize) {
        let former = core::mem::replace(&mut self.lanes.places.base, base as u32);
        self.reserve();
        // From the last one on, since their new places are among the former ones.
        for at in (0..self.lanes.places.slots.slots() as u32).rev() {
            if self.lanes.places.slots.get(at).is_some() {
                self.lanes.relocate(former + at, base as u32 + at);
            }
        }
    }

    /// Takes the room for guests that so many slots have, and for those that there are.
    fn reserve(&mut self) {
        let (base, guests) = (self.lanes.places.base as usize, &mut self.lanes.places);
        let room = guests.room().max(guests.slots.slots());
        guests.slots.reserve(room);
        // Twice as much, so that this table is never made larger for the traces of those that are gone.
        if guests.by_slot.capacity() < 2 * room {
            guests.by_slot = Index::with_capacity(2 * room);
            guests.slots.iter().for_each(|(at, _)| guests.by_slot.insert(at, |at| hash_at(&guests.slots, at)));
        }
        self.lanes.grow(base + room);
    }

    /// What is small of this slot is to be told, or what is large, and then the small goes with it: from the start.
    #[inline]
    pub(crate) fn enqueue(&mut self, slot: u32, large: bool) {
        debug_assert!((slot as usize) < self.slots, "a slot was admitted before it is queued");
        let moves = !self.lanes.is_idle(slot) || self.lanes.places.slots.len() > 0;
        let place = if moves { self.place_anew(slot, large) } else { slot };
        self.lanes.append(place, lane(large));
    }

    /// Takes out what goes, and tells the place for what comes.
    #[cold]
    #[inline(never)]
    fn place_anew(&mut self, slot: u32, large: bool) -> u32 {
        self.remove_from(slot, false);
        if large {
            self.remove_from(slot, true);
        }
        if self.lanes.is_idle(slot) {
            return slot;
        }
        let place = self.lanes.places.admit(slot);
        self.lanes.grow(place as usize + 1);
        place
    }

    /// Takes a slot out of both queues.
    pub(crate) fn remove(&mut self, slot: u32) {
        self.remove_from(slot, false);
        self.remove_from(slot, true);
    }

    #[inline]
    fn remove_from(&mut self, slot: u32, large: bool) {
        if let Some(place) = self.place(slot, large) {
            self.lanes.remove(lane(large), place);
        }
    }

    /// Where what is large of this slot is queued, or what is small.
    #[inline]
    fn place(&self, slot: u32, large: bool) -> Option<u32> {
        if large {
            return self.lanes.sent(FIRST, slot).map(|_| slot);
        }
        match self.lanes.sent(SECOND, slot) {
            // Behind all slots are places of guests, which are no slots.
            Some(_) if slot < self.lanes.places.base => Some(slot),
            _ => self.lanes.places.place(slot),
        }
    }

    pub(crate) fn contains(&self, slot: u32, large: bool) -> bool {
        self.place(slot, large).is_some()
    }

    /// How many are queued.
    pub(crate) fn len(&self, large: bool) -> usize {
        self.lanes.len(lane(large))
    }

    /// See [`Lanes::visit`].
    #[inline]
    pub(crate) fn visit(&mut self, large: bool, limit: u8, skips_max: usize, f: impl FnMut(u32, bool) -> Take) {
        self.lanes.visit(lane(large), limit, skips_max, f);
    }

    /// See [`Lanes::retain`].
    pub(crate) fn retain(&mut self, large: bool, keep: impl FnMut(u32) -> bool) -> usize {
        self.lanes.retain(lane(large), keep)
    }

    /// See [`Lanes::count`].
    pub(crate) fn count(&mut self, slot: u32, large: bool, limit: u8) -> bool {
        let Some(place) = self.place(slot, large) else { return false };
        self.lanes.count(lane(large), place, limit)
    }

    /// Both queues are what they must be, and no guest is in vain.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.lanes.check()?;
        let base = self.lanes.places.base;
        if self.slots > base as usize || self.lanes.sent.len() < base as usize {
            return Err("pair: a slot has no place");
        }
        if self.lanes.sent[self.slots..base as usize].iter().any(|&sent| sent != IDLE) {
            return Err("pair: a slot is queued that was never admitted");
        }
        for (at, &slot) in self.lanes.places.slots.iter() {
            if self.lanes.places.place(slot) != Some(base + at) || slot >= base {
                return Err("pair: a guest is not found");
            }
            if self.lanes.sent(SECOND, base + at).is_none() || self.lanes.sent(SECOND, slot).is_some() {
                return Err("pair: a guest is in vain");
            }
        }
        let queued = |&at: &usize| self.lanes.sent[at] != IDLE;
        let guests = (base as usize..self.lanes.sent.len()).filter(queued).count();
        if guests != self.lanes.places.slots.len() || guests != self.lanes.places.by_slot.len() {
            return Err("pair: a place is nobody's");
        }
        Ok(())
    }
}

/// How both are written.
#[derive(Serialize, Deserialize)]
struct Written {
    small: Stored,
    large: Stored,
}

impl From<Pair> for Written {
    fn from(pair: Pair) -> Self {
        Self { small: pair.stored(false), large: pair.stored(true) }
    }
}

impl Pair {
    fn stored(&self, large: bool) -> Stored {
        let lists = self.lanes.lists.iter().skip(usize::from(lane(large))).take(COUNT);
        let slot = |place: u32| if place == NONE { NONE } else { self.lanes.places.slot(place) };
        let links = |of: fn((u32, u32)) -> u32| {
            let link = |i| self.place(i, large).map_or(NONE, |place| slot(of(self.lanes.links.at(place as usize))));
            (0..self.slots as u32).map(link).collect()
        };
        let sent = |place| self.lanes.sent(lane(large), place);
        Stored {
            prev: links(|l| l.0),
            next: links(|l| l.1),
            sent: (0..self.slots as u32).map(|i| self.place(i, large).and_then(sent).unwrap_or(IDLE)).collect(),
            heads: lists.clone().map(|list| slot(list.head)).collect(),
            tails: lists.clone().map(|list| slot(list.tail)).collect(),
            lens: lists.map(|list| list.len).collect(),
            len: self.len(large),
        }
    }

    /// Links one of the queues as it was written, all of whose slots have their counts already.
    fn link(&mut self, stored: &Stored, large: bool) -> Result<(), &'static str> {
        let place = |pair: &Self, slot: u32| match pair.place(slot, large) {
            None if slot != NONE => Err("pair: a link is to a slot that is not queued"),
            place => Ok(place.unwrap_or(NONE)),
        };
        for slot in 0..self.slots {
            let links = (place(self, stored.prev[slot])?, place(self, stored.next[slot])?);
            match self.place(slot as u32, large) {
                Some(at) => self.lanes.links.set(at as usize, links),
                None if links == (NONE, NONE) => {}
                None => return Err("pair: a slot that is not queued is linked"),
            }
        }
        let first = lane(large);
        for i in 0..COUNT {
            let (head, tail) = (place(self, stored.heads[i])?, place(self, stored.tails[i])?);
            self.lanes.lists[usize::from(first) + i] = List { head, tail, len: stored.lens[i] };
        }
        self.lanes.set_len(first, stored.len);
        Ok(())
    }
}

impl TryFrom<Written> for Pair {
    type Error = &'static str;

    fn try_from(Written { small, large }: Written) -> Result<Self, Self::Error> {
        small.check()?;
        large.check()?;
        let slots = large.sent.len();
        if small.sent.len() != slots || slots > MEMBERS_MAX {
            return Err("pair: the queues are not of the same slots");
        }
        if small.sent.iter().chain(&large.sent).any(|&sent| sent >= LIMIT_MAX && sent != IDLE) {
            return Err("pair: a slot was sent more often than there is a limit");
        }
        let mut pair = Self::new();
        pair.grow(slots);
        for slot in 0..slots {
            if large.sent[slot] != IDLE {
                pair.lanes.sent[slot] = large.sent[slot];
            }
            if small.sent[slot] != IDLE {
                let place = if large.sent[slot] == IDLE { slot as u32 } else { pair.lanes.places.admit(slot as u32) };
                pair.lanes.grow(place as usize + 1);
                pair.lanes.sent[place as usize] = SECOND + small.sent[slot];
            }
        }
        pair.link(&small, false)?;
        pair.link(&large, true)?;
        Ok(pair)
    }
}

#[cfg(test)]
mod tests;
