//! Everything between two sockets: decides once, when a datagram is sent, whether and when it arrives.
//!
//! So a cut, or a change of a link, touches what is sent from then on; what is under way arrives.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_core::Instant;

use crate::clog::{Backlog, Clog};
use crate::damage::flip;
use crate::digest::Digest;
use crate::fabric::Fabric;
use crate::host::NodeIx;
use crate::latency::micros;
use crate::link::{Delay, Fate, Link};
use crate::pool::{Pool, Slot};
use crate::queue::Queue;
use crate::rng::{Purpose, Stream};
use crate::rule::{self, Rule, Verdict};
use crate::shared::Shared;
use crate::stats::{Loss, NetworkStats};

/// A datagram as a node sends it, before the network has touched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent<'a> {
    /// When.
    pub at: Instant,
    /// Whose socket it leaves; [`NodeIx::addr`] and [`NodeIx::at`] translate.
    pub from: SocketAddr,
    /// Where it is to go.
    pub to: SocketAddr,
    /// The whole datagram.
    pub bytes: &'a [u8],
    /// Bytes of envelope in front of the frame.
    pub(crate) header_len: usize,
}

impl<'a> Sent<'a> {
    /// The frame inside the envelope, which has to be plain: what is inside a sealed one ([`crate::World::seal`]) only nodes see,
    /// and their recorders.
    pub fn frame(&self) -> &'a [u8] {
        &self.bytes[self.header_len..]
    }
}

