//! Where rows live: a vector of places, a freed one of which is taken again first.
//!
//! A slot is the place of a row for as long as the row lives; all other containers are indexed by it. Slots are given out
//! by the history of inserts and removes alone, so a replay gives the same ones.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::NONE;

/// Rows by slot.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored<T>")]
pub(crate) struct Slab<T> {
    entries: Vec<Option<T>>,
    /// The vacant slots, the most recently freed last. Has room for all slots, so that freeing never allocates.
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// Empty, with room for `reserve` rows.
    pub(crate) fn new(reserve: usize) -> Self {
        Self { entries: Vec::with_capacity(reserve), free: Vec::with_capacity(reserve) }
    }

    /// Puts a row into the most recently freed slot, or into a new one behind all others.
    pub(crate) fn insert(&mut self, row: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.entries[slot as usize] = Some(row);
            return slot;
        }
        debug_assert!(self.entries.len() < NONE as usize, "the number of rows is bounded far below NONE");
        self.entries.push(Some(row));
        self.reserve_free();
        (self.entries.len() - 1) as u32
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let row = self.entries.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(row)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.entries.get(slot as usize)?.as_ref()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Every slot ever given out is below this.
    pub(crate) fn slots(&self) -> usize {
        self.entries.len()
    }

    /// The rows, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.entries.iter().enumerate().filter_map(|(i, row)| row.as_ref().map(|row| (i as u32, row)))
    }

    fn reserve_free(&mut self) {
        self.free.reserve(self.entries.capacity() - self.free.len());
    }
}

/// A derived clone would keep no spare room in the free list.
impl<T: Clone> Clone for Slab<T> {
    fn clone(&self) -> Self {
        let mut slab = Self { entries: self.entries.clone(), free: self.free.clone() };
        slab.reserve_free();
        slab
    }
}

/// A slab as it was written, not yet believed.
#[derive(Deserialize)]
struct Stored<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> TryFrom<Stored<T>> for Slab<T> {
    type Error = &'static str;

    fn try_from(stored: Stored<T>) -> Result<Self, Self::Error> {
        let Stored { entries, free } = stored;
        let mut unlisted: Vec<bool> = entries.iter().map(Option::is_none).collect();
        for &slot in &free {
            match unlisted.get_mut(slot as usize) {
                Some(vacant) if *vacant => *vacant = false,
                _ => return Err("slab: a slot of the free list is not vacant, or listed twice"),
            }
        }
        if unlisted.contains(&true) {
            return Err("slab: a vacant slot is not in the free list");
        }
        let mut slab = Self { entries, free };
        slab.reserve_free();
        Ok(slab)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec;

    use quickcheck::QuickCheck;

    use super::*;

    #[test]
    fn like_a_map_with_a_stack_of_free_slots() {
        fn holds(ops: Vec<(bool, u8)>) -> bool {
            let (mut slab, mut model, mut free, mut slots) = (Slab::new(2), BTreeMap::new(), Vec::new(), 0);
            for (insert, x) in ops {
                let slot = u32::from(x) % 12;
                if insert {
                    let expected = free.pop().unwrap_or(slots);
                    slots = slots.max(expected + 1);
                    model.insert(expected, x);
                    if slab.insert(x) != expected {
                        return false;
                    }
                } else {
                    let row = model.remove(&slot);
                    free.extend(row.map(|_| slot));
                    let capacity = slab.free.capacity();
                    if slab.remove(slot) != row || slab.free.capacity() != capacity {
                        return false;
                    }
                }
                if let (Some(a), Some(b)) = (slab.get_mut(slot), model.get_mut(&slot)) {
                    (*a, *b) = (a.wrapping_add(1), b.wrapping_add(1));
                }
                let same = (0..slots + 2).all(|s| slab.get(s) == model.get(&s));
                let rows = slab.iter().eq(model.iter().map(|(&s, row)| (s, row)));
                if !same || !rows || slab.len() != model.len() || slab.slots() != slots as usize {
                    return false;
                }
            }
            true
        }
        QuickCheck::new().tests(1_000).quickcheck(holds as fn(Vec<(bool, u8)>) -> bool);
    }

    /// What comes back from a clone or a snapshot gives out the same slots, and frees without allocating.
    #[test]
    fn copies_go_on_alike() {
        let mut slab = Slab::new(0);
        (0..9_u8).for_each(|x| assert_eq!(slab.insert(x), u32::from(x)));
        [3, 5].iter().for_each(|&s| assert!(slab.remove(s).is_some()));
        let bytes = postcard::to_allocvec(&slab).unwrap();
        for mut copy in [slab.clone(), postcard::from_bytes::<Slab<u8>>(&bytes).unwrap()] {
            assert!(copy.iter().eq(slab.iter()));
            assert_eq!([copy.insert(0), copy.insert(0), copy.insert(0)], [5, 3, 9]);
            assert_eq!(copy.len(), 10);
        }
        for mut copy in [slab.clone(), postcard::from_bytes::<Slab<u8>>(&bytes).unwrap()] {
            let capacity = copy.free.capacity();
            (0..9).for_each(|s| assert_eq!(copy.remove(s).is_some(), slab.get(s).is_some()));
            assert_eq!((copy.len(), copy.free.len(), copy.free.capacity()), (0, 9, capacity));
        }
    }

    #[test]
    fn a_broken_snapshot_is_refused() {
        let read = |entries: Vec<Option<u8>>, free: Vec<u32>| {
            let bytes = postcard::to_allocvec(&(entries, free)).unwrap();
            postcard::from_bytes::<Slab<u8>>(&bytes).is_ok()
        };
        assert!(read(vec![Some(1), None, None], vec![2, 1]));
        assert!(!read(vec![Some(1), None, None], vec![2]), "a vacant slot would be lost");
        assert!(!read(vec![Some(1), None], vec![0, 1]), "a row would be overwritten");
        assert!(!read(vec![Some(1), None], vec![1, 1]), "a slot would be given out twice");
        assert!(!read(vec![Some(1)], vec![1]), "a slot would be given out that is not there");
    }
}
