//! Which link a datagram takes, and whether that way is cut.

use std::collections::BTreeMap;

use crate::host::NodeIx;
use crate::latency::Latency;
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

/// Cuts, and what differs from the world's link.
#[derive(Debug, Default)]
pub(crate) struct Fabric {
    /// Bit `to` of row `from`: that direction is cut. One look-up whatever was cut, and at most n²/8 bytes.
    cuts: Vec<Vec<u64>>,
    /// Looked up, never iterated for a decision.
    links: BTreeMap<(NodeIx, NodeIx), Link>,
    /// By node; those behind the end are in zone 0.
    zones: Vec<u16>,
    /// From zone to zone, where it is not the world's.
    latencies: BTreeMap<(u16, u16), Latency>,
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

    /// Takes all links of their own away.
    pub(crate) fn clear_links(&mut self) {
        self.links.clear();
    }

    pub(crate) fn set_zone(&mut self, node: NodeIx, zone: u16) {
        if self.zones.len() <= node.index() {
            self.zones.resize(node.index() + 1, 0);
        }
        self.zones[node.index()] = zone;
    }

    pub(crate) fn zone(&self, node: NodeIx) -> u16 {
        self.zones.get(node.index()).copied().unwrap_or_default()
    }

    pub(crate) fn set_zone_latency(&mut self, from: u16, to: u16, latency: Option<Latency>) {
        match latency {
            Some(latency) => self.latencies.insert((from, to), latency),
            None => self.latencies.remove(&(from, to)),
        };
    }

    /// The link between these two: one of its own, or else `world` with the latency between their zones.
    pub(crate) fn link(&self, from: NodeIx, to: NodeIx, world: &Link) -> Link {
        if !self.links.is_empty() {
            if let Some(own) = self.links.get(&(from, to)) {
                return *own;
            }
        }
        if !self.latencies.is_empty() {
            if let Some(&latency) = self.latencies.get(&(self.zone(from), self.zone(to))) {
                return world.with_latency(latency);
            }
        }
        *world
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{millis, secs};

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
        let (world, slow) = (Link::default(), Link { latency_min: secs(1), ..Link::default() });
        fabric.set_link(n(0), n(1), Some(slow));
        assert_eq!((fabric.link(n(0), n(1), &world), fabric.link(n(1), n(0), &world)), (slow, world));
        fabric.set_link(n(0), n(1), None);
        assert_eq!(fabric.link(n(0), n(1), &world), world);
    }

    #[test]
    fn zones_change_the_latency_and_nothing_else() {
        let mut fabric = Fabric::default();
        let world = Link { loss: 7, ..Link::default() };
        let far = Latency::constant(secs(1));
        fabric.set_zone(n(2), 5);
        fabric.set_zone_latency(0, 5, Some(far));
        assert_eq!([n(0), n(2), n(9)].map(|node| fabric.zone(node)), [0, 5, 0]);
        let link = fabric.link(n(0), n(2), &world);
        assert_eq!((link.latency(), link.loss), (far, 7));
        assert_eq!(fabric.link(n(2), n(0), &world), world, "the way back has a latency of its own");
        assert_eq!(fabric.link(n(0), n(1), &world), world);

        let own = Link { latency_max: millis(2), ..Link::default() };
        fabric.set_link(n(0), n(2), Some(own));
        assert_eq!(fabric.link(n(0), n(2), &world), own, "a link of its own comes first");
        fabric.set_link(n(0), n(2), None);
        fabric.set_zone_latency(0, 5, None);
        assert_eq!(fabric.link(n(0), n(2), &world), world);
    }
}