pub(crate) type Tap = Box<dyn FnMut(&Sent<'_>)>;

pub(crate) struct Network {
    pub(crate) fabric: Fabric,
    pub(crate) queue: Queue,
    pub(crate) pool: Pool,
    pub(crate) digest: Digest,
    pub(crate) stats: NetworkStats,
    pub(crate) tap: Option<Tap>,
    pub(crate) rules: Vec<Rule>,
    /// Addresses that two nodes have.
    pub(crate) shared: Vec<Shared>,
    /// Looked up, never iterated for a decision, like `ways`.
    uplinks: BTreeMap<NodeIx, (Clog, Backlog)>,
    /// Only of ways that have needed a state.
    ways: BTreeMap<(NodeIx, NodeIx), WayState>,
    draws: Draws,
}

/// What a direction between two nodes remembers from one datagram to the next.
#[derive(Debug, Default)]
struct WayState {
    /// In the bad state of [`crate::Bursts`].
    bad: bool,
    backlog: Backlog,
}

/// One stream per fault that was not always there, so that switching it on does not move the draws of the others.
struct Draws {
    links: Stream,
    bursts: Stream,
    damage: Stream,
}

/// A datagram that nothing but chance can lose any more.
struct Passage {
    to: NodeIx,
    link: Link,
    verdict: Verdict,
    /// Microseconds until it has left what is clogged.
    queued: u64,
}

impl Network {
    pub(crate) fn new(world_seed: u64) -> Self {
        let stream = |purpose| Stream::new(world_seed, purpose);
        Self {
            fabric: Fabric::default(),
            queue: Queue::default(),
            pool: Pool::default(),
            digest: Digest::default(),
            stats: NetworkStats::default(),
            tap: None,
            rules: Vec::new(),
            shared: Vec::new(),
            uplinks: BTreeMap::new(),
            ways: BTreeMap::new(),
            draws: Draws {
                links: stream(Purpose::Network),
                bursts: stream(Purpose::Bursts),
                damage: stream(Purpose::Damage),
            },
        }
    }

    /// What waits in front of an uplink goes on waiting when that is clogged otherwise.
    pub(crate) fn set_uplink(&mut self, node: NodeIx, clog: Option<Clog>) {
        match clog {
            Some(clog) => self.uplinks.entry(node).or_insert((clog, Backlog::default())).0 = clog,
            None => drop(self.uplinks.remove(&node)),
        }
    }

    /// No fault of the network is left, but what is under way arrives as it was to. Named one by one, so that who adds a
    /// fault decides what becomes of it here.
    pub(crate) fn calm(&mut self) {
        let Self { fabric, rules, shared, uplinks, ways, queue: _, pool: _, digest: _, stats: _, tap: _, draws: _ } =
            self;
        *fabric = Fabric::default();
        rules.clear();
        shared.clear();
        uplinks.clear();
        ways.clear();
    }

    /// A node sends.
    pub(crate) fn note(&mut self, from: NodeIx, sent: &Sent<'_>) {
        self.stats.sent += 1;
        self.digest.sent(sent.at, from, sent.to, sent.bytes);
        if let Some(tap) = &mut self.tap {
            tap(sent);
        }
    }

    /// What was sent leaves the machine. `link` is what holds for pairs without a link of their own, `nodes` how many nodes
    /// there are.
    pub(crate) fn send(&mut self, link: &Link, nodes: usize, from: NodeIx, sent: Sent<'_>) {
        let passage = match self.pass(link, nodes, from, &sent) {
            Ok(passage) => passage,
            Err(loss) => return self.stats.count(loss),
        };
        match passage.link.fate(&mut self.draws.links) {
            Fate::Lost => self.stats.count(Loss::Chance),
            Fate::Arrives { first, again } => {
                self.dispatch(&sent, &passage, first);
                if let Some(delay) = again {
                    self.stats.duplicated += 1;
                    self.dispatch(&sent, &passage, delay);
                }
                if passage.verdict == Verdict::Duplicate {
                    self.stats.duplicated += 1;
                    let delay = passage.link.delay(&mut self.draws.links);
                    self.dispatch(&sent, &passage, delay);
                }
            }
        }
    }

    /// Everything that loses a datagram for a reason. The uplink is first: it does not know where datagrams go, so what
    /// is lost behind it has taken its time.
    fn pass(&mut self, world: &Link, nodes: usize, from: NodeIx, sent: &Sent<'_>) -> Result<Passage, Loss> {
        let mut queued = 0;
        if let Some((clog, backlog)) = self.uplinks.get_mut(&from) {
            queued += enqueue(*clog, backlog, sent.at, sent.bytes.len(), &mut self.stats)?;
        }
        let to = NodeIx::at(sent.to).filter(|to| to.index() < nodes).ok_or(Loss::Unreachable)?;
        let to = self.shared.iter_mut().fold(to, |to, shared| shared.receiver(to, sent.at));
        if self.fabric.is_cut(from, to) {
            return Err(Loss::Cut);
        }
        let verdict = rule::verdict(&mut self.rules, sent);
        if verdict == Verdict::Drop {
            return Err(Loss::RuledOut);
        }
        let link = self.fabric.link(from, to, world);
        if link.mtu.is_some_and(|mtu| sent.bytes.len() > mtu) {
            return Err(Loss::TooLarge);
        }
        if let Some(clog) = link.clog {
            let backlog = &mut self.ways.entry((from, to)).or_default().backlog;
            let at = sent.at.plus_micros(queued);
            queued += enqueue(clog, backlog, at, sent.bytes.len(), &mut self.stats)?;
        }
        if let Some(bursts) = link.bursts {
            let bad = &mut self.ways.entry((from, to)).or_default().bad;
            if bursts.lose(bad, &mut self.draws.bursts) {
                return Err(Loss::Burst);
            }
        }
        Ok(Passage { to, link, verdict, queued })
    }

    /// One copy sets out.
    fn dispatch(&mut self, sent: &Sent<'_>, passage: &Passage, delay: Delay) {
        let from = self.shared.iter().fold(sent.from, |from, shared| shared.source(from));
        let slot = self.pool.put(from, passage.to, sent.bytes);
        self.damage(slot, passage);
        let late = if let Verdict::Deliver(late) = passage.verdict { micros(late) } else { 0 };
        self.stats.held_back += u64::from(delay.held_back || late > 0);
        let at = sent.at.plus_micros(passage.queued).plus_micros(delay.micros).plus_micros(late);
        self.queue.send(at, slot);
    }

    /// What a rule has said goes before the link's chances: flips on top of flips could undo each other.
    fn damage(&mut self, slot: Slot, passage: &Passage) {
        let bytes = self.pool.bytes_mut(slot);
        match passage.verdict {
            Verdict::Corrupt(bits) if !bytes.is_empty() => {
                flip(bytes, u64::from(bits.max(1)), &mut self.draws.damage);
                self.stats.corrupted += 1;
            }
            Verdict::Truncate(len) if len < bytes.len() => {
                bytes.truncate(len);
                self.stats.truncated += 1;
            }
            _ => {
                let damaged = passage.link.damage.befall(bytes, &mut self.draws.damage);
                self.stats.corrupted += u64::from(damaged.flipped);
                self.stats.truncated += u64::from(damaged.truncated);
            }
        }
    }

    /// A datagram that no node sent arrives, at once and whatever is cut.
    pub(crate) fn inject(&mut self, now: Instant, from: SocketAddr, to: NodeIx, datagram: &[u8]) {
        self.stats.injected += 1;
        let slot = self.pool.put(from, to, datagram);
        self.queue.send(now, slot);
    }
}

/// How many microseconds a datagram takes to leave what is clogged.
fn enqueue(clog: Clog, backlog: &mut Backlog, at: Instant, len: usize, stats: &mut NetworkStats) -> Result<u64, Loss> {
    let (micros, waited) = clog.pass(backlog, at, len).ok_or(Loss::Clogged)?;
    stats.queued += u64::from(waited);
    Ok(micros)
}
