//! Whose turn it is, and who is drawn.

use smallvec::SmallVec;

use super::{ME, Members, Row};
use crate::rng::Rng;

/// Up to this many candidates, peers are drawn from a shuffled copy; beyond it, by rejection.
const FEW: usize = 64;

/// Peers drawn at random.
pub(crate) type Picks = SmallVec<[u32; 32]>;

impl Members {
    /// Whose turn it is to be probed.
    pub(crate) fn next_probe(&mut self, rng: &mut Rng) -> Option<u32> {
        self.order.next(rng)
    }

    /// Up to `k` live peers at distinct addresses but mine, none of which `skip` refuses, uniform over addresses. Work is
    /// bounded by `k` and a constant, so with very many aliases fewer may come.
    pub(crate) fn pick(&self, rng: &mut Rng, k: usize, skip: impl Fn(&Row) -> bool) -> Picks {
        let skip = |r: &Row| r.addr == self[ME].addr || skip(r);
        let mut picks = Picks::new();
        if k == 0 || self.order.is_empty() {
        } else if self.order.len() <= FEW {
            self.pick_of_few(rng, k, skip, &mut picks);
        } else {
            self.pick_of_many(rng, k, skip, &mut picks);
        }
        picks
    }

    fn pick_of_few(&self, rng: &mut Rng, k: usize, skip: impl Fn(&Row) -> bool, picks: &mut Picks) {
        let mut pool = SmallVec::<[u32; FEW]>::new();
        for slot in (0..self.order.len()).map(|i| self.order.at(i)) {
            let first = self.shared == 0 || !pool.iter().any(|&p| self[p].addr == self[slot].addr);
            if first && !skip(&self[slot]) {
                pool.push(slot);
            }
        }
        while picks.len() < k && !pool.is_empty() {
            picks.push(pool.swap_remove(rng.index(pool.len())));
        }
    }

    fn pick_of_many(&self, rng: &mut Rng, k: usize, skip: impl Fn(&Row) -> bool, picks: &mut Picks) {
        let fits = |picks: &Picks, slot: u32| {
            let taken = picks.iter().any(|&p| p == slot || self.shared > 0 && self[p].addr == self[slot].addr);
            !taken && !skip(&self[slot])
        };
        for _ in 0..4 * k + 16 {
            if picks.len() == k {
                return;
            }
            let slot = self.order.at(rng.index(self.order.len()));
            // A member counts by its share of the address, so that an address with many ids is not drawn more often.
            let alone = self.shared == 0 || rng.index(self.aliases(self[slot].addr).max(1)) == 0;
            if alone && fits(picks, slot) {
                picks.push(slot);
            }
        }
        // Nearly everybody is refused: look along the order from a random place.
        let start = rng.index(self.order.len());
        for i in 0..self.order.len().min(4 * FEW) {
            if picks.len() == k {
                return;
            }
            let slot = self.order.at((start + i) % self.order.len());
            if fits(picks, slot) {
                picks.push(slot);
            }
        }
    }
}
