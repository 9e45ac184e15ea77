//! Nodes in memory whose clocks differ, on a network that delays, loses and doubles; and what really became of each datagram.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_core::{Command, Config, Identity, Input, Instant, Node, NodeId, Profile};
use swim_trace::{Header, Tape};

/// A life of a node, running or over.
pub(crate) struct Skewed {
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
    /// Its clock shows this much more than the true time, in microseconds.
    pub(crate) ahead: u64,
    running: Option<(Node, Tape)>,
    bytes: Vec<u8>,
    steps: u64,
    epoch: u32,
}

/// A datagram, as it really was.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// Life and step that sent it, when, and which of the datagrams of that step it was.
    pub(crate) from: (usize, u64, u64, usize),
    pub(crate) to: SocketAddr,
    pub(crate) lost: bool,
    /// Life and step that received it, and when: twice when it was doubled.
    pub(crate) received: Vec<(usize, u64, u64)>,
    /// Its receiver's process was there when it was sent.
    pub(crate) to_running: bool,
}

/// The network, in true time.
pub(crate) struct World {
    pub(crate) lives: Vec<Skewed>,
    pub(crate) truth: Vec<Truth>,
    pub(crate) now: u64,
    /// Microseconds that a datagram takes, at least and at most; for each pair at least this, and up to three times of it.
    pub(crate) delay: (u64, u64),
    /// Of a thousand datagrams.
    pub(crate) lose: u64,
    /// Of a thousand datagrams.
    pub(crate) double: u64,
    /// Datagrams of this life come from another port than it knows of, and it is reached there, too.
    pub(crate) behind_nat: Option<usize>,
    pub(crate) unix: bool,
    seed: u64,
    chance: u64,
    queue: BTreeMap<(u64, u64), (usize, SocketAddr, Vec<u8>)>,
    queued: u64,
}

