//! Which rumors of one origin have been seen: the newest, and what is missing among those right below it.
//!
//! A rumor of a number that is not missing is never taken again, and one below the window never at all, so each is delivered
//! at most once, in whatever order they come. What falls out of the window while it is missing is given up.
//!
//! The bits say what is *missing*, in a ring: number `s` has bit `s` modulo the size. What was never broadcast is not
//! missing, so an empty window is all zeros, and the missing are counted by counting bits.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hash::mix64;
use crate::members::ensure;

/// What a number is to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It was not seen before.
    New,
    /// It was, or was given up.
    Known,
    /// It is below the window: nobody can tell any more.
    TooOld,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Window {
    /// The greatest number seen; 0 before the first.
    newest: u32,
    /// How many bits are set.
    pub(super) lacking: u32,
    missing: Vec<u64>,
}

impl Window {
    /// Of so many numbers, a multiple of 64.
    pub(super) fn new(size: usize) -> Self {
        Self { newest: 0, lacking: 0, missing: vec![0; size / 64] }
    }

    /// Marks a number that is `New` as seen. Returns how many missing ones are given up for it, none at first contact:
    /// what was broadcast before this node knew the origin was not meant for it.
    pub(super) fn mark(&mut self, seq: u32) -> u32 {
        if seq <= self.newest {
            self.lacking -= self.clear(seq, seq);
            return 0;
        }
        let first = self.newest == 0;
        let given_up = self.advance(seq);
        self.lacking -= self.clear(seq, seq);
        if first { 0 } else { given_up }
    }

    /// Gives up what is missing up to `floor`, whether heard of or not. Returns how many, none at first contact.
    pub(super) fn close(&mut self, floor: u32) -> u32 {
        let first = self.newest == 0;
        let passed = if floor > self.newest { self.advance(floor) } else { 0 };
        let low = self.lowest();
        let cleared = if floor >= low { self.clear(low, floor) } else { 0 };
        self.lacking -= cleared;
        if first { 0 } else { passed.saturating_add(cleared) }
    }

    pub(super) fn see(&self, seq: u32) -> Seen {
        if seq > self.newest {
            return Seen::New;
        }
        if seq < self.lowest() {
            return Seen::TooOld;
        }
        if self.is_missing(seq) { Seen::New } else { Seen::Known }
    }

    pub(super) fn newest(&self) -> u32 {
        self.newest
    }

    /// All up to this number were seen or given up.
    pub(super) fn floor(&self) -> u32 {
        if self.lacking == 0 {
            return self.newest;
        }
        let first = self.words().find(|&(_, bits)| bits != 0);
        first.map_or(self.newest, |(word, bits)| (word * 64 + u64::from(bits.trailing_zeros()) - 1) as u32)
    }

    /// Bit `i`: whether `floor + 1 + i` was seen. The lowest is never set.
    pub(super) fn seen(&self, floor: u32) -> u64 {
        (0..64)
            .filter(|i| floor.checked_add(1 + i).is_some_and(|seq| self.see(seq) == Seen::Known))
            .fold(0, |bits, i| bits | 1 << i)
    }

    /// A hash of what was seen, 0 where nothing was. Two windows of different sizes that miss the same have the same. It is
    /// compared with other nodes' (`docs/wire.md`), so it never changes.
    pub(super) fn hash(&self) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let step = |hash: u64, with: u64| mix64(hash.wrapping_add(with.wrapping_mul(ODD)));
        let missing = self.words().filter(|&(_, bits)| bits != 0);
        missing.fold(mix64(u64::from(self.newest)), |hash, (word, bits)| step(step(hash, word), bits))
    }

    /// The count against the bits, and no bit where nothing can be missing.
    pub(super) fn check(&self, size: usize) -> Result<(), &'static str> {
        ensure(!self.missing.is_empty() && self.missing.len() * 64 == size, "a rumor window is of the config's size")?;
        let ones = |bits: u64| u64::from(bits.count_ones());
        let all = self.missing.iter().map(|&bits| ones(bits)).sum::<u64>();
        ensure(all == u64::from(self.lacking), "a rumor window counts what it misses")?;
        ensure(all == self.words().map(|(_, bits)| ones(bits)).sum(), "a rumor window misses what lies in it")?;
        ensure(self.newest == 0 || !self.is_missing(self.newest), "the newest rumor was seen")
    }

    /// Moves the window up so that `seq` is its newest; that, and what lies between, is missing. Returns how many are given
    /// up: what was missing and falls out, and what never came in. Every word is touched once, however far it goes.
    fn advance(&mut self, seq: u32) -> u32 {
        let (size, from) = (self.size(), self.newest);
        let jump = u64::from(seq - from);
        let fallen = if jump >= size {
            self.missing.fill(0);
            let skipped = jump - size;
            u64::from(core::mem::take(&mut self.lacking)) + skipped
        } else {
            // What falls out had the bits that what comes in gets.
            let out = self.clear(from + 1, seq);
            self.lacking -= out;
            u64::from(out)
        };
        self.newest = seq;
        self.lacking += self.set(self.lowest().max(from.saturating_add(1)), seq);
        u32::try_from(fallen).unwrap_or(u32::MAX)
    }

    /// Clears the bits of these numbers, at most as many as the window has. Returns how many were set.
    fn clear(&mut self, low: u32, high: u32) -> u32 {
        let mut were = 0;
        self.span(low, high, |word, mask| {
            were += (*word & mask).count_ones();
            *word &= !mask;
        });
        were
    }

    /// Sets them. Returns how many were not set.
    fn set(&mut self, low: u32, high: u32) -> u32 {
        let mut were_not = 0;
        self.span(low, high, |word, mask| {
            were_not += (!*word & mask).count_ones();
            *word |= mask;
        });
        were_not
    }

    fn span(&mut self, low: u32, high: u32, mut f: impl FnMut(&mut u64, u64)) {
        let words = self.missing.len() as u64;
        for word in u64::from(low) / 64..=u64::from(high) / 64 {
            f(&mut self.missing[(word % words) as usize], mask_of(word, low, high));
        }
    }

    /// The numbers of the window by 64, ascending: which 64, and what of it is missing.
    fn words(&self) -> impl Iterator<Item = (u64, u64)> {
        let (low, high, words) = (self.lowest(), self.newest, self.missing.len() as u64);
        (u64::from(low) / 64..=u64::from(high) / 64)
            .map(move |word| (word, self.missing[(word % words) as usize] & mask_of(word, low, high)))
    }

    fn is_missing(&self, seq: u32) -> bool {
        let word = u64::from(seq) / 64 % self.missing.len() as u64;
        self.missing[word as usize] >> (seq % 64) & 1 == 1
    }

    /// The lowest number in the window.
    fn lowest(&self) -> u32 {
        (u64::from(self.newest) + 1).saturating_sub(self.size()).max(1) as u32
    }

    fn size(&self) -> u64 {
        self.missing.len() as u64 * 64
    }
}

