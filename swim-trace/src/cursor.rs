//! What is in the blocks of a trace, one thing after the other.

use std::borrow::Cow;
use std::net::SocketAddr;

use swim_core::{Event, Instant};

use crate::block::{flag, kind};
use crate::bytes::Bytes;
use crate::error::TraceError;
use crate::record::{self, Inputs, Record, Recorded};
use crate::trace::{Block, Blocks};

/// One thing that a trace holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum Item<'c> {
    /// The node's state before input number `step`.
    Keyframe {
        /// The number of the input that comes next.
        step: u64,
        /// The time of the input before.
        at: Instant,
        /// Of all steps before.
        digest: u64,
        /// [`swim_core::Node::snapshot`].
        snapshot: &'c [u8],
    },
    /// What the node was given.
    Input {
        /// Its number, from 0 since the node was constructed.
        step: u64,
        /// When.
        at: Instant,
        /// Of the digest before it, of outputs and of the inputs in this block: as it stands in the trace.
        check: u32,
        /// The check without the inputs: of the digest of the outputs before it, wherever blocks end.
        outputs: u32,
        /// What.
        input: Recorded<'c>,
    },
    /// A datagram that the input before made the node send, where outputs were recorded.
    Sent {
        /// Where to.
        to: SocketAddr,
        /// Its frame.
        frame: &'c [u8],
    },
    /// An event that the input before made the node tell, where outputs were recorded.
    Event(Event),
    /// Inputs that were not recorded.
    Gap {
        /// The number of the first of them.
        step: u64,
        /// The time of the input before.
        at: Instant,
        /// How many are missing.
        missing: u64,
    },
}

/// What the digest after the present step has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// All of it.
    Whole(u64),
    /// Its lower half.
    Half(u32),
}

/// Walks through a trace.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    blocks: Blocks<'a>,
    open: Option<Records<'a>>,
    keyframe: Cow<'a, [u8]>,
    /// The number of the input that comes next, and the time of the last one, where that is known.
    ended: Option<(u64, Instant)>,
    over: bool,
}

/// A block of records that is being read.
#[derive(Clone, Debug)]
struct Records<'a> {
    block: Block<'a>,
    content: Cow<'a, [u8]>,
    /// Where in the content the next record begins.
    next: usize,
    step: u64,
    at: Instant,
    /// The digest behind the last step, when that was over: that of outputs and inputs.
    digest: Option<u64>,
    inputs: Inputs,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(blocks: Blocks<'a>) -> Self {
        Self { blocks, open: None, keyframe: Cow::Borrowed(&[]), ended: None, over: false }
    }

    /// The next thing; `None` at the end, and after an error.
    #[expect(clippy::should_implement_trait, reason = "what it gives borrows from the cursor")]
    pub fn next(&mut self) -> Option<Result<Item<'_>, TraceError>> {
        if self.over {
            return None;
        }
        let read = self.advance();
        match read {
            Ok(None) => None,
            Ok(Some(Found::Keyframe { step, at, digest })) => {
                Some(Ok(Item::Keyframe { step, at, digest, snapshot: self.keyframe.get(8..).unwrap_or_default() }))
            }
            Ok(Some(Found::Gap { step, at, missing })) => Some(Ok(Item::Gap { step, at, missing })),
            Ok(Some(Found::Record)) => {
                let records = self.open.as_mut()?;
                let read = records.read();
                self.over = read.is_err();
                Some(read)
            }
            Err(e) => {
                self.over = true;
                Some(Err(e))
            }
        }
    }

    /// The next thing that came out of the present step, as far as outputs were recorded.
    pub(crate) fn next_output(&mut self) -> Option<Result<Item<'_>, TraceError>> {
        let records = self.open.as_mut()?;
        records.skip();
        let ahead = Bytes(records.content.get(records.next..)?);
        if ahead.is_empty() || record::check_ahead(ahead, records.inputs).is_some() {
            return None;
        }
        let read = records.read();
        self.over = read.is_err();
        Some(read)
    }

    /// What the digest has to be, now that all outputs of the present step are read. `None`: the trace does not say.
    pub(crate) fn check(&self) -> Option<Check> {
        let records = self.open.as_ref()?;
        let ahead = Bytes(records.content.get(records.next..)?);
        if ahead.is_empty() {
            return records.digest.map(|digest| Check::Whole(digest ^ records.inputs.now.value()));
        }
        record::check_ahead(ahead, records.inputs).map(Check::Half)
    }

    /// Goes to the next thing that is known here.
    fn advance(&mut self) -> Result<Option<Found>, TraceError> {
        loop {
            if let Some(records) = &mut self.open {
                records.skip();
                if records.next < records.content.len() {
                    return Ok(Some(Found::Record));
                }
                self.ended = Some((records.step, records.at));
                self.open = None;
            }
            let Some(block) = self.blocks.next().transpose()? else { return Ok(None) };
            let (step, at) = (block.step, block.at);
            if matches!(block.kind, kind::RECORDS | kind::KEYFRAME) {
                // No digest knows the time in a head, on which those of the inputs behind it stand.
                if self.ended.is_some_and(|ended| ended.0 == step && ended.1 != at) {
                    return Err(block.malformed("a block begins at another time than the one before has ended"));
                }
                self.ended = Some((step, at));
            }
            match block.kind {
                kind::RECORDS => self.open = Some(Records::new(block)?),
                kind::KEYFRAME => {
                    self.keyframe = block.content()?;
                    let digest = Bytes(&self.keyframe).u64().ok_or_else(|| block.malformed("a keyframe"))?;
                    return Ok(Some(Found::Keyframe { step, at, digest }));
                }
                kind::GAP => {
                    let content = block.content()?;
                    let missing = Bytes(&content).u64().ok_or_else(|| block.malformed("a gap"))?;
                    self.ended = None;
                    return Ok(Some(Found::Gap { step, at, missing }));
                }
                _ => {}
            }
        }
    }
}

