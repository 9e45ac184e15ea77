//! A few nodes in memory, each on a tape.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod skewed;

use std::collections::VecDeque;
use std::net::SocketAddr;

use swim_core::{Command, Config, Identity, Input, Instant, Node, NodeId, Profile};
use swim_trace::{Header, Tape};

pub(crate) struct Taped {
    pub(crate) node: Node,
    pub(crate) tape: Tape,
    addr: SocketAddr,
}

pub(crate) struct Net {
    pub(crate) nodes: Vec<Taped>,
    pub(crate) now: Instant,
    /// One of so many datagrams is lost.
    pub(crate) lose: u64,
    sent: u64,
    wires: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Net {
    pub(crate) fn new(names: &[&str], outputs: bool) -> Self {
        let profiles: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"role=test"[..])).collect();
        Self::of("c", &profiles, outputs)
    }

    /// Nodes of a cluster of this name that say this about themselves: name and metadata.
    pub(crate) fn of(cluster: &str, profiles: &[(&str, &[u8])], outputs: bool) -> Self {
        let now = Instant::from_millis(5);
        let node = |(i, &(name, meta)): (usize, &(&str, &[u8]))| {
            let addr = ([127, 0, 0, 1], i as u16 + 1).into();
            let profile = Profile::new(name, meta).unwrap();
            let me = Identity { id: NodeId::from_name(name), addr, epoch: 1, profile };
            let config = Config::local(cluster);
            let seed = i as u64;
            let node = Node::new(me.clone(), config.clone(), seed, now).unwrap();
            let mut header = Header::new(&me, &config, seed, now);
            header.outputs = outputs;
            Taped { tape: Tape::new(&header, &node), node, addr }
        };
        let nodes = profiles.iter().enumerate().map(node).collect();
        Self { nodes, now, lose: u64::MAX, sent: 0, wires: VecDeque::new() }
    }

    pub(crate) fn give(&mut self, to: usize, input: Input<'_>) {
        let Taped { node, tape, addr } = &mut self.nodes[to];
        tape.input(node, self.now, &input);
        node.handle(self.now, input);
        let mut buffer = [0; 1_400];
        while let Some(tx) = node.poll_transmit(&mut buffer) {
            tape.sent(tx.to, &buffer[..tx.len]);
            self.sent += 1;
            if self.sent % self.lose != 0 {
                self.wires.push_back((*addr, tx.to, buffer[..tx.len].to_vec()));
            }
        }
        while let Some(event) = node.poll_event() {
            tape.event(&event);
        }
    }

    pub(crate) fn join(&mut self, ix: usize, seed: u16) {
        self.give(ix, Input::Command(Command::Join(&[([127, 0, 0, 1], seed).into()])));
    }

    /// Until so many milliseconds later. A datagram takes a tenth of one.
    pub(crate) fn run(&mut self, millis: u64) {
        let end = self.now.plus_micros(millis * 1_000);
        while self.now < end {
            if let Some((from, to, bytes)) = self.wires.pop_front() {
                self.now = self.now.plus_micros(100);
                if let Some(ix) = self.nodes.iter().position(|n| n.addr == to) {
                    self.give(ix, Input::Datagram { from, bytes: &bytes });
                }
                continue;
            }
            let due = |n: &Taped| n.node.poll_timeout().unwrap_or(Instant::NEVER);
            let ix = (0..self.nodes.len()).min_by_key(|&i| due(&self.nodes[i])).unwrap();
            self.now = self.now.max(due(&self.nodes[ix]).min(end));
            if self.now < end {
                self.give(ix, Input::Timeout);
            }
        }
    }

    /// Takes a node out: it hears nothing any more.
    pub(crate) fn end(&mut self, ix: usize) -> (Vec<u8>, Node) {
        let Taped { node, tape, .. } = self.nodes.remove(ix);
        (tape.finish(&node), node)
    }
}

/// Three nodes find each other, and after a second one of them falls silent. The trace of another, and the node at its end.
pub(crate) fn three(outputs: bool, keyframes: bool) -> (Vec<u8>, Node) {
    let mut net = Net::new(&["a", "b", "c"], outputs);
    net.join(1, 1);
    net.join(2, 1);
    net.run(1_000);
    for millis in [700, 4_000, 2_000] {
        if keyframes {
            let Taped { node, tape, .. } = &mut net.nodes[0];
            tape.keyframe(node);
        }
        if millis == 4_000 {
            net.end(2);
        }
        net.run(millis);
    }
    net.end(0)
}
