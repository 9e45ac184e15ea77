//! Where rows live: a vector of places, a freed one of which is taken again first.
//!
//! A slot is the place of a row for as long as the row lives; all other containers are indexed by it. Slots are given out
//! by the history of inserts and removes alone, so a replay gives the same ones.

use alloc::vec::Vec;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use super::{NONE, SLOTS_MAX, make_room};

/// Slots that are looked at for one of which something holds. Among 10 000 members with states, one that is dead is told of by
/// one ping in 160 then.
const NEAR: usize = 64;

/// Rows by slot.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Stored<T>")]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// The most recently freed slot, or `NONE`. The vacant places themselves hold the list of the others, so that freeing
    /// takes no room.
    free: u32,
    vacant: usize,
}

#[derive(Clone, Debug)]
enum Entry<T> {
    Row(T),
    /// The slot that was freed before this one, or `NONE`.
    Vacant(u32),
}

impl<T> Entry<T> {
    fn row(&self) -> Option<&T> {
        match self {
            Self::Row(row) => Some(row),
            Self::Vacant(_) => None,
        }
    }
}

impl<T> Slab<T> {
    /// Empty, with room for `reserve` rows.
    pub(crate) fn new(reserve: usize) -> Self {
        Self { entries: Vec::with_capacity(reserve), free: NONE, vacant: 0 }
    }

    /// Makes room for so many rows in all.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.entries.reserve_exact(rows.saturating_sub(self.entries.len()));
    }

    /// Puts a row into the most recently freed slot, or into a new one behind all others.
    pub(crate) fn insert(&mut self, row: T) -> u32 {
        let slot = self.free;
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            if let Entry::Vacant(next) = core::mem::replace(entry, Entry::Row(row)) {
                self.free = next;
            }
            self.vacant -= 1;
            return slot;
        }
        debug_assert!(self.entries.len() < SLOTS_MAX as usize, "the table admits no more");
        let slots = self.slots() + 1;
        make_room(&mut self.entries, slots);
        self.entries.push(Entry::Row(row));
        (self.entries.len() - 1) as u32
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let entry = self.entries.get_mut(slot as usize).filter(|entry| entry.row().is_some())?;
        let former = core::mem::replace(entry, Entry::Vacant(self.free));
        (self.free, self.vacant) = (slot, self.vacant + 1);
        match former {
            Entry::Row(row) => Some(row),
            Entry::Vacant(_) => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        match self.entries.get_mut(slot as usize)? {
            Entry::Row(row) => Some(row),
            Entry::Vacant(_) => None,
        }
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.entries.get(slot as usize)?.row()
    }

    /// What `of` makes of a row: of one of those of which it makes something, near a slot that `at` stands for.
    pub(crate) fn some_near<R: Copy>(&self, at: u32, of: impl Fn(&T) -> Option<R>) -> Option<R> {
        let slots = self.entries.len() as u32;
        let from = at.checked_rem(slots)?;
        let near = (from..slots).chain(0..from).take(NEAR);
        let some: SmallVec<[R; NEAR]> = near.filter_map(|slot| of(self.get(slot)?)).collect();
        some.get((at / slots).checked_rem(some.len() as u32)? as usize).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.vacant
    }

    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Every slot ever given out is below this.
    pub(crate) fn slots(&self) -> usize {
        self.entries.len()
    }

    /// The rows, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.entries.iter().enumerate().filter_map(|(i, entry)| entry.row().map(|row| (i as u32, row)))
    }

    /// The vacant slots, the most recently freed last.
    fn vacant(&self) -> Vec<u32> {
        let next = |&slot: &u32| match self.entries.get(slot as usize) {
            Some(&Entry::Vacant(next)) => Some(next).filter(|&next| next != NONE),
            _ => None,
        };
        let mut vacant: Vec<u32> = core::iter::successors(Some(self.free).filter(|&s| s != NONE), next).collect();
        vacant.reverse();
        vacant
    }
}

impl<T: Serialize> Serialize for Slab<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows: Vec<Option<&T>> = self.entries.iter().map(Entry::row).collect();
        let mut slab = serializer.serialize_struct("Slab", 2)?;
        slab.serialize_field("entries", &rows)?;
        slab.serialize_field("free", &self.vacant())?;
        slab.end()
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
        if entries.len() > SLOTS_MAX as usize {
            return Err("slab: more slots than there can be");
        }
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
        let rows = entries.into_iter().map(|row| row.map_or(Entry::Vacant(NONE), Entry::Row)).collect();
        let mut slab = Self { entries: rows, free: NONE, vacant: free.len() };
        for slot in free {
            slab.entries[slot as usize] = Entry::Vacant(core::mem::replace(&mut slab.free, slot));
        }
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
                    if slab.remove(slot) != row {
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
        QuickCheck::new().tests(crate::cases(1_000)).quickcheck(holds as fn(Vec<(bool, u8)>) -> bool);
    }

    /// What comes back from a clone or a snapshot gives out the same slots.
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
            (0..9).for_each(|s| assert_eq!(copy.remove(s).is_some(), slab.get(s).is_some()));
            assert_eq!((copy.len(), copy.vacant()), (0, vec![3, 5, 0, 1, 2, 4, 6, 7, 8]));
            assert_eq!(
                postcard::to_allocvec(&copy).unwrap(),
                postcard::to_allocvec(&(vec![None::<u8>; 9], copy.vacant())).unwrap()
            );
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
