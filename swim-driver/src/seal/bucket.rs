//! How many answers of a kind leave in a second.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use swim_core::Instant;

/// A token bucket: [`RATE`] per second, and as many at once.
#[derive(Debug)]
pub(super) struct Bucket {
    /// In millionths.
    level: u64,
    at: Instant,
}

impl Bucket {
    pub(super) fn full(now: Instant) -> Self {
        Self { level: FULL, at: now }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        let come = now.micros_since(self.at).saturating_mul(RATE);
        self.level = self.level.saturating_add(come).min(FULL);
        self.at = now;
        let Some(rest) = self.level.checked_sub(ONE) else { return false };
        self.level = rest;
        true
    }
}

const RATE: u64 = 256;
const ONE: u64 = 1_000_000;
const FULL: u64 = RATE * ONE;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_so_many_in_a_second() {
        let start = Instant::from_millis(5);
        let mut bucket = Bucket::full(start);
        let mut taken = |now| std::iter::repeat_with(|| bucket.take(now)).take_while(|&taken| taken).count();
        assert_eq!((taken(start), taken(start)), (256, 0));
        assert_eq!(taken(start.plus_micros(500_000)), 128);
        assert_eq!(taken(start.plus_micros(u64::MAX / 2)), 256);
    }
}
