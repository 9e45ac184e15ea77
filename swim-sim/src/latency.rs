//! How long datagrams are under way, and how that is spread.
//!
//! Invariant: integers only. The logarithms and powers of floats differ in their last bit from machine to machine, and
//! a run would with them.

use std::time::Duration;

use crate::rng::Stream;

/// How the latencies of a link are spread between their bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spread {
    /// Each as likely as any other.
    #[default]
    Uniform,
    /// Mostly little above the shortest, and now and then a multiple of it, as queues and retransmissions make them: a
    /// latency doubles again and again, each time with the chance `again` per million, and is anywhere between one
    /// doubling and the next.
    ///
    /// So it is at least 2^k times the shortest with a chance of `again`^k: a power law, like Pareto's with exponent
    /// -log2(`again`). A quarter (exponent 2) is a busy network, a half (exponent 1) a sick one, where every doubling
    /// adds as much to the mean as the one before. What would be beyond the longest is the longest.
    LongTailed {
        /// Chance of each doubling. From a million on, every latency is the longest.
        again: u32,
    },
}

/// The latencies of a link.
///
/// ```
/// use swim_sim::{Latency, Link, millis, percent};
/// let mobile = Latency::long_tailed(millis(30), millis(3_000), percent(35));
/// let link = Link::default().with_latency(mobile);
/// assert_eq!((link.latency_min, link.latency()), (millis(30), mobile));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The shortest.
    pub min: Duration,
    /// The longest; `min` when it is below that.
    pub max: Duration,
    /// How they are spread between the two.
    pub spread: Spread,
}

impl Latency {
    /// Always the same.
    pub const fn constant(always: Duration) -> Self {
        Self::uniform(always, always)
    }

    /// Anything from `min` to `max`, each as likely as any other.
    pub const fn uniform(min: Duration, max: Duration) -> Self {
        Self { min, max, spread: Spread::Uniform }
    }

    /// From `min` on, with a tail up to `max`: [`Spread::LongTailed`], with the chance `again` per million.
    pub const fn long_tailed(min: Duration, max: Duration, again: u32) -> Self {
        Self { min, max, spread: Spread::LongTailed { again } }
    }

    /// Draws one, in microseconds.
    pub(crate) fn draw(&self, draws: &mut Stream) -> u64 {
        let min = micros(self.min);
        let max = micros(self.max).max(min);
        match self.spread {
            Spread::Uniform => draws.within(min, max),
            Spread::LongTailed { again: 1_000_000.. } => max,
            Spread::LongTailed { again } => {
                // Nothing doubled is still nothing, and would double for ever.
                let mut low = min.max(1);
                while low < max && draws.chance(again) {
                    low = low.saturating_mul(2);
                }
                draws.within(low, low.saturating_mul(2) - 1).clamp(min, max)
            }
        }
    }
}

/// Microseconds, as many as there can be at most.
pub(crate) fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;
    use crate::{millis, percent};

    const N: usize = 100_000;

    fn drawn(latency: Latency) -> Vec<u64> {
        let mut draws = Stream::new(4, Purpose::Network);
        (0..N).map(|_| latency.draw(&mut draws)).collect()
    }

    #[test]
    fn a_constant_is_constant() {
        assert!(drawn(Latency::constant(millis(7))).iter().all(|&l| l == 7_000));
    }

    #[test]
    fn a_uniform_one_fills_its_bounds_evenly() {
        let all = drawn(Latency::uniform(millis(10), millis(20)));
        assert!(all.iter().all(|l| (10_000..=20_000).contains(l)));
        let below = all.iter().filter(|&&l| l < 12_500).count();
        assert!((24_000..26_000).contains(&below), "{below} of {N} in the first quarter");
    }

    /// The law that the documentation states, at every doubling up to the longest.
    #[test]
    fn a_tail_follows_its_power_law_up_to_the_longest() {
        let all = drawn(Latency::long_tailed(millis(10), millis(300), percent(25)));
        assert!(all.iter().all(|l| (10_000..=300_000).contains(l)));
        for k in 1..5 {
            let (beyond, want) = (all.iter().filter(|&&l| l >= 10_000 << k).count(), N >> (2 * k));
            let tolerance = want / 10 + 30;
            assert!(beyond.abs_diff(want) < tolerance, "{beyond} of {N} beyond {k} doublings, not {want}");
        }
        assert!(all.contains(&300_000), "the longest is reached");
    }

    #[test]
    fn odd_tails_mean_something() {
        assert!(drawn(Latency::long_tailed(millis(1), millis(9), percent(100))).iter().all(|&l| l == 9_000));
        assert!(drawn(Latency::long_tailed(millis(1), millis(9), 0)).iter().all(|l| (1_000..2_000).contains(l)));
        assert!(drawn(Latency::long_tailed(millis(5), millis(2), percent(50))).iter().all(|&l| l == 5_000));
        assert!(drawn(Latency::long_tailed(millis(0), millis(1), percent(99))).iter().all(|&l| l <= 1_000));
        let endless = Latency::long_tailed(Duration::MAX, Duration::MAX, percent(50));
        assert!(drawn(endless).iter().all(|&l| l == u64::MAX));
    }
}
