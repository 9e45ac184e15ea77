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

use super::{NONE, Slots, make_room};

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

/// The queue; `prev`, `next` and `sent` are by slot, `heads`, `tails` and `lens` by bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Buckets {
    prev: Slots,
    next: Slots,
    /// How often the slot was sent, which is its bucket; `IDLE` when it is not queued.
    sent: Vec<u8>,
    heads: Vec<u32>,
    tails: Vec<u32>,
    lens: Vec<u32>,
    len: usize,
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self {
            prev: Slots::new(),
            next: Slots::new(),
            sent: Vec::new(),
            heads: vec![NONE; COUNT],
            tails: vec![NONE; COUNT],
            lens: vec![0; COUNT],
            len: 0,
        }
    }

    /// Admits slots below `slots`; nothing else allocates.
    pub(crate) fn grow(&mut self, slots: usize) {
        for links in [&mut self.prev, &mut self.next] {
            // A restored copy without news is narrow, however many slots there are.
            links.admit(slots);
            links.fill(slots);
        }
        if slots > self.sent.len() {
            make_room(&mut self.sent, slots);
            self.sent.resize(slots, IDLE);
        }
    }

    /// Queues a slot as never sent, behind all others of that count; also when it is queued already.
    pub(crate) fn enqueue(&mut self, slot: u32) {
        self.remove(slot);
        self.append(slot, 0);
    }

    /// Takes a slot out of the queue. Does nothing when it is not queued.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(bucket) = self.sent(slot).map(usize::from) else { return };
        let (prev, next) = (self.prev.at(slot as usize), self.next.at(slot as usize));
        match prev {
            NONE => self.heads[bucket] = next,
            p => self.next.set(p as usize, next),
        }
        match next {
            NONE => self.tails[bucket] = prev,
            n => self.prev.set(n as usize, prev),
        }
        self.prev.set(slot as usize, NONE);
        self.next.set(slot as usize, NONE);
        self.sent[slot as usize] = IDLE;
        self.lens[bucket] -= 1;
        self.len -= 1;
    }

    /// Offers the queued slots to `f`, least sent first and oldest first among equals, each at most once, and whether it
    /// would be the last time.
    ///
    /// What was sent `limit` times leaves the queue, at once or, when the limit has shrunk meanwhile, unasked. `limit` is
    /// at most 63. The visit ends after `skips_max` skips, so its work is bounded by what fits plus what is skipped (and
    /// what is dropped, which each slot pays for once).
    pub(crate) fn visit(&mut self, limit: u8, skips_max: usize, mut f: impl FnMut(u32, bool) -> Take) {
        let limit = limit.min(LIMIT_MAX);
        let (mut unvisited, mut skips, mut moved_in) = (self.len, 0, 0);
        for bucket in 0..LIMIT_MAX {
            if unvisited == 0 {
                return;
            }
            // Those that this visit moved into the bucket stand at its tail, behind the ones it has to offer.
            let offers = self.lens[usize::from(bucket)] as usize - moved_in;
            unvisited -= offers;
            moved_in = 0;
            let mut slot = self.heads[usize::from(bucket)];
            for _ in 0..offers {
                let next = self.next.at(slot as usize);
                let take = if bucket < limit { f(slot, bucket + 1 == limit) } else { Take::Taken };
                match take {
                    Take::Taken => {
                        self.remove(slot);
                        if bucket + 1 < limit {
                            self.append(slot, bucket + 1);
                            moved_in += 1;
                        }
                    }
                    Take::Skip => {
                        skips += 1;
                        if skips >= skips_max {
                            return;
                        }
                    }
                    Take::Stop => return,
                }
                slot = next;
            }
        }
    }

    /// Takes every slot out that `keep` does not hold back; returns how many.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32) -> bool) -> usize {
        let before = self.len;
        for bucket in 0..self.heads.len() {
            let mut slot = self.heads[bucket];
            while slot != NONE {
                let next = self.next.at(slot as usize);
                if !keep(slot) {
                    self.remove(slot);
                }
                slot = next;
            }
        }
        before - self.len
    }

    /// Counts one sending of a queued slot outside a visit. Tells whether it was the last.
    pub(crate) fn count(&mut self, slot: u32, limit: u8) -> bool {
        let Some(sent) = self.sent(slot) else { return false };
        self.remove(slot);
        let more = sent + 1 < limit.min(LIMIT_MAX);
        if more {
            self.append(slot, sent + 1);
        }
        !more
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.sent(slot).is_some()
    }

    /// How often a queued slot was sent.
    pub(crate) fn sent(&self, slot: u32) -> Option<u8> {
        self.sent.get(slot as usize).copied().filter(|&s| s != IDLE)
    }

    /// The slot that a visit offers first, as long as the limit has not shrunk.
    pub(crate) fn first(&self) -> Option<u32> {
        self.heads.iter().copied().find(|&slot| slot != NONE)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The lists are linked both ways and hold each queued slot once, in the bucket of its count.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.prev.len() != self.sent.len() || self.next.len() != self.sent.len() {
            return Err("buckets: the arrays by slot differ in length");
        }
        if [&self.heads, &self.tails, &self.lens].iter().any(|a| a.len() != COUNT) {
            return Err("buckets: the arrays by bucket are not of their length");
        }
        let mut total = 0;
        for bucket in 0..LIMIT_MAX {
            total += self.check_list(bucket)?;
        }
        if total != self.len || total != self.sent.iter().filter(|&&s| s != IDLE).count() {
            return Err("buckets: a queued slot is in no list");
        }
        Ok(())
    }

    /// The length of one list. A list that is wrong ends at the first link that is, so this always ends.
    fn check_list(&self, bucket: u8) -> Result<usize, &'static str> {
        let (mut prev, mut slot, mut len) = (NONE, self.heads[usize::from(bucket)], 0);
        while slot != NONE {
            if self.sent(slot) != Some(bucket) {
                return Err("buckets: a slot is in the list of another count");
            }
            if self.prev.at(slot as usize) != prev {
                return Err("buckets: a link back is not the link forth");
            }
            (prev, slot, len) = (slot, self.next.at(slot as usize), len + 1);
        }
        if self.tails[usize::from(bucket)] != prev || self.lens[usize::from(bucket)] as usize != len {
            return Err("buckets: a tail or a length is wrong");
        }
        Ok(len)
    }

    fn append(&mut self, slot: u32, bucket: u8) {
        let b = usize::from(bucket);
        let tail = self.tails[b];
        match tail {
            NONE => self.heads[b] = slot,
            t => self.next.set(t as usize, slot),
        }
        self.tails[b] = slot;
        self.prev.set(slot as usize, tail);
        self.next.set(slot as usize, NONE);
        self.sent[slot as usize] = bucket;
        self.lens[b] += 1;
        self.len += 1;
    }
}

/// The greatest retransmit limit. What was sent that often is dropped, so counts stay below it.
const LIMIT_MAX: u8 = 63;
/// The number of buckets: one for each count below the limit.
const COUNT: usize = LIMIT_MAX as usize;
/// The count of a slot that is not queued.
const IDLE: u8 = u8::MAX;

#[cfg(test)]
mod tests;
