//! One run of a scenario: its seed, what it leaves to chance, the cluster it starts from, the figures it notes.

use std::time::Duration;

use swim_core::Config;

use crate::harness::{Harness, Peer, Spec};

/// The number at this place of this seed's sequence. SplitMix64: any two are far apart, also for the small seeds of a batch.
pub(crate) fn mix(seed: u64, place: u64) -> u64 {
    let mut z = (seed << 20).wrapping_add(place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One run of a scenario, with one seed.
#[derive(Debug)]
pub struct Run {
    seed: u64,
    drawn: u64,
    never_excused: bool,
    figures: Vec<(&'static str, f64)>,
}

impl Run {
    /// The run of this seed; nothing of it was played yet.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0, never_excused: false, figures: Vec::new() }
    }

    /// Says that this scenario shows the same whatever the machine does: when it fails it has failed, and is not played again.
    pub fn never_excuse(&mut self) {
        self.never_excused = true;
    }

    pub(crate) fn is_never_excused(&self) -> bool {
        self.never_excused
    }

    pub(crate) fn into_figures(self) -> Vec<(&'static str, f64)> {
        self.figures
    }

    /// Draws a number below `bound`; every draw of a run is another.
    pub fn below(&mut self, bound: usize) -> usize {
        self.drawn += 1;
        (mix(self.seed, self.drawn) % bound as u64) as usize
    }

    /// Draws one of these.
    pub fn pick<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }

    /// Takes one out of these at random.
    pub fn take<T>(&mut self, these: &mut Vec<T>) -> T {
        let at = self.below(these.len());
        these.remove(at)
    }

    /// Draws a part of this time.
    pub fn part_of(&mut self, span: Duration) -> Duration {
        span * self.below(1_000) as u32 / 1_000
    }

    /// Notes a figure; those of all runs are summed up and printed at the end of the batch.
    pub fn figure(&mut self, what: &'static str, value: f64) {
        self.figures.push((what, value));
    }

    /// An empty network.
    pub fn world<H: Harness>(&self) -> H {
        self.world_with(H::base_config())
    }

    /// An empty network with this config.
    pub fn world_with<H: Harness>(&self, config: Config) -> H {
        H::new(self.seed, config)
    }

    /// Five nodes that know each other and have nothing more to tell, at a random moment of their periods: the usual
    /// setting. They are called `n0` to `n4`.
    pub fn five<H: Harness>(&mut self) -> (H, [Peer; 5]) {
        let (h, nodes) = self.cluster(H::base_config(), 5);
        (h, nodes.try_into().expect("five were asked for"))
    }

    /// So many of them, with this config.
    pub fn cluster<H: Harness>(&mut self, config: Config, n: usize) -> (H, Vec<Peer>) {
        let mut h: H = self.world_with(config);
        let nodes: Vec<Peer> = (0..n).map(|i| h.spawn(Spec::named(format!("n{i}")))).collect();
        for &p in &nodes[1..] {
            h.join_through(p, &nodes[..1]);
            // Not in step: each of five starts at a moment of its own.
            h.run(h.periods(1) * 13 / 100);
        }
        h.until(h.periods(120), |h| h.is_whole(n)).expect("the cluster forms");
        // Long enough for every node to have told its news as often as it does.
        let told = h.config().gossip_interval * (h.config().retransmit_limit(n) as u32 + 2);
        let phase = self.part_of(h.periods(2));
        h.run(told + phase);
        (h, nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_by_seed_and_by_turn() {
        let draw = |seed| {
            let mut run = Run::new(seed);
            (0..20).map(|_| run.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert!(draw(1) != draw(2) && draw(1)[1..] != draw(2)[..19]);
        let mut run = Run::new(7);
        let mut hits = [0; 5];
        (0..5_000).for_each(|_| hits[run.below(5)] += 1);
        assert!(hits.iter().all(|h| (900..1_100).contains(h)), "{hits:?}");
    }
}
