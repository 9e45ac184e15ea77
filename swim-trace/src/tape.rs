//! Recording, without bounds: a whole run in memory.

use std::net::SocketAddr;

use swim_core::{Event, Input, Instant, Node};

use crate::block::{self, Builder};
use crate::digest::Digest;
use crate::header::Header;

/// How far a run is: what every recorder and every replay keep alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    number: u64,
    at: Instant,
    digest: Digest,
    /// The last step is not yet in the digest as a whole.
    open: bool,
}

impl Steps {
    /// Before input number `number`; the one before it was at `at`, or the node was constructed then. The digest is that of all
    /// steps before.
    pub const fn new(number: u64, at: Instant, digest: Digest) -> Self {
        Self { number, at, digest, open: false }
    }

    /// Inputs so far.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The time of the last one.
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// Everything up to here. The node has been drained.
    #[inline]
    pub fn settled(&self, node: &Node) -> Digest {
        let mut digest = self.digest;
        if self.open {
            digest.settled(node);
        }
        digest
    }

    /// The node, which has been drained, is about to be given something. Tells when that is, and the digest before it.
    #[inline]
    pub fn begin(&mut self, node: &Node, now: Instant) -> (Instant, Digest) {
        self.digest = self.settled(node);
        self.open = true;
        self.number += 1;
        self.at = now;
        (self.at, self.digest)
    }

    /// It has handed out this datagram.
    #[inline]
    pub fn sent(&mut self, to: SocketAddr, frame: &[u8]) {
        self.digest.sent(to, frame);
    }

    /// It has told this event.
    #[inline]
    pub fn event(&mut self, event: &Event) {
        self.digest.event(event);
    }
}

/// A trace that is being made in memory. For tests and tools, and wherever a run is short; a node in production has the recorder of
/// `swim-driver`.
///
/// For every step: [`Self::input`] before [`Node::handle`], then [`Self::sent`] and [`Self::event`] for what comes out.
#[derive(Clone, Debug)]
pub struct Tape {
    out: Vec<u8>,
    builder: Builder,
    steps: Steps,
    /// The digest before the last step.
    before: u64,
    outputs: bool,
    block: usize,
}

impl Tape {
    /// The trace of a node that was not given anything yet. Where the header knows no seed, it begins with a keyframe.
    pub fn new(header: &Header, node: &Node) -> Self {
        let mut out = Vec::new();
        block::start(header, &mut out);
        let steps = Steps::new(0, header.began, Digest::default());
        if header.rng_seed.is_none() {
            block::keyframe(0, steps.at(), steps.settled(node).value(), &node.snapshot(), &mut out);
        }
        let builder = Builder::new(0, steps.at(), Vec::new());
        Self { out, builder, steps, before: 0, outputs: header.outputs, block: BLOCK }
    }

    /// The node, which has been drained, is about to be given this.
    pub fn input(&mut self, node: &Node, now: Instant, input: &Input<'_>) {
        if self.builder.len() >= self.block {
            self.seal(node);
        }
        let (at, before) = self.steps.begin(node, now);
        self.before = before.value();
        self.builder.input(at, before.check(), input);
    }

    /// It has handed out this datagram.
    pub fn sent(&mut self, to: SocketAddr, frame: &[u8]) {
        self.steps.sent(to, frame);
        if self.outputs {
            self.builder.sent(to, frame);
        }
    }

    /// It has told this event.
    pub fn event(&mut self, event: &Event) {
        self.steps.event(event);
        if self.outputs {
            self.builder.event(event);
        }
    }

    /// Writes the node's state into the trace, from which it can be replayed as well. The node has been drained.
    pub fn keyframe(&mut self, node: &Node) {
        self.seal(node);
        let digest = self.steps.settled(node).value();
        block::keyframe(self.steps.number(), self.steps.at(), digest, &node.snapshot(), &mut self.out);
    }

    /// The whole trace. The node has been drained.
    pub fn finish(mut self, node: &Node) -> Vec<u8> {
        self.seal(node);
        self.out
    }

    /// The whole trace, when the last step was not over: the node has not survived it.
    pub fn finish_open(mut self) -> Vec<u8> {
        if !self.builder.is_empty() {
            block::finish(&self.builder.seal_open(self.before), &mut self.out);
        }
        self.out
    }

    fn seal(&mut self, node: &Node) {
        let next = Builder::new(self.steps.number(), self.steps.at(), Vec::new());
        let full = std::mem::replace(&mut self.builder, next);
        if !full.is_empty() {
            block::finish(&full.seal(self.steps.settled(node).value()), &mut self.out);
        }
    }
}

/// A block is sealed when it has so many bytes.
const BLOCK: usize = 64 << 10;
