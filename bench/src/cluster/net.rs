//! A virtual network, the same for all: latencies of a local network, loss at random, and a queue of what is under way.
//! It also keeps the account of who sees whom, from what nodes tell.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::core::Sent;
use crate::draw::Draw;
use crate::views::Views;

/// How long a datagram is under way, in microseconds: each time as likely as any other.
const LATENCY: std::ops::Range<u64> = 100..1_001;

/// What happens to a node.
pub(super) enum What<T> {
    Start,
    Datagram { from: usize, bytes: Vec<u8> },
    Timer(T),
    Nothing,
}

pub(super) struct Net<T> {
    now: u64,
    /// Who is driven at the moment.
    node: usize,
    /// When, of what is due then in which order, and where it lies.
    queue: BinaryHeap<Reverse<(u64, u8, u64, u32)>>,
    order: u64,
    /// What is under way, and to whom.
    slots: Vec<(usize, What<T>)>,
    free: Vec<u32>,
    /// Buffers of datagrams that have arrived.
    spare: Vec<Vec<u8>>,
    pub(super) draw: Draw,
    pub(super) loss_percent: u64,
    /// What was sent, as the cores wrote it, with what was lost.
    pub(super) sent: Sent,
    pub(super) views: Views,
}

impl<T> Net<T> {
    pub(super) fn new(nodes: usize, seed: u64) -> Self {
        Self {
            now: 0,
            node: 0,
            queue: BinaryHeap::new(),
            order: 0,
            slots: Vec::new(),
            free: Vec::new(),
            spare: Vec::new(),
            draw: Draw::new(seed),
            loss_percent: 0,
            sent: Sent::default(),
            views: Views::new(nodes),
        }
    }

    /// Microseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    pub(super) fn begin(&mut self, at: u64, node: usize) {
        self.push(at, 0, node, What::Start);
    }

    pub(super) fn send(&mut self, to: usize, bytes: &[u8]) {
        self.sent.datagrams += 1;
        self.sent.bytes += bytes.len() as u64;
        if self.loss_percent > 0 && self.draw.below(100) < self.loss_percent {
            return;
        }
        let latency = LATENCY.start + self.draw.below(LATENCY.end - LATENCY.start);
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        self.push(self.now + latency, 0, to, What::Datagram { from: self.node, bytes: copy });
    }

    /// A timer of the node that is driven. Among those that are due at once the lowest rank goes first, and datagrams
    /// before all.
    pub(super) fn remind(&mut self, at: u64, rank: u8, timer: T) {
        self.push(at, rank + 1, self.node, What::Timer(timer));
    }

    /// The node that is driven sees another one come or go.
    pub(super) fn tell(&mut self, of: usize, is_up: bool) {
        self.views.tell(self.now, self.node, of, is_up);
    }

    /// What is due next, until this time. Whom it befalls is driven from then on.
    pub(super) fn next(&mut self, until: u64) -> Option<(usize, What<T>)> {
        let &Reverse((at, _, _, slot)) = self.queue.peek()?;
        if at > until {
            return None;
        }
        self.queue.pop();
        self.free.push(slot);
        let (node, what) = &mut self.slots[slot as usize];
        (self.now, self.node) = (at, *node);
        Some((*node, std::mem::replace(what, What::Nothing)))
    }

    /// Nothing is due until then.
    pub(super) fn pass(&mut self, until: u64) {
        self.now = until;
    }

    pub(super) fn take_back(&mut self, buffer: Vec<u8>) {
        self.spare.push(buffer);
    }

    fn push(&mut self, at: u64, rank: u8, node: usize, what: What<T>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, What::Nothing));
            u32::try_from(self.slots.len() - 1).expect("less than that is under way")
        });
        self.slots[slot as usize] = (node, what);
        self.order += 1;
        self.queue.push(Reverse((at, rank, self.order, slot)));
    }
}
