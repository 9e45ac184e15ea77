//! Clusters of the real nodes, for those experiments that run the protocol itself.

use std::time::Duration;

use swim_core::{Config, Event, Instant, NodeId};

use super::draws;
use crate::host::NodeIx;
use crate::latency::micros;
use crate::link::millis;
use crate::rng::Stream;
use crate::world::World;

/// Longest virtual time that a cluster may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A world whose nodes are one cluster, and the draws of the experiment, apart from those of the world.
pub(super) struct Cluster {
    pub(super) w: World,
    pub(super) nodes: Vec<NodeIx>,
    pub(super) draws: Stream,
}

impl Cluster {
    /// `n` nodes of this configuration that have joined through the first, 20 ms apart, and are at rest. `row` is what the
    /// row of the table is about: it decides the world's seed together with `seed`.
    pub(super) fn form(seed: u64, row: &[u64], n: usize, config: Config) -> Self {
        let mut draws = draws(seed, row);
        let mut w = World::with_config(draws.next_u64(), config);
        w.log_events = false;
        let mut nodes = Vec::with_capacity(n);
        for i in 0..n {
            let node = w.spawn(&format!("n{i}"));
            if i > 0 {
                w.join(node, &[NodeIx::FIRST]);
            }
            nodes.push(node);
            w.run(millis(20));
        }
        let mut cluster = Self { w, nodes, draws };
        cluster.rest();
        cluster.w.log_events = true;
        cluster
    }

    /// Runs until all nodes see each other, agree about all of them, and have nothing more to tell.
    ///
    /// # Panics
    /// When that takes an hour: a cluster that is left alone comes to rest.
    pub(super) fn rest(&mut self) {
        let n = self.nodes.len();
        let quiet = |w: &World| w.all_see(n) && w.is_at_rest();
        let rests = self.w.run_until(PATIENCE, quiet);
        assert!(rests.is_some(), "{n} nodes do not come to rest");
    }

    /// Lets a random part of a span pass: what happens next happens at no particular moment.
    pub(super) fn run_a_part_of(&mut self, span: Duration) {
        let part = self.draws.within(0, micros(span));
        self.w.run(Duration::from_micros(part));
    }

    /// So many nodes, each any but the first, through which the others join.
    pub(super) fn any_but_the_first(&mut self, count: usize) -> Vec<NodeIx> {
        let mut any = Vec::with_capacity(count);
        while any.len() < count {
            let node = self.nodes[self.draws.within(1, self.nodes.len() as u64 - 1) as usize];
            if !any.contains(&node) {
                any.push(node);
            }
        }
        any
    }

    /// Drops what nodes have told: a run of thousands of events would else fill the memory.
    pub(super) fn forget_events(&mut self) {
        self.w.hosts.iter_mut().for_each(|host| host.log.clear());
    }

    /// When each running node first told something that `is` so.
    pub(super) fn first_told<'a>(&'a self, is: impl Fn(&Event) -> bool + 'a) -> impl Iterator<Item = Instant> + 'a {
        let running = self.nodes.iter().filter(|&&node| self.w.is_running(node));
        running.filter_map(move |&node| self.w.events(node).iter().find(|(_, event)| is(event)).map(|&(at, _)| at))
    }
}

/// Is this event the first doubt of this member?
pub(super) fn is_suspicion_of(id: NodeId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::MemberSuspect { id: of, .. } if *of == id)
}

/// A number of microseconds, as it is added up.
pub(super) fn micros_since(at: Instant, from: Instant) -> u64 {
    micros(at.since(from))
}
