//! What is still to be told: the transmit queue, as lists of slots by how often they were sent.
//!
//! SWIM (section 4.1) counts how often each update was piggybacked and prefers those that were sent fewer times. A bucket
//! holds the slots sent equally often, oldest first, as a doubly linked list through arrays indexed by slot, so every
//! step is O(1) and nothing is ever searched.
//!
//! The queue holds *who* changed, not what: the newest status is read when it is written out, and a slot is queued once,
//! so that a newer status replaces an older one by construction.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Links, NONE, SLOTS_MAX, make_room};

/// What became of a slot that was visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// It was sent: its count goes up, and at the limit it leaves the queue.
    Taken,
    /// Not this time: it keeps its place.
    Skip,
    /// There is no room for more: it keeps its place, and the visit ends.
    Stop,
}

/// The queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Buckets(Lanes<Same>);

/// One queue, or two whose slots are never both at a place: each is a lane, which is so many buckets.
#[derive(Clone, Debug)]
pub(super) struct Lanes<P> {
    /// By place.
    pub(super) links: Links,
    /// The bucket that a place is in: how often its slot was sent, from the first bucket of the lane on. `IDLE` when it is not
    /// queued.
    pub(super) sent: Vec<u8>,
    /// By bucket.
    pub(super) lists: Vec<List>,
    /// By lane.
    pub(super) lens: [usize; 2],
    pub(super) places: P,
}

/// The first bucket of each lane.
pub(super) const FIRST: u8 = 0;
pub(super) const SECOND: u8 = 1 << LANE_BITS;
const LANE_BITS: u32 = 6;

/// Whose the places are.
pub(super) trait Places {
    /// The slot at a queued place.
    fn slot(&self, place: u32) -> u32;

    /// The place is queued no longer.
    fn left(&mut self, place: u32);
}

/// Each slot has the place of its number.
#[derive(Clone, Debug)]
struct Same;

impl Places for Same {
    #[inline]
    fn slot(&self, place: u32) -> u32 {
        place
    }

    #[inline]
    fn left(&mut self, _: u32) {}
}

/// A bucket: its first slot, its last one, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) len: u32,
}

const NO_LIST: List = List { head: NONE, tail: NONE, len: 0 };

/// How a queue is written.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) prev: Vec<u32>,
    pub(super) next: Vec<u32>,
    pub(super) sent: Vec<u8>,
    pub(super) heads: Vec<u32>,
    pub(super) tails: Vec<u32>,
    pub(super) lens: Vec<u32>,
    pub(super) len: usize,
}

impl Stored {
    /// Are the arrays as long as they must be?
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.prev.len() != self.sent.len() || self.next.len() != self.sent.len() {
            return Err("buckets: the arrays by slot differ in length");
        }
        if [&self.heads, &self.tails, &self.lens].iter().any(|a| a.len() != COUNT) {
            return Err("buckets: the arrays by bucket are not of their length");
        }
        Ok(())
    }
}

impl From<Buckets> for Stored {
    fn from(Buckets(b): Buckets) -> Self {
        let links = |of: fn((u32, u32)) -> u32| (0..b.sent.len()).map(|i| of(b.links.at(i))).collect();
        let lists = |of: fn(&List) -> u32| b.lists.iter().take(COUNT).map(of).collect();
        let (prev, next) = (links(|l| l.0), links(|l| l.1));
        let (heads, tails, lens) = (lists(|l| l.head), lists(|l| l.tail), lists(|l| l.len));
        Self { prev, next, heads, tails, lens, len: b.len(FIRST), sent: b.sent }
    }
}

impl TryFrom<Stored> for Buckets {
    type Error = &'static str;

