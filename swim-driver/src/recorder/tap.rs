//! The driver's side: where inputs reach the node.

use std::net::SocketAddr;
use std::sync::TryLockError;

use swim_core::{Event, Input, Instant, Node};
use swim_trace::block::{self, Builder};
use swim_trace::{Digest, Header, Steps};

use super::alarm::Alarm;
use super::ring::{self, Block, Ring};
use super::writer::Job;
use super::{Recording, Shared, panics};
use crate::sync::{Arc, Mutex, MutexGuard, lock};

/// What stands between driver and node. Every input passes it, and everything that comes out.
pub(crate) struct Tap {
    shared: Arc<Shared>,
    steps: Steps,
    outputs: bool,
    /// The open block has what it can hold, or is to be sealed for another reason.
    due: bool,
    /// All that follows from the last input was handed out.
    drained: bool,
    /// Where inputs go while somebody reads the ring.
    aside: Aside,
    block_size: usize,
    /// The time after which a block is sealed though it has room.
    patience: u64,
    /// When the open block was begun.
    since: Instant,
    /// Bytes of records since the last keyframe, and how many are too many.
    written: usize,
    segment: usize,
    /// A snapshot, whose memory is kept.
    snapshot: Vec<u8>,
    alarm: Alarm,
}

/// What becomes of inputs while the ring is not to be had.
enum Aside {
    /// It is to be had.
    Nothing,
    /// They are recorded in a block of their own, which follows the ring's open one; that is to be sealed with this digest.
    /// `before` is that before the last step.
    Kept { block: Builder, digest: u64, before: u64 },
    /// That block is full: its first step, itself, and the digest before it. So many inputs after it were not recorded, from
    /// `step` on.
    Missed { kept: (u64, Vec<u8>, u64), step: u64, at: Instant, missing: u64 },
}

impl Tap {
    pub(super) fn new(recording: &Recording, header: &Header, shared: Arc<Shared>) -> Self {
        let max = lock(&shared.ring).max();
        // In a file the newest inputs should not wait for long; in the ring they can be read at any time.
        let patience = if recording.file.is_some() { FILE_PATIENCE } else { u64::MAX };
        Self {
            steps: Steps::new(0, header.began, Digest::default()),
            outputs: recording.outputs,
            due: false,
            drained: true,
            aside: Aside::Nothing,
            block_size: ring::block_size(max),
            patience,
            since: header.began,
            written: 0,
            segment: ring::segment_size(max, 0),
            snapshot: Vec::new(),
            alarm: Alarm::new(recording.dumps.as_ref()),
            shared,
        }
    }

    /// The node, which has been drained, is about to be given this.
    #[inline]
    pub(crate) fn input(&mut self, node: &Node, now: Instant, input: &Input<'_>) {
        if self.due {
            self.seal(node);
        }
        self.drained = false;
        let since = self.steps.at();
        let (at, before) = self.steps.begin(node, now);
        if matches!(self.aside, Aside::Nothing) {
            if let Some(mut ring) = to_be_had(&self.shared.ring) {
                ring.steps = self.steps.number();
                ring.before = before.value();
                ring.open.input(at, before.check(), input);
                self.due = ring.open.len() >= self.block_size || at.micros_since(self.since) >= self.patience;
                return;
            }
        }
        self.input_aside((since, at), before, input);
    }

    /// The node has handed out this frame.
    #[inline]
    pub(crate) fn sent(&mut self, to: SocketAddr, frame: &[u8]) {
        self.steps.sent(to, frame);
        if self.outputs {
            self.note(|block| block.sent(to, frame));
        }
    }

    /// The node has told this event.
    pub(crate) fn event(&mut self, event: &Event) {
        self.steps.event(event);
        if self.outputs {
            self.note(|block| block.event(event));
        }
        if let Some(why) = self.alarm.hear(self.steps.at(), event) {
            self.shared.writer.ask(Job::Dump(why.into()));
        }
    }

    /// All that follows from the last input was handed out.
    #[inline]
    pub(crate) fn drained(&mut self) {
        self.drained = true;
    }

    /// There will be no more inputs.
    pub(crate) fn finish(&mut self, node: &Node) {
        let shared = Arc::clone(&self.shared);
        let mut ring = lock(&shared.ring);
        if self.drained {
            self.seal_into(&mut ring, node);
        } else {
            self.leave_open(&mut ring);
        }
    }

    /// What the last step comes to is not known before it is over: the block stays open, in the file as in the ring. That step may
    /// be the one that the node did not survive.
    fn leave_open(&mut self, ring: &mut Ring) {
        let (step, writer) = (self.steps.number(), &self.shared.writer);
        ring.steps = step;
        let mut sealed: Vec<(Block, u64)> = Vec::new();
        match std::mem::replace(&mut self.aside, Aside::Nothing) {
            Aside::Nothing => {}
            Aside::Kept { block, digest, before } => {
                let from = block.first();
                sealed.extend(ring.seal(digest, block).map(|block| (block, from)));
                ring.before = before;
            }
            Aside::Missed { kept: (from, block, between), step: first, at, missing } => {
                let nothing = Builder::new(first, at, Vec::new());
                sealed.extend(ring.seal(between, nothing).map(|block| (block, from)));
                sealed.push((ring.push(block), first));
                sealed.push((ring.gap(first, at, missing), step));
            }
        }
        if !ring.open.is_empty() {
            sealed.push((Block::new(ring.open.seal_open(ring.before)), step));
        }
        sealed.into_iter().for_each(|(block, upto)| writer.append(block, upto));
    }

