//! The newest part of a run, in bounded memory: segments, each of which begins with a keyframe, but for the first.

use std::collections::VecDeque;
use std::sync::Arc;

use swim_core::Instant;
use swim_trace::Header;
use swim_trace::block::{self, Builder};

use super::RecorderStats;

/// A sealed block, not yet finished.
pub(super) type Block = Arc<Vec<u8>>;

/// The ring. It is locked for each input, so nothing here takes long.
pub(super) struct Ring {
    /// What every trace of this node begins with.
    start: Arc<Vec<u8>>,
    segments: VecDeque<Segment>,
    /// Bytes in all blocks of all segments.
    held: usize,
    max: usize,
    /// The block that is being written.
    pub(super) open: Builder,
    /// The digest before the last step in it, or behind the last sealed block.
    pub(super) before: u64,
    /// Memory of blocks that were forgotten.
    spare: Vec<Vec<u8>>,
    bytes: u64,
    pub(super) steps: u64,
    missed: u64,
    gaps: u64,
    keyframes: u64,
}

#[derive(Default)]
struct Segment {
    blocks: Vec<Block>,
    bytes: usize,
}

impl Ring {
    pub(super) fn new(max: usize, header: &Header) -> Self {
        let mut start = Vec::new();
        block::start(header, &mut start);
        let max = max.max(RING_MIN);
        Self {
            start: Arc::new(start),
            segments: VecDeque::from([Segment::default()]),
            held: 0,
            max,
            open: Builder::new(0, header.began, Vec::with_capacity(block_size(max) + SLACK)),
            before: 0,
            spare: Vec::new(),
            bytes: 0,
            steps: 0,
            missed: 0,
            gaps: 0,
            keyframes: 0,
        }
    }

    /// Memory for the next block, without taking any where some is left over.
    pub(super) fn memory(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(block_size(self.max) + SLACK))
    }

    /// Seals the open block, and goes on with this one. Says what was sealed, if there was anything in it.
    pub(super) fn seal(&mut self, digest: u64, next: Builder) -> Option<Block> {
        self.before = digest;
        let full = std::mem::replace(&mut self.open, next);
        (!full.is_empty()).then(|| self.push(full.seal(digest)))
    }

    /// Begins a segment with this keyframe, and forgets the oldest ones that have no room any more.
    pub(super) fn keyframe(&mut self, block: Vec<u8>) -> Block {
        self.keyframes += 1;
        self.segments.push_back(Segment::default());
        self.push(block)
    }

    /// Adds a sealed block to the newest segment.
    pub(super) fn push(&mut self, mut block: Vec<u8>) -> Block {
        // Sealed before it was full, because a file waits for it: what it has no use for would not be counted.
        if block.capacity() > 2 * block.len() {
            block.shrink_to_fit();
        }
        let block = Arc::new(block);
        self.bytes += block.len() as u64;
        self.held += block.len();
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes += block.len();
            segment.blocks.push(Arc::clone(&block));
        }
        while self.held > self.max && self.can_forget() {
            let Some(oldest) = self.segments.pop_front() else { break };
            self.held -= oldest.bytes;
            // Those that somebody is just writing to a file are his.
            let blocks = oldest.blocks.into_iter().filter_map(Arc::into_inner);
            let size = block_size(self.max) + SLACK;
            self.spare.extend(blocks.filter(|memory| (size..=2 * size).contains(&memory.capacity())));
            self.spare.truncate(SPARE_MAX);
        }
        block
    }

    /// Can the oldest segment go? Not while nothing but it can be replayed: the next one may be a keyframe that has just been
    /// taken, and large.
    fn can_forget(&self) -> bool {
        let newest =
            self.segments.back().map_or(0, |segment| segment.bytes - segment.blocks.first().map_or(0, |b| b.len()));
        self.segments.len() > 2 || (self.segments.len() == 2 && newest >= self.max / 4)
    }

    /// Adds that inputs are missing here.
    pub(super) fn gap(&mut self, step: u64, at: Instant, missing: u64) -> Block {
        self.gaps += 1;
        self.missed += missing;
        self.push(gap(step, at, missing))
    }

    /// What a trace begins with, and all blocks that follow, to be finished.
    pub(super) fn parts(&self) -> (Block, Vec<Block>) {
        let sealed = self.segments.iter().flat_map(|segment| &segment.blocks);
        let mut blocks: Vec<Block> = sealed.map(Arc::clone).collect();
        if !self.open.is_empty() {
            blocks.push(Arc::new(self.open.seal_open(self.before)));
        }
        (self.start(), blocks)
    }

    pub(super) fn start(&self) -> Block {
        Arc::clone(&self.start)
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn stats(&self) -> RecorderStats {
        RecorderStats {
            steps: self.steps,
            missed: self.missed,
            gaps: self.gaps,
            bytes: self.bytes + self.open.len() as u64,
            keyframes: self.keyframes,
            held: (self.held + self.open.len()) as u64,
            ..RecorderStats::default()
        }
    }
}

/// Below this a ring would hold little but keyframes.
const RING_MIN: usize = 64 << 10;
/// Blocks whose memory waits for the next ones.
const SPARE_MAX: usize = 8;
/// What a block may have above its size: it is sealed when it is full, so the last record comes on top.
const SLACK: usize = 2_048;

/// A block is sealed when it has so many bytes.
pub(super) fn block_size(ring: usize) -> usize {
    (ring / 64).clamp(4 << 10, 64 << 10)
}

/// After so many bytes of records the next keyframe is due, when the last one had `keyframe` bytes. To write a byte of a keyframe
/// costs about half of what the node spends on what a byte of records stands for, so that keyframes take about 3 % where the ring
/// has room; and at any time at least half of the ring can be replayed.
pub(super) fn segment_size(ring: usize, keyframe: usize) -> usize {
    keyframe.saturating_mul(16).clamp(ring / 8, ring / 2)
}

/// A block that says that inputs are missing.
pub(super) fn gap(step: u64, at: Instant, missing: u64) -> Vec<u8> {
    let mut out = Vec::new();
    block::gap(step, at, missing, &mut out);
    out
}
