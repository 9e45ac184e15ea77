//! A network of nodes in memory, without driver: datagrams take five milliseconds, and some are lost.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Command, Config, Event, Identity, Input, Instant, Node, NodeId, Profile};

/// Microseconds that a datagram takes.
pub const LATENCY: u64 = 5_000;

/// A section of a kind that nobody has a name for.
const SKIPPED: [u8; 3] = [99, 1, 7];

/// A datagram: its source and its bytes.
type Datagram = (SocketAddr, Vec<u8>);

pub struct Net {
    pub nodes: Vec<Node>,
    pub events: Vec<Vec<Event>>,
    /// Rumors that each node has delivered, in their order: topic and payload.
    pub heard: Vec<Vec<(String, Vec<u8>)>>,
    /// How old they were then.
    pub ages: Vec<Vec<Duration>>,
    pub now: u64,
    /// Of 100 datagrams, so many are lost.
    pub loss: u64,
    /// Nothing passes to or from these.
    pub cut: Vec<bool>,
    /// Handed in nothing, not even time.
    pub down: Vec<bool>,
    /// All frames that were sent.
    pub seen: Vec<(usize, usize, Vec<u8>)>,
    pub keep_frames: bool,
    /// Given whatever this node is given, and has to do whatever it does.
    pub twin: Option<(usize, Node)>,
    /// The twin gets each datagram with a section behind it that every node skips, so nothing of it is for the short way.
    pub twin_goes_long: bool,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    datagrams: std::collections::BTreeMap<u64, Datagram>,
    count: u64,
    rng: u64,
}

pub fn addr(i: usize) -> SocketAddr {
    ([10, 0, (i >> 8) as u8, i as u8], 7_946).into()
}

pub fn id(i: usize) -> NodeId {
    NodeId::from_name(&format!("n{i}"))
}

pub fn index(a: SocketAddr) -> usize {
    match a {
        SocketAddr::V4(a) => usize::from(a.ip().octets()[2]) << 8 | usize::from(a.ip().octets()[3]),
        SocketAddr::V6(_) => unreachable!("all addresses here are IPv4"),
    }
}

impl Net {
    /// So many nodes of this config, all of which join through the first, at once.
    pub fn new(n: usize, config: &Config, seed: u64) -> Self {
        let mut net = Self {
            nodes: Vec::new(),
            events: vec![Vec::new(); n],
            heard: vec![Vec::new(); n],
            ages: vec![Vec::new(); n],
            now: 1_000_000,
            loss: 0,
            cut: vec![false; n],
            down: vec![false; n],
            seen: Vec::new(),
            keep_frames: false,
            twin: None,
            twin_goes_long: false,
            queue: BinaryHeap::new(),
            datagrams: std::collections::BTreeMap::new(),
            count: 0,
            rng: seed | 1,
        };
        for i in 0..n {
            net.nodes.push(net.fresh(i, 1, config, seed));
        }
        for i in 1..n {
            net.command(i, Command::Join(&[addr(0)]));
        }
        net
    }

    fn fresh(&self, i: usize, epoch: u32, config: &Config, seed: u64) -> Node {
        let profile = Profile::new(&format!("n{i}"), b"").unwrap();
        let me = Identity { id: id(i), addr: addr(i), epoch, profile };
        Node::new(me, config.clone(), seed.wrapping_mul(31).wrapping_add(i as u64), Instant::from_micros(self.now))
            .unwrap()
    }

    /// So many nodes that have all met.
    pub fn whole(n: usize, config: &Config, seed: u64) -> Self {
        let mut net = Self::new(n, config, seed);
        net.until(120, |net| net.nodes.iter().all(|node| node.live_count() == n));
        net.run(2_000);
        net
    }

    /// A new life of this node, which joins again.
    pub fn restart(&mut self, i: usize, epoch: u32) {
        let config = self.nodes[i].config().clone();
        self.nodes[i] = self.fresh(i, epoch, &config, 7 + u64::from(epoch));
        self.down[i] = false;
        let seed = usize::from(i == 0);
        self.command(i, Command::Join(&[addr(seed)]));
    }

