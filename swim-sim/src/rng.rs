//! Where every draw comes from: one generator per purpose, all derived from one seed, a world's or an experiment's.
//!
//! Separate streams keep purposes apart: a node more does not move the network's draws, a lost datagram more does not
//! move the seeds that later nodes get.

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): one word of state, which is all that draws of luck and latency need.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    /// The stream of this world for this purpose.
    pub(crate) fn new(world_seed: u64, purpose: Purpose) -> Self {
        Self { state: mix64(mix64(world_seed).wrapping_add(purpose as u64)) }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix64(self.state)
    }

    /// A number in `low..=high`, `low` when `high` is not above it. The bias, below `(high - low) / 2^64`, is nothing a
    /// run could show.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        let span = u128::from(high.saturating_sub(low)) + 1;
        low + ((u128::from(self.next_u64()) * span) >> 64) as u64
    }

    /// One of the numbers below `bound`, of which there must be one.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.within(0, bound as u64 - 1) as usize
    }

    /// One of these, of which there must be one.
    pub(crate) fn pick<T: Clone>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())].clone()
    }

    /// True `per_million` times in a million: never at 0, always at 1 000 000 and above. The certain cases draw
    /// nothing, so a fault that is switched off costs nothing.
    pub(crate) fn chance(&mut self, per_million: u32) -> bool {
        match per_million {
            0 => false,
            1_000_000.. => true,
            p => self.within(0, 999_999) < u64::from(p),
        }
    }
}

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Loss, latency, duplication, reordering.
    Network = 1,
    /// The seeds that nodes are started with.
    Nodes = 2,
    /// States of links that lose in bursts, and what they lose.
    Bursts = 3,
    /// Which datagrams are damaged, and how.
    Damage = 4,
    /// When things happen that a whole crowd of nodes does.
    Crowds = 5,
    /// The draws of an experiment, which has no world.
    Experiment = 6,
    /// What a swarm run does.
    Swarm = 7,
    /// Whom the faults of a drill befall.
    Drill = 8,
    /// What the nodes of a swarm run write and broadcast.
    Data = 9,
    /// What nodes that seal take their sessions and challenges from.
    Secrets = 10,
}

/// The finaliser of SplitMix64: a bijection of 64 bits.
pub(crate) const fn mix64(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64's published first outputs for state 1234567.
    #[test]
    fn it_is_splitmix64() {
        let mut s = Stream { state: 1_234_567 };
        assert_eq!([s.next_u64(), s.next_u64()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut s = Stream::new(1, Purpose::Network);
        let mut seen = [false; 3];
        for _ in 0..100 {
            seen[(s.within(7, 9) - 7) as usize] = true;
        }
        assert_eq!(seen, [true; 3]);
        assert_eq!((s.within(5, 5), s.within(5, 4)), (5, 5));
        s.within(0, u64::MAX);
    }

    #[test]
    fn chances_are_per_million() {
        let mut s = Stream::new(2, Purpose::Network);
        let before = s.state;
        assert!(!s.chance(0) && s.chance(1_000_000) && s.chance(u32::MAX));
        assert_eq!(s.state, before, "certainty draws nothing");
        let hits = (0..100_000).filter(|_| s.chance(250_000)).count();
        assert!((24_000..26_000).contains(&hits), "{hits} of 100000 at a quarter");
    }

    #[test]
    fn purposes_and_seeds_have_streams_of_their_own() {
        let first = |seed, purpose| Stream::new(seed, purpose).next_u64();
        let purposes = [Purpose::Network, Purpose::Nodes, Purpose::Bursts, Purpose::Damage, Purpose::Crowds];
        let draws: Vec<u64> = (0..2).flat_map(|seed| purposes.map(|purpose| first(seed, purpose))).collect();
        for (i, draw) in draws.iter().enumerate() {
            assert!(!draws[..i].contains(draw), "{draws:x?}");
        }
    }
}
