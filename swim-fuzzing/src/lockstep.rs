//! Target: three nodes and what is on its way between them.

use std::net::SocketAddr;
use std::time::Duration;

use swim_core::{Command, Config, Input, Instant, State};

use crate::bench::Bench;
use crate::bytes::Bytes;
use crate::cast::{addr, id};
use crate::watch::Turn;

const NODES: usize = 3;
/// Steps of the script that are played.
const STEPS_MAX: usize = 600;
/// What is on its way at most; what comes on top is lost.
const FLYING_MAX: usize = 64;
/// How long the calm may last before all is well again, and how long a datagram takes then.
const CALM: Duration = Duration::from_secs(240);
const LATENCY: u64 = 5_000;

#[derive(Clone, Debug)]
struct Flying {
    from: SocketAddr,
    to: usize,
    bytes: Vec<u8>,
    at: Instant,
}

/// Three nodes, their time, and what is on its way.
#[derive(Debug)]
pub(crate) struct World {
    nodes: Vec<Bench>,
    flying: Vec<Flying>,
    now: Instant,
    /// Corrupt datagrams pass, as if their checksums were right.
    forged: bool,
    /// Who was told to leave.
    left: [bool; NODES],
    /// Who has fallen silent without having been told to, for another process has its id. Only what was forged says so here.
    parked: [bool; NODES],
    /// Nothing comes to or from this one.
    pub(crate) cut: Option<usize>,
    /// All that was sent, where it is kept.
    frames: Option<Vec<Vec<u8>>>,
}

/// A script that delivers, drops, doubles and corrupts what is on its way, lets time pass, and gives commands; then
/// calm. Whatever has happened, in the end all that have not left are alive in all tables, and the tables are the same
/// (I6, I10). The states and rumors are, too, unless what was corrupt was taken: nobody can tell a value from another
/// of the same version. Where it is taken, it may also make a node believe that another process has its id, and fall silent:
/// that one is gone everywhere then, as one that has left.
///
/// # Panics
/// When there is a bug.
pub fn target(data: &[u8]) {
    let mut b = Bytes::new(data);
    let mut config = Config::local("fuzz");
    config.members_reserved = 0;
    config.mtu = b.pick(&[1_400, 800]);
    let seed = u64::from(b.u8());
    let mut world = World::new(&config, seed);
    world.forged = b.flag();
    world.join();
    if b.flag() {
        world.calm(Duration::from_secs(3), |_| false);
    }
    for _ in 0..STEPS_MAX {
        if b.is_empty() {
            break;
        }
        world.step(&mut b);
    }
    world.heal();
}

impl World {
    /// Nodes of this config, which have not met.
    pub(crate) fn new(config: &Config, seed: u64) -> Self {
        Self {
            nodes: (0..NODES).map(|n| Bench::new(n, config.clone(), seed + n as u64)).collect(),
            flying: Vec::new(),
            now: Instant::from_millis(1_000),
            forged: false,
            left: [false; NODES],
            parked: [false; NODES],
            cut: None,
            frames: None,
        }
    }

    /// Each looks for the others: whoever leaves, those that stay find each other.
    pub(crate) fn join(&mut self) {
        for n in 0..NODES {
            let others: Vec<SocketAddr> = (0..NODES).filter(|&m| m != n).map(addr).collect();
            self.give(n, Input::Command(Command::Join(&others)));
        }
    }

    pub(crate) fn keep_frames(&mut self) {
        self.frames = Some(Vec::new());
    }

    pub(crate) fn frames(&self) -> &[Vec<u8>] {
        self.frames.as_deref().unwrap_or(&[])
    }

    pub(crate) fn snapshots(&self) -> impl Iterator<Item = Vec<u8>> {
        self.nodes.iter().map(|bench| bench.node.snapshot())
    }

    pub(crate) fn give(&mut self, n: usize, input: Input<'_>) {
        self.nodes[n].now = self.now;
        self.left[n] |= input == Input::Command(Command::Leave);
        let Turn { sent, .. } = self.nodes[n].give(input);
        self.parked[n] = !self.left[n] && self.nodes[n].node.has_left();
        assert!(self.forged || !self.parked[n], "I1: node {n} has fallen silent, and nobody has told it to");
        for (to, bytes) in sent {
            self.frames.iter_mut().for_each(|frames| frames.push(bytes.clone()));
            let to = (0..NODES).find(|&n| addr(n) == to);
            let passes = |&to: &usize| self.flying.len() < FLYING_MAX && ![Some(n), Some(to)].contains(&self.cut);
            if let Some(to) = to.filter(passes) {
                self.flying.push(Flying { from: addr(n), to, bytes, at: self.now.plus_micros(LATENCY) });
            }
        }
    }

    fn deliver(&mut self, place: usize) {
        let Flying { from, to, bytes, .. } = self.flying.remove(place);
        self.give(to, Input::Datagram { from, bytes: &bytes });
    }

