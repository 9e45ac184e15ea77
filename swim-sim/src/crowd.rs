//! What a whole crowd of nodes does, or suffers, at once or over a span of time.

use std::time::Duration;

use swim_core::Instant;

use crate::host::{Life, NodeIx};
use crate::latency::micros;
use crate::world::World;

impl World {
    /// Starts so many nodes, named `name0`, `name1`, ..., each at a random moment of a span, and lets each join the
    /// cluster of these seeds as soon as it is started. Returns when the span has passed.
    pub fn mass_join(&mut self, name: &str, count: usize, seeds: &[NodeIx], span: Duration) -> Vec<NodeIx> {
        let (begin, end) = (self.now, self.now + span);
        self.take_all_commands();
        let mut moments: Vec<u64> = (0..count).map(|_| self.crowds.within(0, micros(span))).collect();
        moments.sort_unstable();
        let mut nodes = Vec::with_capacity(count);
        for (i, moment) in moments.into_iter().enumerate() {
            self.run_to(begin.plus_micros(moment));
            let node = self.spawn(&format!("{name}{i}"));
            self.join_any(node, seeds);
            nodes.push(node);
        }
        self.run_to(end);
        nodes
    }

    /// Kills these nodes at one instant, those whose process has ended already excepted: a site without power.
    pub fn mass_kill(&mut self, nodes: &[NodeIx]) {
        for &node in nodes {
            if self.host(node).life != Life::Ended {
                self.kill(node);
            }
        }
    }

    /// Restarts these nodes in their order, evenly over a span: each is killed, is down for so long, starts its next
    /// life and joins the cluster of these seeds. Who is down for longer than it takes until the next
    /// one's turn is not waited for. Returns when the span has passed and the last is back.
    pub fn rolling_restart(&mut self, nodes: &[NodeIx], seeds: &[NodeIx], down: Duration, span: Duration) {
        let begin = self.now;
        self.take_all_commands();
        let mut plan: Vec<(Instant, Step)> = Vec::with_capacity(2 * nodes.len());
        for (i, &node) in nodes.iter().enumerate() {
            let moment = u128::from(micros(span)) * i as u128 / nodes.len() as u128;
            let kill = begin.plus_micros(u64::try_from(moment).expect("a part of the span is not longer than it"));
            plan.extend([(kill, Step::Kill(node)), (kill + down, Step::Start(node))]);
        }
        // Stable, so that who is back at the moment of the next one's turn is back before it.
        plan.sort_by_key(|&(at, _)| at);
        let end = plan.last().map_or(begin, |&(at, _)| at).max(begin + span);
        for (at, step) in plan {
            self.run_to(at);
            match step {
                Step::Kill(node) => self.mass_kill(&[node]),
                Step::Start(node) => {
                    self.restart(node);
                    self.join_any(node, seeds);
                }
            }
        }
        self.run_to(end);
    }

    /// Without seeds a node stays alone. Its own address among them does no harm: a node never asks itself.
    fn join_any(&mut self, node: NodeIx, seeds: &[NodeIx]) {
        if !seeds.is_empty() {
            self.join(node, seeds);
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    Kill(NodeIx),
    Start(NodeIx),
}
