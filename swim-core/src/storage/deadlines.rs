//! When what is due: a binary min-heap of deadlines, one per slot, with the position of each.
//!
//! A deadline is moved or cancelled in place, so there are no tombstones, and the heap is never larger than the number of
//! slots. Equal deadlines come in the order of their slots, whatever the order in which they were set: a replay, or a
//! node restored from a snapshot, fires them alike.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{NONE, Slots, make_room};
use crate::time::Instant;

/// The armed deadlines, least (time, slot) at the root. Times and slots of the heap lie apart, since a pair would be
/// padded to twice the time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Deadlines {
    times: Vec<Instant>,
    slots: Slots,
    /// Where in the heap a slot is, or `NONE`: as wide as so many deadlines need, which are far fewer than slots.
    pos: Slots,
}

/// How deadlines are written.
#[derive(Serialize, Deserialize)]
struct Stored {
    heap: Vec<(Instant, u32)>,
    pos: Slots,
}

impl From<Deadlines> for Stored {
    fn from(d: Deadlines) -> Self {
        Self { heap: (0..d.len()).map(|i| d.entry(i)).collect(), pos: d.pos }
    }
}

impl TryFrom<Stored> for Deadlines {
    type Error = &'static str;

    fn try_from(Stored { heap, pos }: Stored) -> Result<Self, Self::Error> {
        let (times, slots): (Vec<Instant>, Vec<u32>) = heap.into_iter().unzip();
        Ok(Self { times, slots: slots.try_into()?, pos })
    }
}

/// In a table of up to so many slots all can have a deadline without an allocation.
const FEW: usize = 256;

/// In a larger one, one in so many: where most of a large cluster dies, an array that grows now and then is the least of it.
const SHARE: usize = 8;

impl Deadlines {
    pub(crate) fn new() -> Self {
        Self { times: Vec::new(), slots: Slots::new(), pos: Slots::new() }
    }

    /// Admits slots below `slots`; no later `set` allocates as long as [`FEW`] or one in [`SHARE`] are armed at most. Wanted
    /// again after cloning or deserialising, which keep no spare room.
    pub(crate) fn grow(&mut self, slots: usize) {
        self.pos.fill(slots);
        self.slots.admit(self.pos.len());
        let room = self.pos.len().min(FEW.max(self.pos.len() / SHARE));
        if room > self.times.capacity() {
            self.pos.admit(room);
            make_room(&mut self.times, room);
            self.slots.reserve(room);
        }
    }

    /// Arms, or moves, the deadline of a slot; `NEVER` cancels it.
    pub(crate) fn set(&mut self, slot: u32, at: Instant) {
        if at == Instant::NEVER {
            self.cancel(slot);
            return;
        }
        let i = match self.pos.at(slot as usize) {
            NONE => {
                let armed = self.len() + 1;
                self.pos.admit(armed);
                make_room(&mut self.times, armed);
                self.slots.reserve(armed);
                self.times.push(at);
                self.slots.push(slot);
                self.len() - 1
            }
            p => {
                self.times[p as usize] = at;
                p as usize
            }
        };
        self.settle(i);
    }

    /// Disarms the deadline of a slot. Does nothing when there is none.
    #[inline]
    pub(crate) fn cancel(&mut self, slot: u32) {
        if self.times.is_empty() {
            return;
        }
        if let Some(i) = self.position(slot) {
            self.take(i);
        }
    }

