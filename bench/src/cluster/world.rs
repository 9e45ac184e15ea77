//! A cluster of nodes of one kind in a virtual network.

use std::time::{Duration, Instant};

use super::net::{Net, What};
use super::peer::Peer;
use crate::tuning::Tuning;

pub(super) const SECOND: u64 = 1_000_000;
/// The protocol period of both.
pub(super) const PERIOD: u64 = SECOND;

pub(super) struct World<P: Peer> {
    /// Who runs.
    nodes: Vec<Option<P>>,
    pub(super) net: Net<P::Timer>,
    seed: u64,
    tuning: Tuning,
    /// Whether nodes are told of each other when they start, and do not join.
    is_met: bool,
}

impl<P: Peer> World<P> {
    /// So many nodes that start within this time, and each of which joins the cluster of the first when it starts.
    pub(super) fn joining(nodes: usize, seed: u64, within: u64, tuning: Tuning) -> Self {
        let mut net = Net::new(nodes, seed);
        for node in 0..nodes {
            let at = if node == 0 { 0 } else { 1 + net.draw.below(within) };
            net.begin(at, node);
        }
        Self { nodes: (0..nodes).map(|_| None).collect(), net, seed, tuning, is_met: false }
    }

    /// The same, with nodes that know each other from the start if they can be told.
    pub(super) fn meeting(nodes: usize, seed: u64, tuning: Tuning) -> Self {
        Self { is_met: true, ..Self::joining(nodes, seed, PERIOD, tuning) }
    }

    /// A cluster that has formed: all see all, and there is nothing to tell. `None` when it has not come to that in
    /// time.
    pub(super) fn formed(mut self) -> Option<Self> {
        self.until(300 * SECOND, None, |net| net.views.all_see_all())?;
        // Looked at once per second: it is a sum over all nodes.
        (0..300)
            .any(|_| {
                self.is_at_rest() || {
                    self.run(SECOND);
                    false
                }
            })
            .then_some(self)
    }

    fn is_at_rest(&self) -> bool {
        self.nodes.iter().flatten().all(|node| node.queued() == 0)
    }

    pub(super) fn run(&mut self, span: u64) {
        let end = self.net.now() + span;
        while self.step(end) {}
        self.net.pass(end);
    }

    /// Runs until this is so, and says when: no longer than this span, and no longer than this in real time.
    pub(super) fn until(
        &mut self,
        span: u64,
        real: Option<Duration>,
        mut is_so: impl FnMut(&Net<P::Timer>) -> bool,
    ) -> Option<u64> {
        let (end, watch) = (self.net.now() + span, Instant::now());
        for step in 1_u64.. {
            if is_so(&self.net) {
                return Some(self.net.now());
            }
            let is_late = || step % 1_024 == 0 && real.is_some_and(|real| watch.elapsed() > real);
            if is_late() || !self.step(end) {
                break;
            }
        }
        None
    }

    /// One node's process ends.
    pub(super) fn crash(&mut self, node: usize) {
        self.nodes[node] = None;
        self.net.views.crashed(self.net.now(), node);
    }

    /// One thing happens, if one does until then.
    fn step(&mut self, until: u64) -> bool {
        let Some((at, what)) = self.net.next(until) else { return false };
        match (what, &mut self.nodes[at]) {
            (What::Start, _) => self.start(at),
            (What::Datagram { from, bytes }, node) => {
                if let Some(node) = node {
                    node.datagram(from, &bytes, &mut self.net);
                }
                self.net.take_back(bytes);
            }
            (What::Timer(timer), Some(node)) => node.timer(timer, &mut self.net),
            (What::Timer(_), None) => {}
            (What::Nothing, _) => unreachable!("what was taken is not queued"),
        }
        true
    }

    fn start(&mut self, me: usize) {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(me as u64);
        let mut node = P::start(me, self.nodes.len(), seed, self.tuning, &mut self.net);
        self.net.views.started(me);
        let knows_all = self.is_met && node.meet(self.nodes.len(), &mut self.net);
        if !knows_all && me != 0 {
            node.join(0, &mut self.net);
        }
        self.nodes[me] = Some(node);
    }
}
