//! The only source of randomness: a named generator, and our own draws over it.
//!
//! The distributions of general crates may change between minor versions, and then a recorded trace would no longer
//! replay. So the bounded draw and the shuffle are ours, with golden vectors.

use rand_xoshiro::Xoshiro256StarStar;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};
use serde::{Deserialize, Serialize};

/// xoshiro256** (Blackman, Vigna 2018), seeded through SplitMix64; its state serialises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rng(Xoshiro256StarStar);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256StarStar::seed_from_u64(seed))
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.0.next_u64() >> 32) as u32
    }

    /// A uniform number in `0..bound`, 0 when `bound` is 0. Multiply and reject (Lemire 2019), so it is unbiased.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A uniform index into something of `len` elements, 0 when it is empty. For 32-bit bounds the rejection is left
    /// out: the bias is below 2^-32, and no decision here can tell.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        ((u128::from(self.next_u64()) * len as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value-stable for ever: a trace recorded today replays with any later version.
    #[test]
    fn golden() {
        let mut r = Rng::new(7);
        assert_eq!([r.next_u64(), r.next_u64()], [12_923_355_070_828_475_994, 5_142_052_590_334_782_674]);
        let draws: [u64; 8] = core::array::from_fn(|_| r.below(10));
        assert_eq!(draws, [8, 9, 9, 8, 0, 1, 4, 1]);
        let picks: [usize; 8] = core::array::from_fn(|_| r.index(7));
        assert_eq!(picks, [3, 5, 6, 6, 3, 3, 1, 3]);
        assert_eq!(r.below(0), 0);
        assert_eq!(r.index(0), 0);
    }

    #[test]
    fn below_is_uniform() {
        let mut r = Rng::new(1);
        let mut count = [0_u32; 6];
        for _ in 0..60_000 {
            count[r.below(6) as usize] += 1;
        }
        assert!(count.iter().all(|&c| (9_600..10_400).contains(&c)), "{count:?}");
    }
}