/// The address that the others see of a life behind a NAT.
pub(crate) fn translated(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 1].into(), addr.port() + 1_000)
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            lives: Vec::new(),
            truth: Vec::new(),
            now: 1_000_000,
            delay: (200, 5_000),
            lose: 0,
            double: 0,
            behind_nat: None,
            unix: false,
            seed,
            chance: seed,
            queue: BTreeMap::new(),
            queued: 0,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    /// A new life, whose clock is so much ahead.
    pub(crate) fn start(&mut self, name: &str, port: u16, epoch: u32, ahead: u64) -> usize {
        let addr: SocketAddr = ([127, 0, 0, 1], port).into();
        let began = Instant::from_micros(self.now + ahead);
        let profile = Profile::new(name, b"").unwrap();
        let me = Identity { id: NodeId::from_name(name), addr, epoch, profile };
        let (config, rng_seed) = (Config::local("c"), self.seed ^ u64::from(port) << 8 ^ u64::from(epoch));
        let node = Node::new(me.clone(), config.clone(), rng_seed, began).unwrap();
        let mut header = Header::new(&me, &config, rng_seed, began);
        header.unix_micros = if self.unix { 1_700_000_000_000_000 + self.now } else { 0 };
        let tape = Tape::new(&header, &node);
        let running = Some((node, tape));
        self.lives.push(Skewed { name: name.into(), addr, ahead, running, bytes: Vec::new(), steps: 0, epoch });
        self.lives.len() - 1
    }

    pub(crate) fn join(&mut self, life: usize, seed: usize) {
        let addr = self.lives[seed].addr;
        self.give(life, Input::Command(Command::Join(&[addr])));
    }

    /// The process ends; what is on its way to it is not received.
    pub(crate) fn kill(&mut self, life: usize) {
        if let Some((node, tape)) = self.lives[life].running.take() {
            self.lives[life].bytes = tape.finish(&node);
        }
    }

    /// Writes the state of a life into its trace.
    pub(crate) fn keyframe(&mut self, life: usize) {
        if let Some((node, tape)) = &mut self.lives[life].running {
            tape.keyframe(node);
        }
    }

    /// Ends all, and gives the traces, by life.
    pub(crate) fn traces(&mut self) -> Vec<Vec<u8>> {
        (0..self.lives.len()).for_each(|life| self.kill(life));
        self.lives.iter().map(|life| life.bytes.clone()).collect()
    }

    fn owner(&self, to: SocketAddr) -> Option<usize> {
        let reached = |(i, life): &(usize, &Skewed)| {
            life.addr == to || (self.behind_nat == Some(*i) && translated(life.addr) == to)
        };
        self.lives.iter().enumerate().filter(|(_, life)| life.running.is_some()).find(reached).map(|(i, _)| i)
    }

    pub(crate) fn give(&mut self, life: usize, input: Input<'_>) -> Option<u64> {
        let at = Instant::from_micros(self.now + self.lives[life].ahead);
        let (node, tape) = self.lives[life].running.as_mut()?;
        tape.input(node, at, &input);
        node.handle(at, input);
        let mut buffer = [0; 1_400];
        let mut sent = Vec::new();
        while let Some(tx) = node.poll_transmit(&mut buffer) {
            tape.sent(tx.to, &buffer[..tx.len]);
            sent.push((tx.to, buffer[..tx.len].to_vec()));
        }
        while let Some(event) = node.poll_event() {
            tape.event(&event);
        }
        let step = self.lives[life].steps;
        self.lives[life].steps += 1;
        for (nth, (to, bytes)) in sent.into_iter().enumerate() {
            self.send((life, step, self.now, nth), to, bytes);
        }
        Some(step)
    }

    fn send(&mut self, from: (usize, u64, u64, usize), to: SocketAddr, bytes: Vec<u8>) {
        let lost = self.draw(1_000) < self.lose;
        let copies = if self.draw(1_000) < self.double { 2 } else { 1 };
        let number = self.truth.len();
        let to_running = self.owner(to).is_some();
        self.truth.push(Truth { from, to, lost, received: Vec::new(), to_running });
        for _ in 0..if lost { 0 } else { copies } {
            // No two links are alike, and the two ways of one are not.
            let least = self.delay.0 + (u64::from(to.port()) * 7 + from.0 as u64 * 13) % 5 * self.delay.0 / 2;
            let at = self.now + least + self.draw(self.delay.1 - self.delay.0 + 1);
            self.queued += 1;
            self.queue.insert((at, self.queued), (number, to, bytes.clone()));
        }
    }

    /// Until so many milliseconds later.
    pub(crate) fn run(&mut self, millis: u64) {
        let end = self.now + millis * 1_000;
        while self.now < end {
            let due = (0..self.lives.len()).filter_map(|i| {
                let (node, _) = self.lives[i].running.as_ref()?;
                Some((node.poll_timeout()?.as_micros().saturating_sub(self.lives[i].ahead), i))
            });
            let timer = due.min();
            let wire = self.queue.keys().next().copied();
            let next = timer.map_or(end, |(at, _)| at).min(wire.map_or(end, |(at, _)| at));
            self.now = self.now.max(next.min(end));
            if self.now >= end {
                return;
            }
            match (wire, timer) {
                (Some(key), _) if key.0 <= self.now => self.deliver(key),
                (_, Some((_, life))) => drop(self.give(life, Input::Timeout)),
                _ => {}
            }
        }
    }

    fn deliver(&mut self, key: (u64, u64)) {
        let Some((number, to, bytes)) = self.queue.remove(&key) else { return };
        let Some(life) = self.owner(to) else { return };
        let sender = self.truth[number].from.0;
        let own = self.lives[sender].addr;
        let from = if self.behind_nat == Some(sender) { translated(own) } else { own };
        if let Some(step) = self.give(life, Input::Datagram { from, bytes: &bytes }) {
            let now = self.now;
            self.truth[number].received.push((life, step, now));
        }
    }
}
