//! Whose turn it is: a shuffled round-robin over slots.
//!
//! SWIM (section 4.3) chooses ping targets round-robin from a list that is reordered at random after each traversal, so
//! that every member is chosen within a bounded time.
//!
//! A newcomer takes a random place, as in the paper: a cluster that has just formed would else be blind to its last
//! members for a whole lap.
//!
//! Differs from the paper: the order is drawn turn by turn (an incremental Fisher-Yates shuffle), so no turn costs more
//! than another; and a newcomer whose random place is in this lap waits for the next one when the lap would take more
//! turns than there are members. So a member that stays is chosen within 2n-1 turns (n is the greatest size meanwhile),
//! whoever else comes and goes: at most n-1 others are left in the lap in which it had its turn, and the next lap takes at
//! most n turns.

use serde::{Deserialize, Serialize};

use super::{NONE, Slots};
use crate::rng::Rng;

/// The members in `dense`: those of `..cursor` had their turn in this lap, those of `cursor..` are pending.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    dense: Slots,
    /// Where in `dense` a slot is, or `NONE`.
    pos: Slots,
    cursor: usize,
    /// Turns taken in this lap, also by members that are gone.
    turns: usize,
}

impl Order {
    pub(crate) fn new() -> Self {
        Self { dense: Slots::new(), pos: Slots::new(), cursor: 0, turns: 0 }
    }

    /// Admits slots below `slots`; no later `insert` or `remove` allocates. Wanted again after cloning or deserialising,
    /// which keep no spare room.
    pub(crate) fn grow(&mut self, slots: usize) {
        self.pos.admit(slots);
        self.pos.fill(slots);
        self.dense.admit(self.pos.len());
        self.dense.reserve(self.pos.len());
    }