    /// Takes the earliest deadline when it is at or before `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, u32)> {
        self.peek().filter(|&(at, _)| at <= now)?;
        Some(self.take(0))
    }

    /// The earliest deadline.
    pub(crate) fn peek(&self) -> Option<(Instant, u32)> {
        (!self.times.is_empty()).then(|| self.entry(0))
    }

    pub(crate) fn get(&self, slot: u32) -> Option<Instant> {
        self.position(slot).map(|i| self.times[i])
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// No deadline is earlier than the one above it, and each is at its position.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        for (i, entry) in (0..self.len()).map(|i| (i, self.entry(i))) {
            if entry.0 == Instant::NEVER {
                return Err("deadlines: one is never");
            }
            if i > 0 && entry < self.entry((i - 1) / 2) {
                return Err("deadlines: one is earlier than the one above it");
            }
            if self.position(entry.1) != Some(i) {
                return Err("deadlines: one is not at its position");
            }
        }
        if self.pos.iter().filter(|&p| p != NONE).count() != self.len() {
            return Err("deadlines: a slot without one has a position");
        }
        Ok(())
    }

    fn position(&self, slot: u32) -> Option<usize> {
        Some(self.pos.get(slot as usize)).filter(|&p| p != NONE).map(|p| p as usize)
    }

    fn entry(&self, i: usize) -> (Instant, u32) {
        (self.times[i], self.slots.at(i))
    }

    fn take(&mut self, i: usize) -> (Instant, u32) {
        let (taken, last) = (self.entry(i), self.len() - 1);
        self.put(i, self.entry(last));
        self.pos.set(taken.1 as usize, NONE);
        self.times.pop();
        self.slots.pop();
        if i < last {
            self.settle(i);
        }
        taken
    }

    /// Brings the entry at `i`, the only one that may be out of place, to its place: up, or else down.
    fn settle(&mut self, mut i: usize) {
        let entry = self.entry(i);
        while i > 0 && entry < self.entry((i - 1) / 2) {
            self.put(i, self.entry((i - 1) / 2));
            i = (i - 1) / 2;
        }
        while let Some(child) = self.least_child(i).filter(|&c| self.entry(c) < entry) {
            self.put(i, self.entry(child));
            i = child;
        }
        self.put(i, entry);
    }

    fn least_child(&self, i: usize) -> Option<usize> {
        let (left, right) = (2 * i + 1, 2 * i + 2);
        if right < self.len() && self.entry(right) < self.entry(left) {
            return Some(right);
        }
        (left < self.len()).then_some(left)
    }

    fn put(&mut self, i: usize, (at, slot): (Instant, u32)) {
        self.times[i] = at;
        self.slots.set(i, slot);
        self.pos.set(slot as usize, i as u32);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use quickcheck::QuickCheck;

    use super::*;

    const SLOTS: usize = 20;

    fn grown() -> Deadlines {
        let mut deadlines = Deadlines::new();
        deadlines.grow(SLOTS);
        deadlines
    }

    fn model_of(model: &BTreeSet<(Instant, u32)>, slot: u32) -> Option<Instant> {
        model.iter().find(|e| e.1 == slot).map(|e| e.0)
    }

    #[test]
    fn like_a_sorted_set() {
        fn holds(ops: Vec<(u8, u8, u8)>) -> bool {
            let (mut deadlines, mut model) = (grown(), BTreeSet::new());
            for (op, slot, at) in ops {
                let slot = u32::from(slot) % SLOTS as u32;
                // Few points in time, so that many are equal.
                let at = Instant::from_millis(u64::from(at) % 16);
                match op % 8 {
                    0 => {
                        let due = model.first().copied().filter(|e: &(Instant, u32)| e.0 <= at);
                        due.iter().for_each(|e| assert!(model.remove(e)));
                        if deadlines.pop_due(at) != due {
                            return false;
                        }
                    }
                    1 => {
                        deadlines.cancel(slot);
                        model.retain(|e| e.1 != slot);
                    }
                    2 => {
                        deadlines.set(slot, Instant::NEVER);
                        model.retain(|e| e.1 != slot);
                    }
                    _ => {
                        deadlines.set(slot, at);
                        model.retain(|e| e.1 != slot);
                        model.insert((at, slot));
                    }
                }
                let same = (0..SLOTS as u32).all(|s| deadlines.get(s) == model_of(&model, s));
                let first = deadlines.peek() == model.first().copied();
                if deadlines.check().is_err() || deadlines.len() != model.len() || !same || !first {
                    return false;
                }
            }
            true
        }
        QuickCheck::new().tests(crate::cases(2_000)).quickcheck(holds as fn(Vec<(u8, u8, u8)>) -> bool);
    }

    #[test]
    fn equal_deadlines_come_by_slot() {
        let mut deadlines = grown();
        [4, 2, 9, 0, 7].iter().for_each(|&s| deadlines.set(s, Instant::from_millis(5)));
        deadlines.set(3, Instant::from_millis(6));
        assert_eq!(deadlines.pop_due(Instant::from_millis(4)), None);
        let due: Vec<u32> =
            core::iter::from_fn(|| deadlines.pop_due(Instant::from_millis(5))).map(|(_, slot)| slot).collect();
        assert_eq!(due, [0, 2, 4, 7, 9]);
        assert_eq!(deadlines.peek(), Some((Instant::from_millis(6), 3)));
    }

    #[test]
    fn never_allocates_once_grown_also_after_deserialising() {
        let mut deadlines = grown();
        deadlines.set(11, Instant::from_millis(1));
        let bytes = postcard::to_allocvec(&deadlines).unwrap();
        let mut deadlines: Deadlines = postcard::from_bytes(&bytes).unwrap();
        deadlines.grow(SLOTS);
        deadlines.check().unwrap();
        let capacity = (deadlines.times.capacity(), deadlines.slots.capacity());
        (0..SLOTS as u32).for_each(|s| deadlines.set(s, Instant::from_millis(u64::from(99 - s))));
        assert_eq!((deadlines.len(), (deadlines.times.capacity(), deadlines.slots.capacity())), (SLOTS, capacity));
    }

    /// There is room for all of few, and of many for so many of them and for one in so many; as wide as these, and not as the
    /// slots, is where in the heap they are, until there are more.
    #[test]
    fn room_for_few_or_for_a_share() {
        const MANY: usize = if cfg!(miri) { 3_000 } else { 100_000 };
        for slots in [1, FEW, FEW + 1, SHARE * FEW, SHARE * FEW + 80, MANY] {
            let room = slots.min(FEW.max(slots / SHARE));
            let mut deadlines = Deadlines::new();
            deadlines.grow(slots);
            let capacity = |d: &Deadlines| (d.times.capacity(), d.slots.capacity());
            let before = capacity(&deadlines);
            assert!(before.0 < room + room / 16 + 8, "{before:?} for {slots}");
            let arm = |d: &mut Deadlines, i: usize| d.set((slots - 1 - i) as u32, Instant::from_millis(i as u64 % 7));
            (0..room).for_each(|i| arm(&mut deadlines, i));
            assert_eq!((capacity(&deadlines), deadlines.len()), (before, room));
            assert!(matches!(deadlines.pos, Slots::Narrow(_)));
            (room..slots).for_each(|i| arm(&mut deadlines, i));
            deadlines.check().unwrap();
            assert_eq!(deadlines.len(), slots);
            let due = core::iter::from_fn(|| deadlines.pop_due(Instant::from_millis(7))).map(|(at, slot)| {
                assert_eq!(at.as_micros() / 1_000, (slots as u64 - 1 - u64::from(slot)) % 7);
                slot
            });
            assert_eq!(due.collect::<BTreeSet<_>>().len(), slots);
        }
    }

    #[test]
    fn check_finds_what_is_broken() {
        let at = Instant::from_millis;
        let broken = |heap: &[(Instant, u32)], pos: &[u32]| {
            let pos = pos.to_vec().try_into().unwrap();
            Deadlines::try_from(Stored { heap: heap.to_vec(), pos }).unwrap().check().is_err()
        };
        assert!(!broken(&[(at(1), 0), (at(2), 1)], &[0, 1]));
        assert!(broken(&[(at(2), 0), (at(1), 1)], &[0, 1]));
        assert!(broken(&[(at(1), 0), (at(2), 1)], &[1, 0]));
        assert!(broken(&[(at(1), 5)], &[NONE]));
        assert!(broken(&[], &[0]));
        assert!(broken(&[(Instant::NEVER, 0)], &[0]));
    }
}
