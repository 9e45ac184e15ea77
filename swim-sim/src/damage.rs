//! Datagrams that arrive, but not as they were sent.

use crate::rng::Stream;

/// How a link damages datagrams, each copy of one for itself. Chances are per million; one can meet with both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Chance that bits are flipped: from one to `flips_max` of them, all distinct, anywhere in the datagram.
    pub flip: u32,
    /// The most bits that are flipped at once; one when it is 0, all of a datagram that has fewer.
    pub flips_max: u16,
    /// Chance that the datagram is cut off somewhere, perhaps before its first byte.
    pub truncate: u32,
}

/// What became of one datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) flipped: bool,
    pub(crate) truncated: bool,
}

impl Damage {
    /// Damages these bytes, or not, as the draws will.
    pub(crate) fn befall(&self, bytes: &mut Vec<u8>, draws: &mut Stream) -> Damaged {
        let flipped = !bytes.is_empty() && draws.chance(self.flip);
        if flipped {
            let count = draws.within(1, u64::from(self.flips_max));
            flip(bytes, count, draws);
        }
        let truncated = !bytes.is_empty() && draws.chance(self.truncate);
        if truncated {
            bytes.truncate(draws.within(0, bytes.len() as u64 - 1) as usize);
        }
        Damaged { flipped, truncated }
    }
}

/// Flips so many bits, or all if there are fewer. They are distinct: two flips of one bit would undo each other, and
/// what is counted as damaged would arrive whole.
pub(crate) fn flip(bytes: &mut [u8], count: u64, draws: &mut Stream) {
    let bits = bytes.len() as u64 * 8;
    let count = count.min(bits);
    // Floyd's sample: each step draws from one position more, and takes the last when its draw is taken already.
    let mut chosen = Vec::with_capacity(count as usize);
    for last in bits - count..bits {
        let bit = draws.within(0, last);
        let bit = if chosen.contains(&bit) { last } else { bit };
        chosen.push(bit);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::percent;
    use crate::rng::Purpose;

    fn after(damage: Damage, whole: &[u8], draws: &mut Stream) -> (Vec<u8>, Damaged) {
        let mut bytes = whole.to_vec();
        let what = damage.befall(&mut bytes, draws);
        (bytes, what)
    }

    fn differing(a: &[u8], b: &[u8]) -> u32 {
        a.iter().zip(b).map(|(x, y)| (x ^ y).count_ones()).sum()
    }

    #[test]
    fn from_one_to_the_most_bits_flip_and_none_twice() {
        let mut draws = Stream::new(6, Purpose::Damage);
        let (mut seen, whole) = ([0; 5], [0x5a; 40]);
        for _ in 0..10_000 {
            let rule = Damage { flip: percent(50), flips_max: 4, truncate: 0 };
            let (bytes, what) = after(rule, &whole, &mut draws);
            let flips = differing(&bytes, &whole);
            assert_eq!((bytes.len(), what.flipped, what.truncated), (40, flips > 0, false));
            seen[flips as usize] += 1;
        }
        assert!((4_800..5_200).contains(&seen[0]), "{seen:?}");
        assert!(seen[1..].iter().all(|n| (1_100..1_400).contains(n)), "{seen:?}");
    }

    #[test]
    fn every_length_below_the_whole_comes_about() {
        let mut draws = Stream::new(6, Purpose::Damage);
        let mut seen = [0; 5];
        for _ in 0..1_000 {
            let rule = Damage { truncate: percent(100), ..Damage::default() };
            let (bytes, what) = after(rule, b"whole", &mut draws);
            assert!(what.truncated && b"whole".starts_with(&bytes));
            seen[bytes.len()] += 1;
        }
        assert!(seen.iter().all(|n| (150..250).contains(n)), "{seen:?}");
    }

    #[test]
    fn odd_settings_and_small_datagrams_mean_something() {
        let mut draws = Stream::new(6, Purpose::Damage);
        let always = Damage { flip: percent(100), flips_max: 0, truncate: 0 };
        assert_eq!(differing(&after(always, b"x", &mut draws).0, b"x"), 1, "at most none is one");
        let mut byte = [0];
        flip(&mut byte, 100, &mut draws);
        assert_eq!(byte, [0xff], "all bits, when there are no more");
        let both = Damage { flip: percent(100), flips_max: 9, truncate: percent(100) };
        assert_eq!(after(both, b"", &mut draws), (vec![], Damaged::default()), "nothing cannot be damaged");
        let before = draws.clone().next_u64();
        after(Damage::default(), b"whole", &mut draws);
        assert_eq!(draws.next_u64(), before, "a fault that is off draws nothing");
    }
}
