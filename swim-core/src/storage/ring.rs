//! A queue with an end: first in, first out, and full is full.
//!
//! It never holds more than its capacity, and never allocates after it was made or cloned, or read back and reserved. What to do with
//! what finds no place, refuse or drop and count, is for the caller to say.

use alloc::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// A bounded queue.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored<T>")]
pub(crate) struct Ring<T> {
    items: VecDeque<T>,
    bound: usize,
}

impl<T> Ring<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { items: VecDeque::with_capacity(capacity), bound: capacity }
    }

    /// Takes the room again that a restored copy lacks.
    pub(crate) fn reserve(&mut self) {
        self.items.reserve_exact(self.bound.saturating_sub(self.items.len()));
    }

    /// Appends an item, or gives it back when the ring is full.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        if self.items.len() >= self.bound {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Puts an item in front of the oldest, or gives it back when the ring is full.
    pub(crate) fn push_front(&mut self, item: T) -> Result<(), T> {
        if self.items.len() >= self.bound {
            return Err(item);
        }
        self.items.push_front(item);
        Ok(())
    }

    /// Takes the oldest item.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut()
    }

    /// The oldest item.
    pub(crate) fn front(&self) -> Option<&T> {
        self.items.front()
    }

    /// The items, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bound
    }
}

/// A derived clone would keep no spare room.
impl<T: Clone> Clone for Ring<T> {
    fn clone(&self) -> Self {
        let mut items = VecDeque::with_capacity(self.bound);
        items.extend(self.items.iter().cloned());
        Self { items, bound: self.bound }
    }
}

/// A ring as it was written, not yet believed.
#[derive(Deserialize)]
struct Stored<T> {
    items: VecDeque<T>,
    bound: usize,
}

impl<T> TryFrom<Stored<T>> for Ring<T> {
    type Error = &'static str;

    fn try_from(stored: Stored<T>) -> Result<Self, Self::Error> {
        let Stored { items, bound } = stored;
        // A broken snapshot may name any capacity: no room is taken for it before it is known to be right.
        if items.len() > bound { Err("ring: more items than its capacity") } else { Ok(Self { items, bound }) }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::QuickCheck;

    use super::*;

    #[test]
    fn like_a_queue_that_refuses_when_full() {
        fn holds(ops: Vec<(u8, u16)>, capacity: u8) -> bool {
            let capacity = usize::from(capacity % 8);
            let (mut ring, mut model) = (Ring::new(capacity), Vec::new());
            let room = ring.items.capacity();
            for (op, x) in ops {
                match op % 16 {
                    0 => {
                        ring.clear();
                        model.clear();
                    }
                    1..=5 => {
                        let oldest = (!model.is_empty()).then(|| model.remove(0));
                        if ring.pop() != oldest {
                            return false;
                        }
                    }
                    6 => {
                        ring.iter_mut().for_each(|i| *i ^= x);
                        model.iter_mut().for_each(|i| *i ^= x);
                    }
                    _ => {
                        let full = model.len() == capacity;
                        if !full {
                            model.push(x);
                        }
                        if ring.push(x) != if full { Err(x) } else { Ok(()) } {
                            return false;
                        }
                    }
                }
                let same = ring.iter().eq(model.iter()) && ring.front() == model.first();
                let sizes = ring.len() == model.len() && ring.is_empty() == model.is_empty();
                if !same || !sizes || ring.capacity() != capacity || ring.items.capacity() != room {
                    return false;
                }
            }
            true
        }
        QuickCheck::new().tests(crate::cases(1_000)).quickcheck(holds as fn(Vec<(u8, u16)>, u8) -> bool);
    }

    #[test]
    fn copies_keep_their_capacity_and_never_allocate() {
        let mut ring = Ring::new(100);
        ring.push(7_u32).unwrap();
        let bytes = postcard::to_allocvec(&ring).unwrap();
        let mut read = postcard::from_bytes::<Ring<u32>>(&bytes).unwrap();
        read.reserve();
        for mut copy in [ring.clone(), read] {
            let room = copy.items.capacity();
            assert!((1..100).all(|x| copy.push(x).is_ok()));
            assert_eq!(copy.push(100), Err(100));
            assert_eq!((copy.front(), copy.capacity(), copy.items.capacity()), (Some(&7), 100, room));
        }
    }

    #[test]
    fn a_broken_snapshot_is_refused() {
        let read = |items: &[u32], bound: usize| {
            let bytes = postcard::to_allocvec(&(items, bound)).unwrap();
            postcard::from_bytes::<Ring<u32>>(&bytes).is_ok()
        };
        assert!(read(&[1, 2], 2));
        assert!(!read(&[1, 2], 1));
        let bytes = postcard::to_allocvec(&([1, 2].as_slice(), usize::MAX)).unwrap();
        assert!(postcard::from_bytes::<Ring<u32>>(&bytes).unwrap().items.capacity() < 100, "no room by what it says");
    }
}
