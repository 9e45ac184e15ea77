//! Where the blocks of a trace are.

use swim_core::Instant;

use crate::block::{self, kind};
use crate::bytes::{Bytes, put_varint};
use crate::trace::{Block, Trace, last_block};

/// Where one block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it begins in the file.
    pub offset: usize,
    /// As [`Block::kind`].
    pub kind: u8,
    /// As [`Block::step`].
    pub step: u64,
    /// As [`Block::at`].
    pub at: Instant,
}

/// The places of all blocks, in order. A writer that ends in peace puts it behind them; where it is missing it is made again from
/// the blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    places: Vec<Place>,
}

impl Index {
    /// That of a trace: read, or made.
    pub fn of(trace: &Trace<'_>) -> Self {
        Self::read(trace).unwrap_or_else(|| Self::make(trace))
    }

    /// Made by walking over all blocks, up to the first that is damaged.
    pub fn make(trace: &Trace<'_>) -> Self {
        let mut places = Vec::with_capacity(trace.blocks_at_most());
        let blocks = trace.blocks().map_while(Result::ok).filter(|block| block.kind != kind::INDEX);
        places.extend(blocks.map(|block| Place::of(&block)));
        Self { places }
    }

    /// Notes a block that was written at this offset.
    pub fn push(&mut self, place: Place) {
        self.places.push(place);
    }

    /// The places.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The last keyframe before which nothing happened later than `at`, with its number among the blocks.
    pub fn keyframe_before(&self, at: Instant) -> Option<(usize, Place)> {
        let keyframes = self.places.iter().copied().enumerate().filter(|(_, place)| place.kind == kind::KEYFRAME);
        keyframes.take_while(|(_, place)| place.at <= at).last()
    }

    /// Writes it as a block.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        let (mut offset, mut step, mut at) = (0, 0, 0);
        for place in &self.places {
            payload.push(place.kind);
            put_varint(&mut payload, (place.offset as u64).wrapping_sub(offset));
            put_varint(&mut payload, place.step.wrapping_sub(step));
            put_varint(&mut payload, place.at.as_micros().wrapping_sub(at));
            (offset, step, at) = (place.offset as u64, place.step, place.at.as_micros());
        }
        block::whole(kind::INDEX, 0, (step, Instant::from_micros(at)), &payload, out);
    }

    /// The one at the end of the file, when there is one. It may lie: whoever goes to a place checks the block there.
    fn read(trace: &Trace<'_>) -> Option<Self> {
        let offset = last_block(trace.bytes())?;
        let block = trace.blocks_from(0, offset).next()?.ok().filter(|block| block.kind == kind::INDEX)?;
        let content = block.content().ok()?;
        let mut bytes = Bytes(&content);
        // What the index claims takes no more memory than the file.
        let most = trace.blocks_at_most();
        let mut places = Vec::with_capacity(most.min(content.len() / PLACE_MIN));
        let (mut offset, mut step, mut at) = (0_u64, 0_u64, 0_u64);
        while !bytes.is_empty() {
            if places.len() == most {
                return None;
            }
            let kind = bytes.u8()?;
            offset = offset.wrapping_add(bytes.varint()?);
            step = step.wrapping_add(bytes.varint()?);
            at = at.wrapping_add(bytes.varint()?);
            let place = Place { offset: usize::try_from(offset).ok()?, kind, step, at: Instant::from_micros(at) };
            places.push(place);
        }
        Some(Self { places })
    }
}

/// Kind and three numbers.
const PLACE_MIN: usize = 4;

impl Place {
    /// Of this block.
    pub fn of(block: &Block<'_>) -> Self {
        Self { offset: block.offset, kind: block.kind, step: block.step, at: block.at }
    }
}