    fn try_from(s: Stored) -> Result<Self, Self::Error> {
        s.check()?;
        let mut lanes = Lanes::new(1, Same);
        let greatest = s.prev.iter().chain(&s.next).copied().filter(|&n| n != NONE).max().unwrap_or(0);
        if greatest >= SLOTS_MAX {
            return Err("buckets: a link is beyond all slots");
        }
        // As wide as all slots need: whoever is queued next is none that is linked by now.
        lanes.links.grow(s.sent.len(), s.sent.len().max(greatest as usize + 1));
        (0..s.sent.len()).for_each(|i| lanes.links.set(i, (s.prev[i], s.next[i])));
        let lists = (0..COUNT).map(|i| List { head: s.heads[i], tail: s.tails[i], len: s.lens[i] });
        lanes.lists.iter_mut().zip(lists).for_each(|(list, stored)| *list = stored);
        (lanes.sent, lanes.lens) = (s.sent, [s.len, 0]);
        Ok(Self(lanes))
    }
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self(Lanes::new(1, Same))
    }

    /// Admits slots below `slots`; nothing else allocates.
    pub(crate) fn grow(&mut self, slots: usize) {
        self.0.grow(slots);
    }

    /// Queues a slot as never sent, behind all others of that count; also when it is queued already.
    pub(crate) fn enqueue(&mut self, slot: u32) {
        self.remove(slot);
        self.0.append(slot, FIRST);
    }

    /// Takes a slot out of the queue. Does nothing when it is not queued.
    #[inline]
    pub(crate) fn remove(&mut self, slot: u32) {
        self.0.remove(FIRST, slot);
    }

    /// Offers the queued slots to `f`, see [`Lanes::visit`].
    #[inline]
    pub(crate) fn visit(&mut self, limit: u8, skips_max: usize, f: impl FnMut(u32, bool) -> Take) {
        self.0.visit(FIRST, limit, skips_max, f);
    }

    /// Takes every slot out that `keep` does not hold back; returns how many.
    pub(crate) fn retain(&mut self, keep: impl FnMut(u32) -> bool) -> usize {
        self.0.retain(FIRST, keep)
    }

    /// See [`Lanes::count`].
    #[cfg(test)]
    pub(super) fn count(&mut self, slot: u32, limit: u8) -> bool {
        self.0.count(FIRST, slot, limit)
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.sent(slot).is_some()
    }

    /// How often a queued slot was sent.
    #[inline]
    pub(crate) fn sent(&self, slot: u32) -> Option<u8> {
        self.0.sent(FIRST, slot)
    }

    /// The slot that a visit offers first, as long as the limit has not shrunk.
    pub(crate) fn first(&self) -> Option<u32> {
        self.0.lists.iter().map(|list| list.head).find(|&slot| slot != NONE)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len(FIRST)
    }

    /// The lists are linked both ways and hold each queued slot once, in the bucket of its count.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.0.check()
    }
}

impl<P: Places> Lanes<P> {
    pub(super) fn new(lanes: usize, places: P) -> Self {
        Self { links: Links::new(), sent: Vec::new(), lists: vec![NO_LIST; lanes << LANE_BITS], lens: [0; 2], places }
    }

    pub(super) fn grow(&mut self, places: usize) {
        if places > self.sent.len() {
            make_room(&mut self.sent, places);
            self.sent.resize(places, IDLE);
        }
        self.links.grow(self.sent.len(), self.sent.len());
    }

    #[inline]
    pub(super) fn is_idle(&self, place: u32) -> bool {
        self.sent.get(place as usize).is_none_or(|&sent| sent == IDLE)
    }

    #[inline]
    pub(super) fn remove(&mut self, lane: u8, place: u32) {
        if let Some(sent) = self.sent(lane, place) {
            self.unlink(place, lane + sent);
            self.places.left(place);
        }
    }

    /// Takes a slot out of its bucket.
    fn unlink(&mut self, slot: u32, bucket: u8) {
        let (prev, next) = self.links.at(slot as usize);
        let list = &mut self.lists[usize::from(bucket)];
        match prev {
            NONE => list.head = next,
            p => self.links.set_next(p as usize, next),
        }
        match next {
            NONE => list.tail = prev,
            n => self.links.set_prev(n as usize, prev),
        }
        list.len -= 1;
        self.links.set(slot as usize, (NONE, NONE));
        self.sent[slot as usize] = IDLE;
        self.lens[usize::from(bucket >> LANE_BITS)] -= 1;
    }

