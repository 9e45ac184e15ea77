//! Both neighbours of each slot in a list, side by side, so that a step of the list touches one place in memory: two bytes per
//! neighbour while no table of so many slots needs more, three beyond.

use alloc::vec::Vec;

use super::{NARROW_NONE, WIDE_NONE, make_room, narrow_of, narrow_to, wide_of, wide_to};

/// By slot: the one before and the one behind, each a slot or [`NONE`](super::NONE).
#[derive(Clone, Debug)]
pub(crate) enum Links {
    Narrow(Vec<[u16; 2]>),
    Wide(Vec<[[u8; 3]; 2]>),
}

impl Links {
    pub(crate) const fn new() -> Self {
        Self::Narrow(Vec::new())
    }

    /// Makes the array as long as this, with no neighbours, and takes neighbours below `bound` from now on; never shortens it.
    pub(crate) fn grow(&mut self, len: usize, bound: usize) {
        if len <= self.len() && (bound <= usize::from(NARROW_NONE) || matches!(self, Self::Wide(_))) {
            return;
        }
        if let (Self::Narrow(narrow), true) = (&*self, bound > usize::from(NARROW_NONE)) {
            let mut wide = Vec::with_capacity(narrow.capacity().max(len));
            wide.extend(narrow.iter().map(|pair| pair.map(|n| wide_of(narrow_to(n)))));
            *self = Self::Wide(wide);
        }
        match self {
            Self::Narrow(v) if v.len() < len => {
                make_room(v, len);
                v.resize(len, [NARROW_NONE; 2]);
            }
            Self::Wide(v) if v.len() < len => {
                make_room(v, len);
                v.resize(len, [WIDE_NONE; 2]);
            }
            _ => {}
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(v) => v.len(),
            Self::Wide(v) => v.len(),
        }
    }

    #[inline]
    pub(crate) fn at(&self, at: usize) -> (u32, u32) {
        match self {
            Self::Narrow(v) => v[at].map(narrow_to).into(),
            Self::Wide(v) => v[at].map(wide_to).into(),
        }
    }

    #[inline]
    pub(crate) fn set(&mut self, at: usize, (prev, next): (u32, u32)) {
        match self {
            Self::Narrow(v) => v[at] = [narrow_of(prev), narrow_of(next)],
            Self::Wide(v) => v[at] = [wide_of(prev), wide_of(next)],
        }
    }

    #[inline]
    pub(crate) fn set_prev(&mut self, at: usize, prev: u32) {
        match self {
            Self::Narrow(v) => v[at][0] = narrow_of(prev),
            Self::Wide(v) => v[at][0] = wide_of(prev),
        }
    }

    #[inline]
    pub(crate) fn set_next(&mut self, at: usize, next: u32) {
        match self {
            Self::Narrow(v) => v[at][1] = narrow_of(next),
            Self::Wide(v) => v[at][1] = wide_of(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use quickcheck::QuickCheck;

    use super::super::NONE;
    use super::*;

    /// Whatever is done, and whenever it has to become wide, it is a vector of pairs.
    #[test]
    fn like_a_vector_of_pairs() {
        fn holds(ops: Vec<(u8, u8, u16)>, widens_at: u8) -> bool {
            let (mut links, mut model) = (Links::new(), vec![(NONE, NONE); 5]);
            links.grow(5, 5);
            for (i, (op, at, x)) in ops.into_iter().enumerate() {
                let wide = i >= usize::from(widens_at);
                if wide {
                    links.grow(0, 1 << 24);
                }
                let number = match (x % 8, wide) {
                    (0, _) => NONE,
                    (_, true) => u32::from(x) << 8 | 7,
                    _ => u32::from(x.min(u16::MAX - 1)),
                };
                let at = usize::from(at) % model.len();
                match op % 4 {
                    0 => {
                        links.grow(usize::from(x % 40), 0);
                        model.resize(model.len().max(usize::from(x % 40)), (NONE, NONE));
                    }
                    1 => {
                        links.set_prev(at, number);
                        model[at].0 = number;
                    }
                    2 => {
                        links.set_next(at, number);
                        model[at].1 = number;
                    }
                    _ => {
                        links.set(at, (number, NONE));
                        model[at] = (number, NONE);
                    }
                }
                if links.len() != model.len() || (0..model.len()).any(|i| links.at(i) != model[i]) {
                    return false;
                }
            }
            true
        }
        QuickCheck::new().tests(crate::cases(500)).quickcheck(holds as fn(Vec<(u8, u8, u16)>, u8) -> bool);
    }
}