enum Found {
    Keyframe { step: u64, at: Instant, digest: u64 },
    Gap { step: u64, at: Instant, missing: u64 },
    Record,
}

impl<'a> Records<'a> {
    fn new(block: Block<'a>) -> Result<Self, TraceError> {
        let content = block.content()?;
        let digest = Bytes(&content).u64().ok_or_else(|| block.malformed("a block of records without digest"))?;
        let digest = (block.flags & flag::OPEN == 0).then_some(digest);
        Ok(Self {
            content,
            next: crate::block::RECORDS_AT,
            step: block.step,
            at: block.at,
            digest,
            block,
            inputs: Inputs::default(),
        })
    }

    fn read(&mut self) -> Result<Item<'_>, TraceError> {
        let mut bytes = Bytes(self.content.get(self.next..).unwrap_or_default());
        let record = record::read(&mut bytes).map_err(|what| self.block.malformed(what))?;
        let (inputs, from) = (self.inputs.now.check(), self.next);
        self.next = self.content.len() - bytes.0.len();
        self.inputs.add(&self.content[from..self.next]);
        match record {
            Record::Input { elapsed, check, input } => {
                self.at = self.at.plus_micros(elapsed);
                let step = self.step;
                self.step = step.checked_add(1).ok_or_else(|| self.block.malformed("the number of a step"))?;
                Ok(Item::Input { step, at: self.at, check, outputs: check ^ inputs, input })
            }
            Record::Sent { to, frame } => Ok(Item::Sent { to, frame }),
            Record::Event(event) => Ok(Item::Event(event)),
            Record::Time(_) | Record::Unknown { .. } => Err(self.block.malformed("a note that was to be skipped")),
        }
    }

    /// Past what is no item: times, and the notes of later versions.
    fn skip(&mut self) {
        loop {
            let mut bytes = Bytes(self.content.get(self.next..).unwrap_or_default());
            match record::read(&mut bytes) {
                Ok(Record::Time(at)) => self.at = at,
                Ok(Record::Unknown { .. }) => {}
                Ok(Record::Input { .. } | Record::Sent { .. } | Record::Event(_)) | Err(_) => return,
            }
            let from = std::mem::replace(&mut self.next, self.content.len() - bytes.0.len());
            self.inputs.add(&self.content[from..self.next]);
        }
    }
}
