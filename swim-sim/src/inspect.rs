//! What a test can see of a world: nodes and their beliefs, traffic, faults that took place, the digest.

use std::collections::VecDeque;

use swim_core::{Event, Instant, Node, NodeId, State};
use swim_driver::{Handle, Pump};

use crate::host::{Host, Life, NodeIx, Traffic};
use crate::stats::NetworkStats;
use crate::world::World;

impl World {
    /// Virtual time since the world began.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// All nodes, ended ones included, in the order in which they were spawned.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeIx> + ExactSizeIterator + use<> {
        (0..self.hosts.len()).map(NodeIx::new)
    }

    /// Whether a node's process runs: it was not killed, is not paused, and its leave, if it was told to, is not
    /// complete.
    pub fn is_running(&self, node: NodeIx) -> bool {
        self.host(node).life == Life::Running
    }

    /// A node's identity.
    pub fn id(&self, node: NodeIx) -> NodeId {
        self.node(node).me().id()
    }

    /// A node's state machine; that of an ended process as it was in the end.
    pub fn node(&self, node: NodeIx) -> &Node {
        self.host(node).pump.node()
    }

    /// What a node's machine is driven by, with the counters of datagrams that never reached the machine.
    pub fn pump(&self, node: NodeIx) -> &Pump {
        &self.host(node).pump
    }

    /// The handle that an embedder of this node would have. Commands given through it are taken when the world runs
    /// next; those given through the world are taken at once. Its views show the node alone, unless it was spawned with
    /// [`swim_driver::Setup::publish_members`]; [`World::node`] has all rows.
    ///
    /// # Panics
    /// When the world has let go of it: [`World::let_go`].
    pub fn handle(&self, node: NodeIx) -> &Handle {
        match &self.host(node).handle {
            Some(handle) => handle,
            None => panic!("{node:?} has no handle: the world has let go of it"),
        }
    }

    /// What `observer` believes of `subject`; `None` when it has no row for it.
    pub fn sees(&self, observer: NodeIx, subject: NodeIx) -> Option<State> {
        self.node(observer).member(self.id(subject)).map(|member| member.state())
    }

    /// Whether every running node counts exactly `live` members, itself included, and there is one.
    pub fn all_see(&self, live: usize) -> bool {
        let mut running = self.running().peekable();
        running.peek().is_some() && running.all(|host| host.pump.node().live_count() == live)
    }

    /// Whether all running nodes have the same live members at the same incarnations, as far as 64 bits can tell.
    pub fn all_agree(&self) -> bool {
        let mut hashes = self.running().map(|host| host.pump.node().view_hash());
        hashes.next().is_none_or(|first| hashes.all(|hash| hash == first))
    }

    /// Whether they do, and none of them has anything more to tell.
    pub fn is_at_rest(&self) -> bool {
        self.all_agree() && self.running().all(|host| host.pump.node().gossip_queued() == 0)
    }

    fn running(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.life == Life::Running)
    }

    /// What a node has told since it was spawned, over all its restarts, while [`World::log_events`] was on.
    pub fn events(&self, node: NodeIx) -> &[(Instant, Event)] {
        &self.host(node).log
    }

    /// What a node has sent since it was spawned, over all its restarts.
    pub fn sent(&self, node: NodeIx) -> Traffic {
        self.host(node).sent
    }

    /// What all nodes have sent.
    pub fn sent_total(&self) -> Traffic {
        let sum = |a: Traffic, b: Traffic| Traffic { datagrams: a.datagrams + b.datagrams, bytes: a.bytes + b.bytes };
        self.hosts.iter().map(|host| host.sent).fold(Traffic::default(), sum)
    }

    /// What the network did with it.
    pub fn network(&self) -> NetworkStats {
        self.net.stats
    }

    /// Datagrams that are under way, or wait in the socket of a node that is paused, blocked or slow, to be read or to leave.
    pub fn in_flight(&self) -> usize {
        self.net.pool.len() + self.hosts.iter().filter_map(|host| host.held.as_ref()).map(VecDeque::len).sum::<usize>()
    }

    /// A hash over every datagram that was sent, with its time, source and destination, and over every event, in their
    /// order. Two runs with the same digest did the same.
    pub fn digest(&self) -> u64 {
        self.net.digest.value()
    }
}