    /// Ends the open block, unless somebody reads the ring just now: then that is tried again before the next input.
    #[cold]
    fn seal(&mut self, node: &Node) {
        let shared = Arc::clone(&self.shared);
        match to_be_had(&shared.ring) {
            Some(mut ring) => self.seal_into(&mut ring, node),
            None => self.bound_aside(node),
        }
    }

    /// Ends the open block and what was kept aside, and begins a segment when it is time.
    fn seal_into(&mut self, ring: &mut Ring, node: &Node) {
        let digest = self.steps.settled(node).value();
        let (step, at) = (self.steps.number(), self.steps.at());
        let next = Builder::new(step, at, ring.memory());
        let aside = std::mem::replace(&mut self.aside, Aside::Nothing);
        let missed = matches!(aside, Aside::Missed { .. });
        let mut sealed: Vec<(Block, u64)> = Vec::new();
        match aside {
            Aside::Nothing => sealed.extend(ring.seal(digest, next).map(|block| (block, step))),
            Aside::Kept { block, digest: between, .. } => {
                let from = block.first();
                sealed.extend(ring.seal(between, block).map(|block| (block, from)));
                sealed.extend(ring.seal(digest, next).map(|block| (block, step)));
            }
            Aside::Missed { kept: (from, block, between), step: first, at: since, missing } => {
                let nothing = Builder::new(first, since, Vec::new());
                sealed.extend(ring.seal(between, nothing).map(|block| (block, from)));
                sealed.push((ring.push(block), first));
                sealed.push((ring.gap(first, since, missing), step));
                ring.seal(digest, next);
            }
        }
        ring.steps = step;
        self.written += sealed.iter().map(|(block, _)| block.len()).sum::<usize>();
        if self.shared.writer.wants_keyframe() || missed || self.written >= self.segment {
            let frame = self.frame(node, step, at, digest);
            self.written = 0;
            self.segment = ring::segment_size(ring.max(), frame.len());
            sealed.push((ring.keyframe(frame), step));
        }
        self.due = false;
        self.since = at;
        sealed.into_iter().for_each(|(block, upto)| self.shared.writer.append(block, upto));
    }

    fn frame(&mut self, node: &Node, step: u64, at: Instant, digest: u64) -> Vec<u8> {
        node.snapshot_into(&mut self.snapshot);
        let mut frame = Vec::with_capacity(self.snapshot.len() + block::OVERHEAD + 8);
        block::keyframe(step, at, digest, &self.snapshot, &mut frame);
        frame
    }

    /// Somebody reads the ring: the input is kept in a block beside it, as long as there is room.
    #[cold]
    fn input_aside(&mut self, (since, at): (Instant, Instant), digest: Digest, input: &Input<'_>) {
        // Sealed before the next input, when the ring may be to be had again.
        self.due = true;
        if matches!(self.aside, Aside::Nothing) {
            let block = Builder::new(self.steps.number() - 1, since, Vec::new());
            self.aside = Aside::Kept { block, digest: digest.value(), before: digest.value() };
        }
        match &mut self.aside {
            Aside::Nothing => {}
            Aside::Kept { block, before, .. } => {
                block.input(at, digest.check(), input);
                *before = digest.value();
            }
            Aside::Missed { missing, .. } => *missing += 1,
        }
    }

    /// What is kept aside has to be bounded: what comes now is missed.
    fn bound_aside(&mut self, node: &Node) {
        if !matches!(&self.aside, Aside::Kept { block, .. } if block.len() >= ASIDE_MAX) {
            return;
        }
        let (step, at) = (self.steps.number(), self.steps.at());
        if let Aside::Kept { block, digest, .. } = std::mem::replace(&mut self.aside, Aside::Nothing) {
            let kept = (block.first(), block.seal(self.steps.settled(node).value()), digest);
            self.aside = Aside::Missed { kept, step, at, missing: 0 };
        }
    }

    fn note(&mut self, write: impl FnOnce(&mut Builder)) {
        match &mut self.aside {
            // A note that is left out is no gap: the digest knows it all the same.
            Aside::Nothing => {
                if let Some(mut ring) = to_be_had(&self.shared.ring) {
                    write(&mut ring.open);
                }
            }
            Aside::Kept { block, .. } => write(block),
            Aside::Missed { .. } => {}
        }
    }
}

/// The ring, unless somebody reads it just now.
#[inline]
pub(super) fn to_be_had(ring: &Mutex<Ring>) -> Option<MutexGuard<'_, Ring>> {
    match ring.try_lock() {
        Ok(ring) => Some(ring),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Bytes that are kept while the ring is being read.
const ASIDE_MAX: usize = 256 << 10;
/// Microseconds after which a block goes to the file though it has room.
const FILE_PATIENCE: u64 = 5_000_000;

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.writer.end();
        panics::forget(&self.shared);
    }
}
