//! Slots, or places, in a row of numbers: two bytes each while no table of so many slots needs more, three beyond.
//!
//! Every array by slot that names other slots is one, so a cluster below 65 535 slots pays two thirds for all of them.
//! Invariant: all numbers that are not [`NONE`] are below the greatest size that [`Slots::admit`] was told, and below
//! [`SLOTS_MAX`].

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{NONE, SLOTS_MAX, make_room};

/// Numbers below [`SLOTS_MAX`], or [`NONE`]. Written as `u32`s, whatever they take here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub(crate) enum Slots {
    Narrow(Vec<u16>),
    Wide(Vec<[u8; 3]>),
}

/// How [`NONE`] is kept in two bytes, and in three.
pub(super) const NARROW_NONE: u16 = u16::MAX;
pub(super) const WIDE_NONE: [u8; 3] = [u8::MAX; 3];

impl Slots {
    pub(crate) const fn new() -> Self {
        Self::Narrow(Vec::new())
    }

    /// Takes numbers below `bound` from now on.
    #[inline]
    pub(crate) fn admit(&mut self, bound: usize) {
        if bound > usize::from(NARROW_NONE) {
            self.widen();
        }
    }

    fn widen(&mut self) {
        if let Self::Narrow(narrow) = self {
            let mut wide = Vec::with_capacity(narrow.capacity());
            wide.extend(narrow.iter().map(|&n| wide_of(narrow_to(n))));
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
        if len <= self.len() {
            return;
        }
        self.reserve(len);
        match self {
            Self::Narrow(v) => v.resize(len, NARROW_NONE),
            Self::Wide(v) => v.resize(len, WIDE_NONE),
        }
    }

    #[inline]
    pub(crate) fn set(&mut self, at: usize, number: u32) {
        match self {
            Self::Narrow(v) => v[at] = narrow_of(number),
            Self::Wide(v) => v[at] = wide_of(number),
        }
    }

    pub(crate) fn push(&mut self, number: u32) {
        match self {
            Self::Narrow(v) => v.push(narrow_of(number)),
            Self::Wide(v) => v.push(wide_of(number)),
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
            Self::Narrow(v) => narrow_to(v[at]),
            Self::Wide(v) => wide_to(v[at]),
        }
    }

    /// The number at this place, `NONE` where nothing is.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> u32 {
        match self {
            Self::Narrow(v) => v.get(at).map_or(NONE, |&n| narrow_to(n)),
            Self::Wide(v) => v.get(at).map_or(NONE, |&n| wide_to(n)),
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

/// `NONE` has all bits set, so its lower ones are how it is kept in fewer.
#[inline]
pub(super) fn narrow_of(number: u32) -> u16 {
    debug_assert!(number == NONE || number < u32::from(NARROW_NONE), "numbers are below what was admitted");
    number as u16
}

#[inline]
pub(super) fn narrow_to(number: u16) -> u32 {
    if number == NARROW_NONE { NONE } else { u32::from(number) }
}

/// As [`narrow_of`], in three bytes.
#[inline]
pub(super) fn wide_of(number: u32) -> [u8; 3] {
    debug_assert!(number == NONE || number < SLOTS_MAX, "numbers are below what was admitted");
    let [a, b, c, _] = number.to_le_bytes();
    [a, b, c]
}

#[inline]
pub(super) fn wide_to([a, b, c]: [u8; 3]) -> u32 {
    let number = u32::from_le_bytes([a, b, c, 0]);
    if number == SLOTS_MAX { NONE } else { number }
}

impl TryFrom<Vec<u32>> for Slots {
    type Error = &'static str;

    fn try_from(numbers: Vec<u32>) -> Result<Self, Self::Error> {
        let greatest = numbers.iter().copied().filter(|&n| n != NONE).max();
        match greatest {
            Some(SLOTS_MAX..) => Err("slots: a number is beyond all slots"),
            Some(n) if n >= u32::from(NARROW_NONE) => Ok(Self::Wide(numbers.into_iter().map(wide_of).collect())),
            _ => Ok(Self::Narrow(numbers.into_iter().map(narrow_of).collect())),
        }
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
        let again = Slots::try_from(Vec::from(slots.clone()));
        assert_eq!(again, Ok(slots), "a number that does not fit makes it wide");
        assert!(Slots::try_from(alloc::vec![SLOTS_MAX - 1, NONE]).is_ok());
        assert!(Slots::try_from(alloc::vec![SLOTS_MAX]).is_err(), "no table has so many");
    }
}
