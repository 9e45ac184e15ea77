//! The same trace in other blocks: compressed or not, without keyframes.

use swim_trace::{Block, Index, Item, Place, Trace, TraceError, block};

/// What is to be another way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Leaves out keyframes and index, so that the layout of snapshots is of no importance.
    pub no_keyframes: bool,
    /// Compresses all blocks (true) or none (false).
    pub compress: Option<bool>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Converted {
    /// The trace.
    pub bytes: Vec<u8>,
    /// Bytes of a block at the end that was cut off; they are left out.
    pub torn: usize,
    /// Where the trace is cut off or damaged; nothing from there on is in it.
    pub damage: Option<TraceError>,
}

/// Why a trace cannot do without keyframes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needed {
    /// The seed is not known, or the trace begins later than the node.
    Beginning,
    /// There is a gap.
    Gap,
}

impl std::fmt::Display for Needed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Beginning => "it does not hold the run from the node's first input on, and begins with a keyframe",
            Self::Gap => "inputs are missing in it, and it goes on from a keyframe behind them",
        })
    }
}

/// Whether a trace replays without keyframes; as far as it can be read.
///
/// # Errors
/// Why not.
pub fn keyframes_needed(trace: &Trace<'_>) -> Result<(), Needed> {
    let mut cursor = trace.cursor();
    let mut next = if trace.header().rng_seed.is_some() { 0 } else { u64::MAX };
    let mut begun = false;
    while let Some(Ok(item)) = cursor.next() {
        match item {
            Item::Gap { .. } => return Err(Needed::Gap),
            Item::Input { step, .. } if step == next => {
                next = next.saturating_add(1);
                begun = true;
            }
            Item::Input { .. } if begun => return Err(Needed::Gap),
            Item::Input { .. } => return Err(Needed::Beginning),
            _ => {}
        }
    }
    if next == u64::MAX { Err(Needed::Beginning) } else { Ok(()) }
}

/// The trace with this change. Unknown kinds of blocks stay as they are; an index is made anew.
pub fn convert(trace: &Trace<'_>, change: Change) -> Converted {
    let mut done = Converted { bytes: trace.bytes().get(..16).unwrap_or_default().to_vec(), ..Converted::default() };
    let mut index = Index::default();
    for block in trace.blocks() {
        let block = match block {
            Ok(block) => block,
            Err(e) => {
                done.torn = if e.is_torn() { trace.bytes().len().saturating_sub(e.offset) } else { 0 };
                done.damage = Some(e);
                break;
            }
        };
        match block.kind {
            3 | 5 if change.no_keyframes => {}
            5 if change != Change::default() => {
                let mut bytes = Vec::new();
                index.write(&mut bytes);
                put(&mut done.bytes, &bytes, &block, change.compress);
            }
            kind => {
                index.push(Place { offset: done.bytes.len(), kind, step: block.step, at: block.at });
                let mut bytes = Vec::with_capacity(block.len());
                block.write(&mut bytes);
                put(&mut done.bytes, &bytes, &block, change.compress.filter(|_| kind <= 5));
            }
        }
    }
    done
}

/// `block` is what was read, `bytes` what it is now.
fn put(out: &mut Vec<u8>, bytes: &[u8], block: &Block<'_>, compress: Option<bool>) {
    match (compress, block.content()) {
        (Some(true), _) => out.extend_from_slice(&block::compressed(bytes)),
        (Some(false), Ok(content)) if block.is_compressed() && block.kind != 5 => {
            Block { flags: block.flags & !1, stored: &content, ..*block }.write(out);
        }
        _ => out.extend_from_slice(bytes),
    }
}