/// The bits of the numbers from `low` to `high` in this word of 64. The words from that of the one to that of the other
/// have some; between those that were never broadcast, 0 to 0, there are none.
fn mask_of(word: u64, low: u32, high: u32) -> u64 {
    let first = u64::from(low).saturating_sub(word * 64);
    let behind = (u64::from(high) + 1).saturating_sub(word * 64).min(64);
    if first >= behind {
        return 0;
    }
    (u64::MAX >> (64 - (behind - first))) << first
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use quickcheck::QuickCheck;

    use super::*;
    use crate::rumors::models::PlayedWindow;

    const SIZE: u32 = 128;

    fn window() -> Window {
        Window::new(SIZE as usize)
    }

    /// Numbers that come in any order, in steps and in jumps, up to the last there is.
    #[test]
    fn like_a_set_that_forgets_what_is_far_behind() {
        fn holds(ops: Vec<(u8, u8)>, start: u8) -> bool {
            let mut played = PlayedWindow::new(SIZE as usize, start);
            ops.into_iter().for_each(|(op, x)| played.step(op, x));
            true
        }
        QuickCheck::new().tests(crate::cases(2_000)).quickcheck(holds as fn(Vec<(u8, u8)>, u8) -> bool);
    }

    #[test]
    fn at_the_edges() {
        let mut w = window();
        assert_eq!((w.floor(), w.seen(0), w.hash(), w.newest()), (0, 0, 0, 0));
        assert_eq!(w.mark(u32::MAX), 0, "what was before the first contact is not missed");
        assert_eq!((w.lacking, w.floor()), (SIZE - 1, u32::MAX - SIZE));
        assert_eq!((w.see(u32::MAX), w.see(u32::MAX - SIZE)), (Seen::Known, Seen::TooOld));
        assert_eq!((w.see(u32::MAX - SIZE + 1), w.see(0)), (Seen::New, Seen::TooOld));
        assert_eq!((w.close(u32::MAX), w.floor(), w.seen(u32::MAX)), (SIZE - 1, u32::MAX, 0));
        let mut w = window();
        w.mark(1);
        assert_eq!(w.mark(u32::MAX), u32::MAX - SIZE - 1, "all between the two but what is in the window");
        let mut w = window();
        assert_eq!((w.close(1_000), w.close(1_010), w.floor()), (0, 10, 1_010));
        assert_eq!(w.close(7), 0, "what is below the window is given up already");
    }

    /// Equal exactly when the same is missing, whatever the size of the window.
    #[test]
    fn the_hash_is_of_what_is_missing() {
        let of = |size: usize, seen: &[u32]| {
            let mut w = Window::new(size);
            seen.iter()
                .filter(|&&s| w.see(s) == Seen::New)
                .copied()
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|s| assert_eq!(w.mark(s), 0));
            w.hash()
        };
        assert_eq!(of(64, &[1, 2, 3]), of(256, &[3, 1, 2]));
        assert_eq!(of(128, &[1, 2, 3, 90]), of(256, &[90, 3, 1, 2]));
        let sets: [&[u32]; 8] = [&[1], &[2], &[1, 2], &[1, 3], &[2, 3], &[1, 2, 3], &[65], &[1, 65]];
        let hashes: BTreeSet<u64> = sets.iter().map(|set| of(128, set)).collect();
        assert_eq!(hashes.len(), sets.len());
        let golden = [of(64, &[1]), of(64, &[1, 3]), of(256, &[1, 200])];
        assert_eq!(golden, [0x5692_161d_100b_05e5, 0x289e_da85_37f8_5098, 0x91e3_3b80_67ab_625f]);
    }

    #[test]
    fn a_broken_window_is_seen() {
        let mut good = window();
        good.mark(3);
        assert_eq!(good.check(SIZE as usize), Ok(()));
        assert!(good.check(64).is_err() && Window::new(0).check(0).is_err());
        let broken: [fn(&mut Window); 4] =
            [|w| w.lacking += 1, |w| w.newest = 2, |w| w.missing[1] = 1, |w| (w.newest, w.lacking) = (0, 0)];
        for (i, breaks) in broken.iter().enumerate() {
            let mut w = good.clone();
            breaks(&mut w);
            assert!(w.check(SIZE as usize).is_err(), "{i}");
        }
    }
}
