//! The part of a trace in which the replay leaves the recorded run. What was recorded stays as it was.

use swim_trace::block::{self, Builder};
use swim_trace::{Block, Divergence, Item, Replay, ReplayError, Trace};

use super::{Predicate, ShrinkError, Shrunk};

const RECORDS: u8 = 2;
const KEYFRAME: u8 = 3;

/// From the last keyframe from which the same step diverges with the same outcome, up to that step and the check behind it.
pub(super) fn cut(trace: &Trace<'_>, predicates: &[Predicate], tries: usize) -> Result<Shrunk, ShrinkError> {
    let mut happened: Vec<bool> = predicates.iter().map(|p| *p == Predicate::Divergence).collect();
    let mut replay = Replay::new(trace)?;
    while let Some(Ok(step)) = replay.step() {
        for (happened, predicate) in happened.iter_mut().zip(predicates).filter(|(_, p)| **p != Predicate::Divergence) {
            let now = predicate.happens(step.outputs, step.node);
            *happened = now || *happened && !predicate.is_of_the_end();
        }
        if step.diverged {
            break;
        }
    }
    let Some(first) = replay.summary().first else { return Err(ShrinkError::NotShown(Predicate::Divergence)) };
    if let Some((predicate, _)) = predicates.iter().zip(&happened).find(|(_, happened)| !**happened) {
        return Err(ShrinkError::NotShown(predicate.clone()));
    }
    let blocks: Vec<Block<'_>> = trace.blocks().map_while(Result::ok).collect();
    let count = |bytes: &[u8]| Trace::open(bytes).map(|trace| inputs(&trace)).map_err(ReplayError::Trace);
    let inputs_before = inputs(trace);
    // From a keyframe behind another one there is less, so the last one comes first.
    let starts = (1..blocks.len()).rev().filter(|&i| blocks[i].kind == KEYFRAME && blocks[i].step <= first.step);
    let starts = starts.map(|i| (i, Some(blocks[i].step))).chain([(1, None)]);
    for (used, (from, keyframe)) in (1..=tries).zip(starts) {
        let bytes = part(trace, &blocks, from, &first);
        if shows(&bytes, &first) {
            let inputs = count(&bytes)?;
            return Ok(Shrunk { bytes, inputs_before, inputs, tries: used, minimal: false, keyframe });
        }
    }
    Err(ShrinkError::NotShown(Predicate::Divergence))
}

fn inputs(trace: &Trace<'_>) -> usize {
    let (mut cursor, mut count) = (trace.cursor(), 0);
    while let Some(Ok(item)) = cursor.next() {
        count += usize::from(matches!(item, Item::Input { .. }));
    }
    count
}

/// Does the replay leave the run in this step, and come to the same there?
fn shows(bytes: &[u8], wanted: &Divergence) -> bool {
    let replay = Trace::open(bytes).ok().and_then(|trace| Replay::new(&trace).ok());
    let first = replay.and_then(|replay| replay.run().0.first);
    first.is_some_and(|first| first.step == wanted.step && first.replayed == wanted.replayed)
}

/// The header, and the blocks from this one on up to the step.
fn part(trace: &Trace<'_>, blocks: &[Block<'_>], from: usize, divergence: &Divergence) -> Vec<u8> {
    let whole = |block: &Block<'_>| &trace.bytes()[block.offset..block.offset + block.len()];
    let header = blocks.first().map_or(0, |block| block.offset + block.len());
    let mut out = trace.bytes()[..header].to_vec();
    for (i, block) in blocks.iter().enumerate().skip(from) {
        let behind = block.step > divergence.step;
        if behind && !divergence.in_state_only {
            break;
        }
        let is_last = blocks[i + 1..].iter().find(|next| next.kind == RECORDS).is_none_or(|n| n.step > divergence.step);
        if block.kind == RECORDS && is_last {
            out.extend_from_slice(&until(&trace.bytes()[..header], whole(block), block, divergence.step));
        } else {
            out.extend_from_slice(whole(block));
        }
        // The keyframe from which the state differs.
        if behind && block.kind == KEYFRAME {
            break;
        }
    }
    out
}

/// A block of records up to the input behind this step, whose check is that of the step, and whose outcome is not told.
fn until(header: &[u8], whole: &[u8], block: &Block<'_>, step: u64) -> Vec<u8> {
    let alone = [header, whole].concat();
    let Ok(trace) = Trace::open(&alone) else { return whole.to_vec() };
    let (mut cursor, mut builder) = (trace.cursor(), Builder::new(block.step, block.at, Vec::new()));
    while let Some(Ok(item)) = cursor.next() {
        match item {
            Item::Input { step: number, at, check, input, .. } => {
                builder.input(at, check, &input.as_input());
                if number > step {
                    let mut block = Vec::new();
                    block::copy(&builder.seal_open(check.into()), &mut block);
                    return block;
                }
            }
            Item::Sent { to, frame } => builder.sent(to, frame),
            Item::Event(event) => builder.event(&event),
            _ => {}
        }
    }
    whole.to_vec()
}
