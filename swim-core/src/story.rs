//! One short life of a small cluster, the same on every machine: whatever a machine's numbers are like, every byte that
//! is sent, told and kept is the same. Under Miri it runs on three of them (`.ci/miri`).

use core::net::SocketAddr;
use core::time::Duration;
use std::format;
use std::vec::Vec;

use crate::hash::mix64;
use crate::{Command, Config, Event, Identity, Input, Instant, Node, NodeId, Profile, State};

const NODES: usize = 3;

/// The nodes, and whose datagrams are lost, both ways.
struct Story {
    nodes: Vec<Node>,
    now: Instant,
    cut: Option<usize>,
    /// Over all bytes of datagrams, events and snapshots so far.
    hash: u64,
    datagrams: u32,
    events: Vec<(usize, Event)>,
}

fn addr(n: usize) -> SocketAddr {
    ([10, 0, 0, n as u8 + 1], 7946).into()
}

impl Story {
    fn new() -> Self {
        let now = Instant::from_millis(5);
        let node = |n: usize| {
            let name = ["ada", "ben", "cyd, whose name does not lie in its row"][n];
            let (id, profile) = (NodeId::from_name(name), Profile::new(name, b"meta").unwrap());
            let me = Identity { id, addr: addr(n), epoch: 7, profile };
            let mut config = Config::local("story");
            // As little of everything as there may be, and as short: an interpreter goes through it.
            (config.members_max, config.members_reserved, config.seeds_max, config.lost_max) = (4, NODES, 1, 4);
            (config.events_max, config.evidence_max, config.relays_max, config.suspicions_max) = (16, 32, 4, 4);
            (config.mtu, config.rumor_bytes, config.rumors_max, config.rumor_window) = (800, 3_200, 16, 64);
            (config.suspicion_alpha_percent, config.suspicion_beta, config.gossip_interval) =
                (100, 2, config.probe_interval / 2);
            Node::new(me, config, n as u64 + 1, now).unwrap()
        };
        Self { nodes: (0..NODES).map(node).collect(), now, cut: None, hash: 0, datagrams: 0, events: Vec::new() }
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.hash = bytes.iter().fold(self.hash, |hash, &byte| mix64(hash ^ u64::from(byte)));
    }

    /// A node takes an input, and the others what it sends, until nothing is under way.
    fn give(&mut self, n: usize, input: Input<'_>) {
        self.nodes[n].handle(self.now, input);
        let mut sent = self.drain(n);
        while !sent.is_empty() {
            for (from, to, bytes) in core::mem::take(&mut sent) {
                let lost = [Some(from), Some(to)].contains(&self.cut) && self.cut.is_some();
                if !lost {
                    self.nodes[to].handle(self.now, Input::Datagram { from: addr(from), bytes: &bytes });
                    sent.extend(self.drain(to));
                }
            }
        }
    }

    fn drain(&mut self, n: usize) -> Vec<(usize, usize, Vec<u8>)> {
        let (mut sent, mut buf) = (Vec::new(), [0; 1_400]);
        while let Some(transmit) = self.nodes[n].poll_transmit(&mut buf) {
            let bytes = buf[..transmit.len].to_vec();
            self.mix(&bytes);
            self.datagrams += 1;
            let to = (0..NODES).find(|&to| addr(to) == transmit.to).expect("nobody else is known");
            sent.push((n, to, bytes));
        }
        while let Some(event) = self.nodes[n].poll_event() {
            self.mix(format!("{event:?}").as_bytes());
            self.events.push((n, event));
        }
        sent
    }

    /// Deadlines, the earliest first, until this holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(20);
        while !holds(self) {
            let due = (0..NODES).filter_map(|n| Some((self.nodes[n].poll_timeout()?, n))).min();
            let (at, n) = due.filter(|&(at, _)| at < end).unwrap_or_else(|| panic!("{what}: it never comes"));
            self.now = at;
            self.give(n, Input::Timeout);
        }
    }

    fn told(&self, n: usize, event: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(|(by, e)| *by == n && event(e))
    }

    /// The node is written down, and goes on as what was written.
    fn restore(&mut self, n: usize) {
        let snapshot = self.nodes[n].snapshot();
        self.mix(&snapshot);
        self.nodes[n] = Node::restore(&snapshot).unwrap();
    }
}

/// Join, probe, state, rumor, suspicion, snapshot, refutation, death: golden, on machines of 32 bits and of the other
/// order of bytes as well. A hash that changes means that nodes do otherwise than before, and that no older trace
/// replays.
#[test]
fn every_byte_is_the_same_on_every_machine() {
    let mut s = Story::new();
    let ids = [0, 1, 2].map(|n| s.nodes[n].me().id());
    for n in [1, 2] {
        s.give(n, Input::Command(Command::Join(&[addr(0)])));
    }
    s.until("all know all", |s| s.nodes.iter().all(|node| node.live_count() == NODES));
    s.give(2, Input::Command(Command::Put { key: "role", value: b"last", ttl: Some(Duration::from_secs(9)) }));
    s.give(1, Input::Command(Command::Broadcast { topic: "news", payload: b"there is some" }));
    let is_rumor = |e: &Event| matches!(e, Event::Rumor { .. });
    let is_state = |e: &Event| matches!(e, Event::StateChanged { .. });
    s.until("state and rumor are everywhere", |s| {
        [0, 2].into_iter().all(|n| s.told(n, is_rumor)) && [0, 1].into_iter().all(|n| s.told(n, is_state))
    });
    s.cut = Some(2);
    let state = |s: &Story, n: usize| s.nodes[n].member(ids[2]).map(|member| member.state());
    s.until("one is suspected", |s| state(s, 0) == Some(State::Suspect));
    s.restore(0);
    s.cut = None;
    let alive = |s: &Story| [0, 1].into_iter().all(|n| state(s, n) == Some(State::Alive));
    s.until("it refutes", |s| alive(s) && s.nodes[2].me().incarnation().refutations() > 0);
    s.cut = Some(2);
    s.until("it is dead", |s| state(s, 0) == Some(State::Dead) && state(s, 1) == Some(State::Dead));
    s.give(0, Input::Command(Command::Leave));
    (0..NODES).for_each(|n| s.restore(n));
    let acked: Vec<u64> = s.nodes.iter().map(|node| node.stats().probes_acked).collect();
    assert!(acked[0] > 0 && acked[1] > 0 && s.told(0, |e| *e == Event::Left), "{acked:?}");
    assert_eq!((s.datagrams, s.events.len(), format!("{:016x}", s.hash)), (89, 30, "ad5ae6574e20fc90".into()));
}
