//! Everything between two sockets: decides once, when a datagram is sent, whether and when it arrives.
//!
//! So a cut, or a change of a link, touches what is sent from then on; what is under way arrives.

use std::net::SocketAddr;

use swim_core::Instant;

use crate::digest::Digest;
use crate::fabric::{Fabric, NetworkStats};
use crate::host::NodeIx;
use crate::link::{Delay, Fate, Link};
use crate::pool::Pool;
use crate::queue::Queue;
use crate::rng::Stream;

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
    /// The frame inside the envelope.
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
    draws: Stream,
}

impl Network {
    pub(crate) fn new(draws: Stream) -> Self {
        Self {
            fabric: Fabric::default(),
            queue: Queue::default(),
            pool: Pool::default(),
            digest: Digest::default(),
            stats: NetworkStats::default(),
            tap: None,
            draws,
        }
    }

    /// A node sends. `link` is what holds for pairs without a link of their own, `nodes` how many nodes there are.
    pub(crate) fn send(&mut self, link: &Link, nodes: usize, from: NodeIx, sent: Sent<'_>) {
        self.stats.sent += 1;
        self.digest.sent(sent.at, from, sent.to, sent.bytes);
        if let Some(tap) = &mut self.tap {
            tap(&sent);
        }
        let Some(to) = NodeIx::at(sent.to).filter(|to| to.index() < nodes) else {
            self.stats.unreachable += 1;
            return;
        };
        if self.fabric.is_cut(from, to) {
            self.stats.cut += 1;
            return;
        }
        let link = self.fabric.link(from, to).unwrap_or(link);
        match link.fate(&mut self.draws) {
            Fate::Lost => self.stats.lost += 1,
            Fate::Arrives { first, again } => {
                self.dispatch(&sent, to, first);
                if let Some(delay) = again {
                    self.stats.duplicated += 1;
                    self.dispatch(&sent, to, delay);
                }
            }
        }
    }

    fn dispatch(&mut self, sent: &Sent<'_>, to: NodeIx, delay: Delay) {
        self.stats.held_back += u64::from(delay.held_back);
        let slot = self.pool.put(sent.from, to, sent.bytes);
        self.queue.send(sent.at.plus_micros(delay.micros), slot);
    }

    /// A datagram that no node sent arrives, at once and whatever is cut.
    pub(crate) fn inject(&mut self, now: Instant, from: SocketAddr, to: NodeIx, datagram: &[u8]) {
        self.stats.injected += 1;
        let slot = self.pool.put(from, to, datagram);
        self.queue.send(now, slot);
    }
}
