//! A hash table of slots: two bytes each while all fit, three beyond. The hashes, and what they are of, are the caller's.
//!
//! Its order never reaches the protocol: it is gone through only to be copied into a wider one, where each slot is found by
//! its hash again.

use hashbrown::HashTable;

use super::{wide_of, wide_to};

/// Slots by a hash.
#[derive(Clone, Debug)]
pub(crate) enum Index {
    Narrow(HashTable<u16>),
    Wide(HashTable<[u8; 3]>),
}

impl Default for Index {
    fn default() -> Self {
        Self::Narrow(HashTable::new())
    }
}

impl Index {
    /// Empty, with room for so many.
    pub(crate) fn with_capacity(slots: usize) -> Self {
        if slots > NARROW {
            Self::Wide(HashTable::with_capacity(slots))
        } else {
            Self::Narrow(HashTable::with_capacity(slots))
        }
    }

    /// Puts in a slot that is not there. `hash_of` tells the hash of any slot.
    pub(crate) fn insert(&mut self, slot: u32, hash_of: impl Fn(u32) -> u64) {
        if let (Self::Narrow(narrow), true) = (&mut *self, slot as usize >= NARROW) {
            let mut wide = HashTable::with_capacity(narrow.len() + 1);
            for slot in narrow.drain().map(u32::from) {
                wide.insert_unique(hash_of(slot), wide_of(slot), |&s| hash_of(wide_to(s)));
            }
            *self = Self::Wide(wide);
        }
        match self {
            Self::Narrow(t) => drop(t.insert_unique(hash_of(slot), slot as u16, |&s| hash_of(u32::from(s)))),
            Self::Wide(t) => drop(t.insert_unique(hash_of(slot), wide_of(slot), |&s| hash_of(wide_to(s)))),
        }
    }

    /// Takes a slot out that has this hash. Does nothing when it is not there.
    pub(crate) fn remove(&mut self, slot: u32, hash: u64) {
        match self {
            Self::Narrow(t) => drop(t.find_entry(hash, |&s| u32::from(s) == slot).map(|entry| entry.remove())),
            Self::Wide(t) => drop(t.find_entry(hash, |&s| wide_to(s) == slot).map(|entry| entry.remove())),
        }
    }

    /// A slot with this hash of which `is` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        match self {
            Self::Narrow(t) => t.find(hash, |&s| is(u32::from(s))).map(|&s| u32::from(s)),
            Self::Wide(t) => t.find(hash, |&s| is(wide_to(s))).map(|&s| wide_to(s)),
        }
    }

    /// How many slots there are with this hash of which `is` holds.
    pub(crate) fn count(&self, hash: u64, is: impl Fn(u32) -> bool) -> usize {
        match self {
            Self::Narrow(t) => t.iter_hash(hash).filter(|&&s| is(u32::from(s))).count(),
            Self::Wide(t) => t.iter_hash(hash).filter(|&&s| is(wide_to(s))).count(),
        }
    }

    /// How many slots there is room for, those that are there included.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Narrow(t) => t.capacity(),
            Self::Wide(t) => t.capacity(),
        }
    }

    #[cfg(test)]
    pub(crate) fn buckets(&self) -> usize {
        match self {
            Self::Narrow(t) => t.num_buckets(),
            Self::Wide(t) => t.num_buckets(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(t) => t.len(),
            Self::Wide(t) => t.len(),
        }
    }
}

/// Slots below this fit into two bytes.
const NARROW: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use core::cell::Cell;

    use super::*;
    use crate::hash::{TableKey, mix64};

    /// Whoever knows a node's key can choose ids that all have one place, and finding one of them takes hundreds of
    /// looks. Under a key that it does not know, the same ids are found with as many looks as any others.
    #[test]
    fn chosen_ids_have_one_place_under_a_known_key_alone() {
        const IDS: usize = if cfg!(miri) { 4 } else { 1_000 };
        // What a table of so many looks at: the lower bits say where to begin, the upper seven whom to compare.
        let place = |hash: u64| (hash >> 57, hash & 0x3ff);
        let known = TableKey::default();
        let chosen: Vec<u64> = (1..).map(mix64).filter(|&id| place(known.hash(id)) == (0, 0)).take(IDS).collect();
        let others: Vec<u64> = (1..).map(mix64).take(IDS).collect();
        let looks = |ids: &[u64], key: TableKey| {
            let (mut index, looks) = (Index::with_capacity(IDS), Cell::new(0));
            (0..ids.len() as u32).for_each(|slot| index.insert(slot, |s| key.hash(ids[s as usize])));
            for &id in ids {
                let is = |slot: u32| {
                    looks.set(looks.get() + 1);
                    ids[slot as usize] == id
                };
                assert!(index.find(key.hash(id), is).is_some());
            }
            looks.get() / ids.len()
        };
        assert!(cfg!(miri) || looks(&chosen, known) > 100, "{} looks", looks(&chosen, known));
        for n in 1..20 {
            let key = TableKey(mix64(n), mix64(!n));
            assert_eq!((looks(&chosen, key), looks(&others, key)), (1, 1), "key {n}");
        }
    }

    /// Few hashes, so that many slots share one.
    fn hash(slot: u32) -> u64 {
        u64::from(slot % 1_000) << 57 | u64::from(slot % 1_000)
    }

    #[test]
    fn like_a_set_and_wide_when_it_must() {
        let (mut index, mut model) = (Index::with_capacity(3), BTreeSet::new());
        for slot in (0..300).chain(65_000..66_500) {
            index.insert(slot, hash);
            model.insert(slot);
            if slot % 3 == 0 {
                index.remove(slot / 2, hash(slot / 2));
                model.remove(&(slot / 2));
            }
            assert_eq!(matches!(index, Index::Wide(_)), model.last() >= Some(&65_536));
        }
        index.remove(77_777, hash(77_777));
        assert_eq!(index.len(), model.len());
        for slot in 0..70_000 {
            let there = model.contains(&slot);
            assert_eq!(index.find(hash(slot), |s| s == slot), there.then_some(slot));
            if slot < 1_000 {
                let alike = model.iter().filter(|&&s| hash(s) == hash(slot)).count();
                assert_eq!(index.count(hash(slot), |s| hash(s) == hash(slot)), alike);
            }
        }
        assert!(matches!(Index::with_capacity(70_000), Index::Wide(_)));
    }
}
