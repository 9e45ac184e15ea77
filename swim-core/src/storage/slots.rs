//! Slots, or places, in a row of numbers: two bytes each while no table of so many slots needs more, four beyond.
//!
//! Every array by slot that names other slots is one, so a cluster below 65 535 slots pays half for all of them.
//! Invariant: all numbers that are not [`NONE`] are below the greatest size that [`Slots::admit`] was told.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{NONE, make_room};

/// Numbers below 2^32 - 1, or [`NONE`]. Written as `u32`s, whatever they take here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u32>", into = "Vec<u32>")]
pub(crate) enum Slots {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

/// How [`NONE`] is kept in two bytes.
const NARROW_NONE: u16 = u16::MAX;

impl Slots {
    pub(crate) const fn new() -> Self {
        Self::Narrow(Vec::new())
    }

    /// Takes numbers below `bound` from now on.
    pub(crate) fn admit(&mut self, bound: usize) {
        if let (Self::Narrow(narrow), true) = (&*self, bound > usize::from(NARROW_NONE)) {
            let mut wide = Vec::with_capacity(narrow.capacity());
            wide.extend(narrow.iter().map(|&n| widened(n)));
            *self = Self::Wide(wide);
        }
    }

    /// Makes room for so many numbers in all.
    pub(crate) fn reserve(&mut self, room: usize) {
        match self {
            Self::Narrow(v) => make_room(v, room),
            Self::Wide(v) => make_room(v, room),
        }
    }

    /// Appends [`NONE`]s until there are so many numbers; never takes any away.
    pub(crate) fn fill(&mut self, len: usize) {
        self.reserve(len);
        match self {
            Self::Narrow(v) => v.resize(len.max(v.len()), NARROW_NONE),
            Self::Wide(v) => v.resize(len.max(v.len()), NONE),
        }
    }

    #[inline]
    pub(crate) fn set(&mut self, at: usize, number: u32) {
        match self {
            Self::Narrow(v) => v[at] = narrowed(number),
            Self::Wide(v) => v[at] = number,
        }
    }

    pub(crate) fn push(&mut self, number: u32) {
        match self {
            Self::Narrow(v) => v.push(narrowed(number)),
            Self::Wide(v) => v.push(number),
        }
    }

    pub(crate) fn pop(&mut self) {
        match self {
            Self::Narrow(v) => drop(v.pop()),
            Self::Wide(v) => drop(v.pop()),
        }
    }

    pub(crate) fn swap(&mut self, a: usize, b: usize) {
        match self {
            Self::Narrow(v) => v.swap(a, b),
            Self::Wide(v) => v.swap(a, b),
        }
    }

    /// The number at a place that there is.
    #[inline]
    pub(crate) fn at(&self, at: usize) -> u32 {
        match self {
            Self::Narrow(v) => widened(v[at]),
            Self::Wide(v) => v[at],
        }
    }

    /// The number at this place, `NONE` where nothing is.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> u32 {
        match self {
            Self::Narrow(v) => v.get(at).map_or(NONE, |&n| widened(n)),
            Self::Wide(v) => v.get(at).copied().unwrap_or(NONE),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(v) => v.len(),
            Self::Wide(v) => v.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        (0..self.len()).map(|at| self.at(at))
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Narrow(v) => v.capacity(),
            Self::Wide(v) => v.capacity(),
        }
    }
}

#[inline]
fn narrowed(number: u32) -> u16 {
    debug_assert!(number == NONE || number < u32::from(NARROW_NONE), "numbers are below what was admitted");
    // `NONE` has all bits set, so its lower half is `NARROW_NONE`.
    number as u16
}

#[inline]
fn widened(number: u16) -> u32 {
    if number == NARROW_NONE { NONE } else { u32::from(number) }
}

impl From<Vec<u32>> for Slots {
    fn from(wide: Vec<u32>) -> Self {
        if wide.iter().all(|&n| n == NONE || n < u32::from(NARROW_NONE)) {
            return Self::Narrow(wide.into_iter().map(narrowed).collect());
        }
        Self::Wide(wide)
    }
}

impl From<Slots> for Vec<u32> {
    fn from(slots: Slots) -> Self {
        slots.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::QuickCheck;

    use super::*;

    /// Whatever is done, and whenever it has to become wide, it is a vector of numbers.
    #[test]
    fn like_a_vector() {
        fn holds(ops: Vec<(u8, u16, u16)>, widens_at: u8) -> bool {
            let (mut slots, mut model) = (Slots::new(), Vec::new());
            for (i, (op, x, y)) in ops.into_iter().enumerate() {
                let wide = i >= usize::from(widens_at);
                if wide {
                    slots.admit(1 << 24);
                }
                let number = match (y % 8, wide) {
                    (0, _) => NONE,
                    (_, true) => u32::from(y) << 8 | 7,
                    _ => u32::from(y.min(NARROW_NONE - 1)),
                };
                let at = usize::from(x) % model.len().max(1);
                match op % 6 {
                    0 => {
                        slots.fill(usize::from(x) % 40);
                        model.resize(model.len().max(usize::from(x) % 40), NONE);
                    }
                    1 if !model.is_empty() => {
                        slots.set(at, number);
                        model[at] = number;
                    }
                    2 => {
                        slots.pop();
                        model.pop();
                    }
                    3 if !model.is_empty() => {
                        slots.swap(at, 0);
                        model.swap(at, 0);
                    }
                    _ => {
                        slots.push(number);
                        model.push(number);
                    }
                }
                let bytes = postcard::to_allocvec(&slots).unwrap();
                let same = slots.iter().eq(model.iter().copied())
                    && (0..model.len() + 2).all(|i| slots.get(i) == model.get(i).copied().unwrap_or(NONE))
                    && bytes == postcard::to_allocvec(&model).unwrap()
                    && postcard::from_bytes::<Slots>(&bytes).is_ok_and(|again| again.iter().eq(slots.iter()));
                if !same || slots.len() != model.len() || slots.is_empty() != model.is_empty() {
                    return false;
                }
            }
            true
        }
        QuickCheck::new().tests(crate::cases(500)).quickcheck(holds as fn(Vec<(u8, u16, u16)>, u8) -> bool);
    }

    #[test]
    fn two_bytes_as_long_as_they_do() {
        let mut slots = Slots::new();
        slots.admit(65_535);
        slots.push(65_534);
        slots.push(NONE);
        assert!(matches!(slots, Slots::Narrow(_)));
        slots.admit(65_536);
        slots.push(65_535);
        assert!(matches!(slots, Slots::Wide(_)) && slots.iter().eq([65_534, NONE, 65_535]));
        let again = Slots::from(Vec::from(slots.clone()));
        assert_eq!(again, slots, "a number that does not fit makes it wide");
    }
}