    /// Offers the queued slots to `f`, least sent first and oldest first among equals, each at most once, and whether it
    /// would be the last time.
    ///
    /// What was sent `limit` times leaves the queue, at once or, when the limit has shrunk meanwhile, unasked. `limit` is
    /// at most 63. The visit ends after `skips_max` skips, so its work is bounded by what fits plus what is skipped (and
    /// what is dropped, which each slot pays for once).
    pub(super) fn visit(&mut self, lane: u8, limit: u8, skips_max: usize, mut f: impl FnMut(u32, bool) -> Take) {
        let limit = lane + limit.min(LIMIT_MAX);
        let (mut unvisited, mut skips, mut moved_in) = (self.len(lane), 0, 0);
        for bucket in lane..lane + LIMIT_MAX {
            if unvisited == 0 {
                return;
            }
            // Those that this visit moved into the bucket stand at its tail, behind the ones it has to offer.
            let offers = self.lists[usize::from(bucket)].len as usize - moved_in;
            unvisited -= offers;
            moved_in = 0;
            let mut slot = self.lists[usize::from(bucket)].head;
            let (mut run, mut ends) = (NO_LIST, false);
            for _ in 0..offers {
                let (_, next) = self.links.at(slot as usize);
                match if bucket < limit { f(self.places.slot(slot), bucket + 1 == limit) } else { Take::Taken } {
                    Take::Taken if bucket + 1 < limit => {
                        self.sent[slot as usize] = bucket + 1;
                        run = List { head: if run.len == 0 { slot } else { run.head }, tail: slot, len: run.len + 1 };
                    }
                    Take::Taken => {
                        self.unlink(slot, bucket);
                        self.places.left(slot);
                    }
                    Take::Skip => {
                        moved_in += self.advance(core::mem::replace(&mut run, NO_LIST), bucket);
                        skips += 1;
                        ends = skips >= skips_max;
                    }
                    Take::Stop => ends = true,
                }
                if ends {
                    break;
                }
                slot = next;
            }
            moved_in += self.advance(run, bucket);
            if ends {
                return;
            }
        }
    }

    /// Moves a run of slots that stand behind each other in this bucket to the end of the next one, whose count they have
    /// already; returns how many. Between them their links stay.
    fn advance(&mut self, run: List, bucket: u8) -> usize {
        if run.len == 0 {
            return 0;
        }
        let (prev, next) = (self.links.at(run.head as usize).0, self.links.at(run.tail as usize).1);
        let from = &mut self.lists[usize::from(bucket)];
        from.len -= run.len;
        match prev {
            NONE => from.head = next,
            p => self.links.set_next(p as usize, next),
        }
        match next {
            NONE => from.tail = prev,
            n => self.links.set_prev(n as usize, prev),
        }
        let to = &mut self.lists[usize::from(bucket) + 1];
        let tail = core::mem::replace(&mut to.tail, run.tail);
        to.len += run.len;
        match tail {
            NONE => to.head = run.head,
            t => self.links.set_next(t as usize, run.head),
        }
        self.links.set_prev(run.head as usize, tail);
        self.links.set_next(run.tail as usize, NONE);
        run.len as usize
    }

    pub(super) fn retain(&mut self, lane: u8, mut keep: impl FnMut(u32) -> bool) -> usize {
        let before = self.len(lane);
        for bucket in lane..lane + LIMIT_MAX {
            let mut place = self.lists[usize::from(bucket)].head;
            while place != NONE {
                let (_, next) = self.links.at(place as usize);
                if !keep(self.places.slot(place)) {
                    self.remove(lane, place);
                }
                place = next;
            }
        }
        before - self.len(lane)
    }

