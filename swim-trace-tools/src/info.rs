//! Whose trace it is, what is in it, and whether it is whole.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;
use swim_core::Instant;
use swim_trace::{Entries, Entry, FORMAT_VERSION, Trace, TraceError};

use crate::json::Id;

/// What there is to say of a trace. Everything is counted up to the first damage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Info {
    /// The node's name.
    pub name: String,
    /// Its id.
    pub id: Id,
    /// Its address.
    pub addr: SocketAddr,
    /// Which life.
    pub epoch: u32,
    /// The cluster.
    pub cluster: String,
    /// The version of `swim-core` that ran.
    pub core: String,
    /// The version of the format.
    pub format_version: u16,
    /// The layout of the keyframes.
    pub snapshot_version: u16,
    /// The seed of the random choices is known.
    pub seeded: bool,
    /// Outputs were recorded in full.
    pub outputs: bool,
    /// Unix time of `began_us`, in microseconds; 0: not known.
    pub unix_micros: u64,
    /// When the node was constructed.
    pub began_us: u64,
    /// The time of the first input.
    pub from_us: Option<u64>,
    /// The time of the last one.
    pub to_us: Option<u64>,
    /// The number of the first input.
    pub first_step: Option<u64>,
    /// The number of the last one.
    pub last_step: Option<u64>,
    /// Inputs that are there.
    pub steps: u64,
    /// Bytes of the file.
    pub bytes: usize,
    /// Blocks by kind.
    pub blocks: BTreeMap<&'static str, Blocks>,
    /// Gaps, with the number of the first input that is missing, and how many are.
    pub gaps: Vec<Gap>,
    /// Bytes of a block at the end that was cut off.
    pub torn: Option<Place>,
    /// Where it is damaged; what is behind is not counted.
    pub damaged: Option<Place>,
    /// The same as the error that it is.
    #[serde(skip)]
    pub error: Option<TraceError>,
}

/// The blocks of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// How many.
    pub count: u64,
    /// Their bytes in the file.
    pub bytes: usize,
    /// How many are compressed.
    pub compressed: u64,
}

/// Inputs that were not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The number of the first of them.
    pub step: u64,
    /// The time of the input before.
    pub at_us: u64,
    /// How many.
    pub missing: u64,
}

/// A place in the file, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Which block, from 0.
    pub block: usize,
    /// Where it begins.
    pub offset: usize,
    /// From there to the end of the file.
    pub bytes: usize,
    /// What is wrong.
    pub what: String,
}

/// The name of a kind of blocks.
fn block_name(kind: u8) -> &'static str {
    match kind {
        1 => "header",
        2 => "records",
        3 => "keyframe",
        4 => "gap",
        5 => "index",
        _ => "unknown",
    }
}

/// Reads the whole trace.
pub fn info(trace: &Trace<'_>) -> Info {
    let header = trace.header();
    let mut info = Info {
        name: header.profile.name().into(),
        id: Id(header.id),
        addr: header.addr,
        epoch: header.epoch,
        cluster: header.config.cluster.clone(),
        core: header.core.clone(),
        format_version: FORMAT_VERSION,
        snapshot_version: header.snapshot_version,
        seeded: header.rng_seed.is_some(),
        outputs: header.outputs,
        unix_micros: header.unix_micros,
        began_us: header.began.as_micros(),
        from_us: None,
        to_us: None,
        first_step: None,
        last_step: None,
        steps: 0,
        bytes: trace.bytes().len(),
        blocks: BTreeMap::new(),
        gaps: Vec::new(),
        torn: None,
        damaged: None,
        error: None,
    };
    for block in trace.blocks() {
        if let Err(e) = block.and_then(|block| info.block(&block)) {
            info.ends(e);
            break;
        }
    }
    info
}

impl Info {
    fn block(&mut self, block: &swim_trace::Block<'_>) -> Result<(), TraceError> {
        let content =
            block.content().or_else(|e| if (2..=4).contains(&block.kind) { Err(e) } else { Ok([][..].into()) })?;
        let malformed = |what| block.malformed(what);
        match block.kind {
            2 => {
                let short = || malformed("a block of records without digest");
                for entry in Entries::of(&content, block.step, block.at).ok_or_else(short)? {
                    if let Entry::Input { step, at, .. } = entry.map_err(malformed)? {
                        self.step(step, at);
                    }
                }
            }
            3 => drop(content.get(8..).ok_or_else(|| malformed("a keyframe"))?),
            4 => {
                let missing = content.first_chunk().ok_or_else(|| malformed("a gap"))?;
                let (at_us, missing) = (block.at.as_micros(), u64::from_le_bytes(*missing));
                self.gaps.push(Gap { step: block.step, at_us, missing });
            }
            _ => {}
        }
        let blocks = self.blocks.entry(block_name(block.kind)).or_default();
        blocks.count += 1;
        blocks.bytes += block.len();
        blocks.compressed += u64::from(block.is_compressed());
        Ok(())
    }

    fn step(&mut self, step: u64, at: Instant) {
        self.steps += 1;
        self.first_step.get_or_insert(step);
        self.from_us.get_or_insert(at.as_micros());
        (self.last_step, self.to_us) = (Some(step), Some(at.as_micros()));
    }

    fn ends(&mut self, e: TraceError) {
        let bytes = self.bytes.saturating_sub(e.offset);
        let place = Some(Place { block: e.block, offset: e.offset, bytes, what: e.damage.to_string() });
        if e.is_torn() {
            self.torn = place;
        } else {
            self.damaged = place;
        }
        self.error = Some(e);
    }
}