    /// The next in turn, or `None` when there is nobody. Starts a new lap when the last one is through.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Option<u32> {
        if self.dense.is_empty() {
            return None;
        }
        if self.cursor == self.dense.len() {
            (self.cursor, self.turns) = (0, 0);
        }
        let pick = self.cursor + rng.index(self.dense.len() - self.cursor);
        self.swap(self.cursor, pick);
        self.cursor += 1;
        self.turns += 1;
        Some(self.dense.at(self.cursor - 1))
    }

    /// Adds a slot at a random place. Does nothing when it is there.
    pub(crate) fn insert(&mut self, slot: u32, rng: &mut Rng) {
        if self.contains(slot) {
            return;
        }
        let last = self.dense.len();
        self.dense.push(slot);
        self.pos.set(slot as usize, last as u32);
        let pending = last - self.cursor;
        let in_this_lap = rng.index(last + 1) >= self.cursor && self.turns + pending <= last;
        if !in_this_lap {
            self.swap(self.cursor, last);
            self.cursor += 1;
        }
    }

    /// Takes a slot out. Does nothing when it is not there.
    pub(crate) fn remove(&mut self, slot: u32) {
        if !self.contains(slot) {
            return;
        }
        let mut hole = self.pos.at(slot as usize) as usize;
        if hole < self.cursor {
            // The last of the done fills the hole first: were it a pending one, that one would miss its turn.
            self.cursor -= 1;
            self.swap(hole, self.cursor);
            hole = self.cursor;
        }
        self.swap(hole, self.dense.len() - 1);
        self.dense.pop();
        self.pos.set(slot as usize, NONE);
    }

    pub(crate) fn contains(&self, slot: u32) -> bool {
        self.pos.get(slot as usize) != NONE
    }

    pub(crate) fn len(&self) -> usize {
        self.dense.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dense.is_empty()
    }

    /// Any member by its place in `0..len`, for uniform draws; the place of a member changes with every turn.
    pub(crate) fn at(&self, index: usize) -> u32 {
        self.dense.at(index)
    }

    /// Every member is at its position, no other slot has one, and the lap comes to its end.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.cursor > self.dense.len() {
            return Err("order: the cursor is behind the end");
        }
        // Whoever comes into a lap adds a turn only as long as there are no more than members, and each has a slot.
        let pending = self.dense.len() - self.cursor;
        if self.turns.saturating_add(pending) > self.pos.len() {
            return Err("order: a lap has more turns than there can be members");
        }
        let placed = |(i, slot): (usize, u32)| self.pos.get(slot as usize) as usize == i;
        if !self.dense.iter().enumerate().all(placed) {
            return Err("order: a member is not at its position");
        }
        if self.pos.iter().filter(|&p| p != NONE).count() != self.dense.len() {
            return Err("order: a slot that is not a member has a position");
        }
        Ok(())
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.dense.swap(a, b);
        self.pos.set(self.dense.at(a) as usize, a as u32);
        self.pos.set(self.dense.at(b) as usize, b as u32);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::QuickCheck;

    use super::*;

    const SLOTS: usize = 12;

    fn of(slots: impl IntoIterator<Item = u32>) -> Order {
        let mut order = Order::new();
        order.grow(SLOTS);
        slots.into_iter().for_each(|s| order.insert(s, &mut Rng::new(1)));
        order
    }

    /// For every member: how many turns it waits, and the greatest size that the order had meanwhile.
    #[derive(Clone, Copy, Default)]
    struct Wait {
        turns: usize,
        size_max: usize,
    }

    /// Between any two turns anything may be inserted and removed: whoever stays is chosen within 2n-1 turns.
    #[test]
    fn everybody_within_two_laps_under_any_churn() {
        fn holds(ops: Vec<(u8, u8)>, start: u8, rng_seed: u64) -> bool {
            let mut rng = Rng::new(rng_seed);
            let mut order = of((0..SLOTS as u32).filter(|s| start >> (s % 8) & 1 == 1));
            let mut waits: [Option<Wait>; SLOTS] =
                core::array::from_fn(|s| order.contains(s as u32).then_some(Wait { turns: 0, size_max: order.len() }));
            for (op, slot) in ops {
                let slot = u32::from(slot) % SLOTS as u32;
                match op % 4 {
                    0 => {
                        order.insert(slot, &mut rng);
                        waits[slot as usize].get_or_insert_default();
                    }
                    1 => {
                        order.remove(slot);
                        waits[slot as usize] = None;
                    }
                    _ => {
                        waits.iter_mut().flatten().for_each(|w| w.turns += 1);
                        match order.next(&mut rng) {
                            Some(s) => waits[s as usize] = Some(Wait::default()),
                            None => assert!(order.is_empty()),
                        }
                    }
                }
                let present = waits.iter().filter(|w| w.is_some()).count();
                let same = (0..SLOTS).all(|s| order.contains(s as u32) == waits[s].is_some());
                if order.check().is_err() || order.len() != present || !same {
                    return false;
                }
                for w in waits.iter_mut().flatten() {
                    w.size_max = w.size_max.max(present);
                    // It still waits after `turns`, so the turn that chooses it is a later one.
                    if w.turns > 2 * w.size_max - 2 {
                        return false;
                    }
                }
            }
            true
        }
        QuickCheck::new().tests(crate::cases(2_000)).quickcheck(holds as fn(Vec<(u8, u8)>, u8, u64) -> bool);
    }

    /// The worst churn of all: at every turn the one just chosen is replaced, or a pending one is.
    #[test]
    fn a_member_that_stays_is_not_lost_when_all_others_change() {
        for rng_seed in 0..500 {
            let mut rng = Rng::new(rng_seed);
            let mut order = of(0..8);
            let mut waited = 0;
            for _ in 0..200 {
                let chosen = order.next(&mut rng).expect("there are members");
                waited = if chosen == 0 { 0 } else { waited + 1 };
                assert!(waited <= 2 * 8 - 2, "waited {waited} turns, rng_seed {rng_seed}");
                let out = order.at(rng.index(8));
                let new = (1..SLOTS as u32).find(|&s| !order.contains(s)).expect("12 slots, 8 members");
                if out != 0 {
                    order.remove(out);
                    order.insert(new, &mut rng);
                }
                order.check().unwrap();
            }
        }
    }

    /// Each lap has everybody once, and a place in one lap tells nothing about the place in the next.
    #[test]
    fn without_churn_every_lap_is_a_fresh_permutation() {
        let (mut rng, mut order) = (Rng::new(3), of(0..6));
        let mut last: Vec<u32> = (0..6).filter_map(|_| order.next(&mut rng)).collect();
        let mut moves = [[0_u32; 6]; 6];
        for _ in 0..6_000 {
            let lap: Vec<u32> = (0..6).filter_map(|_| order.next(&mut rng)).collect();
            for (from, slot) in last.iter().enumerate() {
                let to = lap.iter().position(|s| s == slot).expect("every member has its turn in every lap");
                moves[from][to] += 1;
            }
            last = lap;
        }
        assert!(moves.iter().flatten().all(|m| (850..1_150).contains(m)), "{moves:?}");
    }

    /// A newcomer's place is uniform: in this lap with the share of it that is left, else in the next.
    #[test]
    fn a_newcomer_takes_a_random_place() {
        let mut waits = [0_u32; 16];
        for rng_seed in 0..16_000 {
            let mut rng = Rng::new(rng_seed);
            let mut order = of(0..7);
            while order.cursor != 3 {
                order.next(&mut rng);
            }
            order.insert(7, &mut rng);
            let turn = (0..16).position(|_| order.next(&mut rng) == Some(7)).expect("two laps have it");
            waits[turn] += 1;
        }
        // Five of eight places are in this lap: each of its five turns has an eighth. The other three eighths share the
        // eight turns of the next lap, which begins after the four that are left.
        assert!(waits[..4].iter().all(|w| (1_800..2_200).contains(w)), "{waits:?}");
        assert_eq!(waits[12..].iter().sum::<u32>(), 0, "{waits:?}");
    }

    /// Golden: a recorded trace replays only when the same draws give the same turns.
    #[test]
    fn golden() {
        let (mut rng, mut order) = (Rng::new(7), of(0..5));
        let turns: Vec<u32> = (0..10).filter_map(|_| order.next(&mut rng)).collect();
        assert_eq!(turns, [3, 2, 4, 1, 0, 0, 2, 4, 1, 3]);
    }

    #[test]
    fn never_allocates_once_grown_also_after_deserialising() {
        let bytes = postcard::to_allocvec(&of([3, 1])).unwrap();
        let mut order: Order = postcard::from_bytes(&bytes).unwrap();
        order.grow(SLOTS);
        order.check().unwrap();
        let capacity = order.dense.capacity();
        (0..SLOTS as u32).for_each(|s| order.insert(s, &mut Rng::new(1)));
        assert_eq!((order.len(), order.dense.capacity()), (SLOTS, capacity));
    }

    #[test]
    fn check_finds_what_is_broken() {
        let lap = |dense: &[u32], pos: &[u32], cursor, turns| {
            let slots = |numbers: &[u32]| numbers.to_vec().try_into().unwrap();
            Order { dense: slots(dense), pos: slots(pos), cursor, turns }.check().is_err()
        };
        let broken = |dense: &[u32], pos: &[u32], cursor| lap(dense, pos, cursor, 0);
        assert!(!broken(&[0, 1], &[0, 1], 0));
        assert!(broken(&[0, 1], &[0, 1], 3));
        assert!(broken(&[0, 1], &[1, 0], 0));
        assert!(broken(&[0, 9], &[0, 1], 0));
        assert!(broken(&[0], &[0, 0], 0));
        assert!(!lap(&[0, 1], &[0, 1], 2, 2) && !lap(&[0, 1], &[0, 1], 1, 1));
        assert!(lap(&[0, 1], &[0, 1], 1, 2) && lap(&[0, 1], &[0, 1], 2, usize::MAX));
    }
}