    /// Counts one sending of a queued place outside a visit. Tells whether it was the last.
    pub(super) fn count(&mut self, lane: u8, place: u32, limit: u8) -> bool {
        let Some(sent) = self.sent(lane, place) else { return false };
        self.unlink(place, lane + sent);
        let more = sent + 1 < limit.min(LIMIT_MAX);
        if more {
            self.append(place, lane + sent + 1);
        } else {
            self.places.left(place);
        }
        !more
    }

    /// What is queued at one place is at another one from now on, where nothing was.
    pub(super) fn relocate(&mut self, from: u32, to: u32) {
        let bucket = self.sent[from as usize];
        let (prev, next) = self.links.at(from as usize);
        let list = &mut self.lists[usize::from(bucket)];
        match prev {
            NONE => list.head = to,
            p => self.links.set_next(p as usize, to),
        }
        match next {
            NONE => list.tail = to,
            n => self.links.set_prev(n as usize, to),
        }
        self.links.set(to as usize, (prev, next));
        self.links.set(from as usize, (NONE, NONE));
        self.sent.swap(from as usize, to as usize);
    }

    /// How often what is queued here was sent.
    #[inline]
    pub(super) fn sent(&self, lane: u8, place: u32) -> Option<u8> {
        self.sent.get(place as usize).map(|&bucket| bucket.wrapping_sub(lane)).filter(|&sent| sent < LIMIT_MAX)
    }

    #[inline]
    pub(super) fn len(&self, lane: u8) -> usize {
        self.lens[usize::from(lane >> LANE_BITS)]
    }

    pub(super) fn set_len(&mut self, lane: u8, len: usize) {
        self.lens[usize::from(lane >> LANE_BITS)] = len;
    }

    /// The lists are linked both ways and hold each queued place once, in the bucket of its count.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.links.len() != self.sent.len() || self.lists.len() < COUNT {
            return Err("buckets: an array is not of its length");
        }
        let mut total = [0; 2];
        for bucket in 0..self.lists.len() {
            total[bucket >> LANE_BITS] += self.check_list(bucket as u8)?;
        }
        if total != self.lens || total[0] + total[1] != self.sent.iter().filter(|&&s| s != IDLE).count() {
            return Err("buckets: a queued slot is in no list");
        }
        Ok(())
    }

    /// The length of one list. A list that is wrong ends at the first link that is, so this always ends.
    fn check_list(&self, bucket: u8) -> Result<usize, &'static str> {
        let (mut prev, mut slot, mut len) = (NONE, self.lists[usize::from(bucket)].head, 0);
        while slot != NONE {
            if self.sent.get(slot as usize) != Some(&bucket) {
                return Err("buckets: a slot is in the list of another count");
            }
            let (back, forth) = self.links.at(slot as usize);
            if back != prev {
                return Err("buckets: a link back is not the link forth");
            }
            (prev, slot, len) = (slot, forth, len + 1);
        }
        let list = self.lists[usize::from(bucket)];
        if list.tail != prev || list.len as usize != len {
            return Err("buckets: a tail or a length is wrong");
        }
        Ok(len)
    }

    /// Behind all others of this bucket.
    #[inline(always)]
    pub(super) fn append(&mut self, slot: u32, bucket: u8) {
        let list = &mut self.lists[usize::from(bucket)];
        let tail = core::mem::replace(&mut list.tail, slot);
        list.len += 1;
        match tail {
            NONE => list.head = slot,
            t => self.links.set_next(t as usize, slot),
        }
        self.links.set(slot as usize, (tail, NONE));
        self.sent[slot as usize] = bucket;
        self.lens[usize::from(bucket >> LANE_BITS)] += 1;
    }
}

/// The greatest retransmit limit. What was sent that often is dropped, so counts stay below it.
pub(super) const LIMIT_MAX: u8 = 63;
/// The number of buckets: one for each count below the limit.
pub(super) const COUNT: usize = LIMIT_MAX as usize;
/// The count of a slot that is not queued.
pub(super) const IDLE: u8 = u8::MAX;

#[cfg(test)]
mod tests;
