//! Which datagrams of a session were taken already (`docs/wire.md`, "Sealed").
//!
//! Invariant: a counter is taken at most once, and none that is not above the floor, or 1 024 or more behind the highest.

/// The window of one session. Only counters whose tag was right may move it.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The highest counter taken, or the floor.
    top: u64,
    /// What was sealed up to here is too old.
    floor: u64,
    /// A bit for each of the [`BITS`] counters up to `top`, at its remainder.
    taken: [u64; WORDS],
}

impl Window {
    pub(super) fn above(floor: u64) -> Self {
        Self { top: floor, floor, taken: [0; WORDS] }
    }

    /// Takes this counter, or says that it must not be.
    pub(super) fn take(&mut self, counter: u64) -> bool {
        if counter <= self.floor || counter.saturating_add(BITS) <= self.top {
            return false;
        }
        self.reach(counter);
        let Some((word, bit)) = self.place(counter) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// From now on nothing up to here is taken.
    pub(super) fn raise(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        self.reach(self.floor);
    }

    /// Moves the top up to this counter. Those between were not taken yet.
    fn reach(&mut self, counter: u64) {
        if counter.saturating_sub(self.top) >= BITS {
            self.taken = [0; WORDS];
            self.top = counter;
        }
        while self.top < counter {
            self.top = self.top.saturating_add(1);
            if let Some((word, bit)) = self.place(self.top) {
                *word &= !bit;
            }
        }
    }

    fn place(&mut self, counter: u64) -> Option<(&mut u64, u64)> {
        let at = usize::try_from(counter & (BITS - 1)).ok()?;
        Some((self.taken.get_mut(at >> 6)?, 1 << (at & 63)))
    }
}

const WORDS: usize = 16;
const BITS: u64 = 64 * WORDS as u64;

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeSet;

    use quickcheck::QuickCheck;

    use super::*;

    /// The rule, word for word.
    struct Naive {
        floor: u64,
        taken: BTreeSet<u64>,
    }

    impl Naive {
        fn take(&mut self, counter: u64) -> bool {
            let top = self.taken.last().copied().unwrap_or(self.floor).max(self.floor);
            counter > self.floor && counter + 1_024 > top && self.taken.insert(counter)
        }
    }

    #[test]
    fn it_takes_what_the_rule_says() {
        fn same(floor: u16, steps: Vec<(u8, u16)>) -> bool {
            let floor = u64::from(floor);
            let (mut window, mut naive) = (Window::above(floor), Naive { floor, taken: BTreeSet::new() });
            let mut near = floor;
            steps.iter().all(|&(kind, by)| {
                let by = u64::from(by);
                let counter = match kind % 4 {
                    0 => near + by % 4,
                    1 => near.saturating_sub(by % 1_100),
                    2 => near + by % 1_100,
                    _ => by,
                };
                near = near.max(counter);
                window.take(counter) == naive.take(counter)
            })
        }
        QuickCheck::new().tests(2_000).quickcheck(same as fn(u16, Vec<(u8, u16)>) -> bool);
    }

    /// However much was taken before the floor was known, what is not above it is refused, and what was taken stays so.
    #[test]
    fn a_floor_that_is_known_later_is_a_floor() {
        let mut window = Window::above(0);
        assert!([5, 7, 40].into_iter().all(|counter| window.take(counter)));
        window.raise(6);
        assert!(!window.take(6) && !window.take(7) && window.take(8) && !window.take(40) && window.take(41));
        window.raise(50);
        assert!(!window.take(50) && window.take(51) && !window.take(51));
        window.raise(9);
        assert!(!window.take(45), "a floor does not sink");
    }

    #[test]
    fn the_edges_are_where_they_are_said_to_be() {
        let mut window = Window::above(10);
        assert!(!window.take(0) && !window.take(10) && window.take(11) && !window.take(11));
        assert!(window.take(2_000) && window.take(977) && !window.take(976) && !window.take(977), "2000 - 1024 = 976");
        let end = (1 << 48) - 1;
        assert!(window.take(end) && window.take(end - 1_023) && !window.take(end - 1_024) && !window.take(end));
        assert!(window.take(u64::MAX) && !window.take(u64::MAX), "no overflow, whatever comes");
    }
}
