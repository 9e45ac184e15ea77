//! Which link a datagram takes, whether that way is cut, and how often each fate befell one.

use std::collections::BTreeMap;

use crate::host::NodeIx;
use crate::link::Link;

/// Which way [`crate::World::cut`] cuts, seen from its first group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing passes between the groups.
    Both,
    /// Nothing passes from the first group to the second; the second is still heard.
    To,
    /// Nothing passes from the second group to the first; the first is still heard.
    From,
}

/// Cuts and links that differ from the world's.
#[derive(Debug, Default)]
pub(crate) struct Fabric {
    /// Bit `to` of row `from`: that direction is cut. One look-up whatever was cut, and at most n²/8 bytes.
    cuts: Vec<Vec<u64>>,
    /// Looked up, never iterated for a decision.
    links: BTreeMap<(NodeIx, NodeIx), Link>,
}

impl Fabric {
    pub(crate) fn cut(&mut self, these: &[NodeIx], those: &[NodeIx], way: Way) {
        for &this in these {
            for &that in those {
                if way != Way::From {
                    self.cut_direction(this, that);
                }
                if way != Way::To {
                    self.cut_direction(that, this);
                }
            }
        }
    }

    fn cut_direction(&mut self, from: NodeIx, to: NodeIx) {
        // A process always reaches itself, so that overlapping groups are harmless.
        if from == to {
            return;
        }
        if self.cuts.len() <= from.index() {
            self.cuts.resize(from.index() + 1, Vec::new());
        }
        let row = &mut self.cuts[from.index()];
        let word = to.index() / 64;
        if row.len() <= word {
            row.resize(word + 1, 0);
        }
        row[word] |= 1 << (to.index() % 64);
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
    }

    pub(crate) fn is_cut(&self, from: NodeIx, to: NodeIx) -> bool {
        let word = self.cuts.get(from.index()).and_then(|row| row.get(to.index() / 64));
        word.is_some_and(|word| word >> (to.index() % 64) & 1 == 1)
    }

    pub(crate) fn set_link(&mut self, from: NodeIx, to: NodeIx, link: Option<Link>) {
        match link {
            Some(link) => self.links.insert((from, to), link),
            None => self.links.remove(&(from, to)),
        };
    }

    /// The link between these two, if it is not the world's.
    pub(crate) fn link(&self, from: NodeIx, to: NodeIx) -> Option<&Link> {
        if self.links.is_empty() { None } else { self.links.get(&(from, to)) }
    }
}

/// What became of the datagrams of a world. A test that injects a fault shows here that the fault took place.
///
/// Each datagram that was sent or injected, and each duplicate, ends in exactly one of `delivered`, `lost`, `cut`,
/// `overflowed`, `unreachable`, unless it is still under way or waits for a paused node ([`crate::World::in_flight`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkStats {
    /// Sent by nodes.
    pub sent: u64,
    /// Forged by [`crate::World::inject`].
    pub injected: u64,
    /// Second copies of datagrams.
    pub duplicated: u64,
    /// Held back by reordering, first and second copies alike.
    pub held_back: u64,
    /// Handed to a process.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Lost because that way was cut.
    pub cut: u64,
    /// Lost because the socket buffer of a paused node was full.
    pub overflowed: u64,
    /// Sent to an address where no process runs: killed, left, or never there.
    pub unreachable: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(index: usize) -> NodeIx {
        NodeIx::new(index)
    }

    fn cut_pairs(fabric: &Fabric, count: usize) -> Vec<(usize, usize)> {
        let all = (0..count).flat_map(|from| (0..count).map(move |to| (from, to)));
        all.filter(|&(from, to)| fabric.is_cut(n(from), n(to))).collect()
    }

    #[test]
    fn a_cut_has_a_direction() {
        for (way, want) in [(Way::To, vec![(0, 2)]), (Way::From, vec![(2, 0)]), (Way::Both, vec![(0, 2), (2, 0)])] {
            let mut fabric = Fabric::default();
            fabric.cut(&[n(0)], &[n(2)], way);
            assert_eq!(cut_pairs(&fabric, 4), want, "{way:?}");
        }
    }

    #[test]
    fn cuts_add_up_until_healed() {
        let mut fabric = Fabric::default();
        fabric.cut(&[n(0), n(1)], &[n(1), n(70)], Way::To);
        fabric.cut(&[n(70)], &[n(3)], Way::Both);
        assert_eq!(cut_pairs(&fabric, 200), [(0, 1), (0, 70), (1, 70), (3, 70), (70, 3)], "and nobody from itself");
        fabric.heal();
        assert_eq!(cut_pairs(&fabric, 200), []);
    }

    #[test]
    fn a_link_of_its_own_has_a_direction() {
        let mut fabric = Fabric::default();
        let slow = Link { latency_min: crate::secs(1), ..Link::default() };
        fabric.set_link(n(0), n(1), Some(slow));
        assert_eq!((fabric.link(n(0), n(1)), fabric.link(n(1), n(0))), (Some(&slow), None));
        fabric.set_link(n(0), n(1), None);
        assert_eq!(fabric.link(n(0), n(1)), None);
    }
}