    fn step(&mut self, b: &mut Bytes<'_>) {
        let what = b.below(32);
        let place = b.below(self.flying.len().max(1));
        match what {
            0..=11 if !self.flying.is_empty() => self.deliver(place),
            12..=14 if !self.flying.is_empty() => _ = self.flying.remove(place),
            15 | 16 if !self.flying.is_empty() => {
                let again = self.flying[place].clone();
                self.flying.push(again);
            }
            17 if !self.flying.is_empty() => {
                let (at, bit) = (usize::from(b.u16()), b.u8() & 7);
                if self.forged {
                    let bytes = &mut self.flying[place].bytes;
                    let at = at % bytes.len();
                    bytes[at] ^= 1 << bit;
                } else {
                    // The envelope's checksum is wrong: it never gets to the node.
                    self.flying.remove(place);
                }
            }
            18..=25 => self.tick(),
            26 => self.now = self.now.plus_micros(u64::from(b.u16()) << b.below(10)),
            27 => self.calm(Duration::from_millis(b.u8().into()), |_| false),
            _ => self.command(b),
        }
    }

    /// The earliest deadline.
    fn tick(&mut self) {
        let due = (0..NODES).filter_map(|n| Some((self.nodes[n].node.poll_timeout()?, n))).min();
        if let Some((at, n)) = due {
            self.now = self.now.max(at);
            self.give(n, Input::Timeout);
        }
    }

    fn command(&mut self, b: &mut Bytes<'_>) {
        let n = b.below(NODES);
        let value = vec![b.u8(); usize::from(b.u8())];
        match b.below(8) {
            0 => self.give(n, Input::Command(Command::Broadcast { topic: "topic", payload: &value })),
            1 | 2 => {
                let ttl = (b.below(3) == 0).then(|| Duration::from_millis(b.u16().into()));
                let key = b.pick(&["a", "b", "c"]);
                self.give(n, Input::Command(Command::Put { key, value: &value, ttl }));
            }
            3 => self.give(n, Input::Command(Command::Delete { key: b.pick(&["a", "b", "c"]) })),
            4 => {
                let profile = swim_core::Profile::new("again", &value[..value.len().min(99)]);
                self.give(n, Input::Command(Command::SetProfile(&profile.expect("both are short"))));
            }
            5 => self.give(n, Input::SendFailed { to: addr((n + 1) % NODES) }),
            6 if b.below(8) == 0 => self.give(n, Input::Command(Command::Leave)),
            _ => {}
        }
    }

    /// Everything comes, in order, until this holds or the time is over.
    pub(crate) fn calm(&mut self, time: Duration, holds: impl Fn(&Self) -> bool) {
        let end = self.now + time;
        for flying in &mut self.flying {
            flying.at = flying.at.max(self.now);
        }
        while !holds(self) {
            let next = (0..self.flying.len()).min_by_key(|&i| self.flying[i].at);
            let next = next.map(|i| (self.flying[i].at, i));
            let due = (0..NODES).filter_map(|n| Some((self.nodes[n].node.poll_timeout()?, n))).min();
            match (next, due) {
                (Some((at, place)), other) if at <= end && other.is_none_or(|(due, _)| at <= due) => {
                    self.now = self.now.max(at);
                    self.deliver(place);
                }
                (_, Some((due, n))) if due <= end => {
                    self.now = self.now.max(due);
                    self.give(n, Input::Timeout);
                }
                _ => {
                    self.now = self.now.max(end);
                    break;
                }
            }
        }
    }

    fn heal(&mut self) {
        self.calm(CALM, Self::is_well);
        let tables: Vec<String> =
            self.nodes.iter().map(|bench| format!("{:?}", Vec::from_iter(bench.node.members()))).collect();
        assert!(
            self.is_well(),
            "I6, I10: after {CALM:?} of calm, {:?} having left, {:?} parked:\n{tables:#?}",
            self.left,
            self.parked
        );
        self.nodes.iter_mut().for_each(Bench::finish);
    }

    fn is_well(&self) -> bool {
        let is_away = |n: usize| self.left[n] || self.parked[n];
        let stay = || (0..NODES).filter(|&n| !is_away(n));
        stay().all(|n| {
            let node = &self.nodes[n].node;
            let alive = |m: usize| node.member(id(m)).is_some_and(|row| row.state() == State::Alive);
            let gone = |m: usize| node.member(id(m)).is_none_or(|row| !row.state().is_live());
            (0..NODES).all(|m| if is_away(m) { gone(m) } else { alive(m) })
                && stay().all(|m| self.nodes[m].node.view_hash() == node.view_hash())
                && (self.forged || stay().all(|m| self.nodes[m].node.app_hash() == node.app_hash()))
        })
    }
}