    fn lost(&mut self) -> bool {
        self.rng = self.rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.rng >> 33) % 100 < self.loss
    }

    pub fn command(&mut self, i: usize, command: Command<'_>) {
        self.handle(i, Input::Command(command));
    }

    pub fn handle(&mut self, i: usize, input: Input<'_>) {
        let now = Instant::from_micros(self.now);
        self.nodes[i].handle(now, input);
        let (mut buf, mut other_buf) = ([0; 2_000], [0; 2_000]);
        let mut twin = self.twin.take_if(|twin| twin.0 == i);
        if let Some((_, twin)) = &mut twin {
            match input {
                Input::Datagram { from, bytes } if self.twin_goes_long => {
                    let bytes = &[bytes, &SKIPPED].concat();
                    twin.handle(now, Input::Datagram { from, bytes });
                }
                _ => twin.handle(now, input),
            }
        }
        while let Some(sent) = self.nodes[i].poll_transmit(&mut buf) {
            if let Some((_, twin)) = &mut twin {
                assert_eq!(twin.poll_transmit(&mut other_buf), Some(sent), "the twin sends the same");
                assert_eq!(buf[..sent.len], other_buf[..sent.len], "the twin sends the same bytes");
            }
            let (to, bytes) = (index(sent.to), buf[..sent.len].to_vec());
            assert!(bytes.len() <= self.nodes[i].config().mtu, "no datagram above the mtu");
            if self.keep_frames {
                self.seen.push((i, to, bytes.clone()));
            }
            let passes = to < self.nodes.len() && !self.cut[i] && !self.cut[to];
            if passes && !self.lost() {
                self.count += 1;
                self.datagrams.insert(self.count, (addr(i), bytes));
                self.queue.push(Reverse((self.now + LATENCY, self.count, to)));
            }
        }
        while let Some(event) = self.nodes[i].poll_event() {
            if let Event::Rumor { id } = event {
                let rumor = self.nodes[i].rumor(id).expect("what an event names can be read until the next input");
                self.ages[i].push(rumor.age);
                self.heard[i].push((rumor.topic.into(), rumor.payload.into()));
                assert!(twin.as_ref().is_none_or(|(_, twin)| twin.rumor(id) == Some(rumor)), "the twin has the rumor");
            }
            if let Some((_, twin)) = &mut twin {
                assert_eq!(twin.poll_event(), Some(event), "the twin tells the same");
            }
            self.events[i].push(event);
        }
        if let Some((_, mut twin)) = twin {
            assert_eq!((twin.poll_transmit(&mut other_buf), twin.poll_event()), (None, None), "the twin does no more");
            assert_eq!(twin.poll_timeout(), self.nodes[i].poll_timeout(), "the twin waits as long");
            self.twin = Some((i, twin));
        }
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, millis: u64) {
        let end = self.now + millis * 1_000;
        loop {
            let datagram = self.queue.peek().map(|Reverse((at, ..))| *at);
            let due = |i: usize| self.nodes[i].poll_timeout().filter(|_| !self.down[i]).map(|at| (at.as_micros(), i));
            let timeout = (0..self.nodes.len()).filter_map(due).min();
            match (datagram, timeout) {
                (Some(at), other) if at <= end && other.is_none_or(|(t, _)| at <= t) => {
                    let Some(Reverse((at, number, to))) = self.queue.pop() else { return };
                    self.now = self.now.max(at);
                    let (from, bytes) = self.datagrams.remove(&number).expect("every datagram is kept until it comes");
                    if !self.down[to] {
                        self.handle(to, Input::Datagram { from, bytes: &bytes });
                    }
                }
                (_, Some((at, i))) if at <= end => {
                    self.now = self.now.max(at);
                    self.handle(i, Input::Timeout);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Lets time pass until this holds, at most so many seconds. Returns how many milliseconds it took.
    pub fn until(&mut self, seconds: u64, holds: impl Fn(&Self) -> bool) -> u64 {
        let begun = self.now;
        while !holds(self) {
            assert!(self.now - begun < seconds * 1_000_000, "not within {seconds} s");
            self.run(20);
        }
        (self.now - begun) / 1_000
    }

    /// The value that node `at` sees of node `of` under this key.
    pub fn value(&self, at: usize, of: usize, key: &str) -> Option<&[u8]> {
        self.nodes[at].get(id(of), key).map(|entry| entry.value)
    }

    /// Do all nodes that are up hold the same state of this one?
    pub fn all_see(&self, of: usize, key: &str, value: Option<&[u8]>) -> bool {
        (0..self.nodes.len()).filter(|&i| !self.down[i]).all(|i| self.value(i, of, key) == value)
    }

    pub fn stat(&self, of: impl Fn(&swim_core::Stats) -> u64) -> u64 {
        self.nodes.iter().map(|node| of(node.stats())).sum()
    }
}
