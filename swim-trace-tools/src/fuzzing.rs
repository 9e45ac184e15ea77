//! What the fuzzer calls, as plain functions: the target in `fuzz/` is a line around each, and tests play the committed inputs
//! and seeded mutations of them through the same ones.
//!
//! Whatever the bytes are, nothing may panic, neither what reads them nor the node that they are played to.

use swim_core::{Config, Instant, Node};
use swim_trace::{Block, Index, Item, Replay, ReplayError, Tape, Trace, TraceError, block};

use crate::redact::{self, RedactError};

/// Steps that are played of one trace.
pub const STEPS_MAX: usize = 2_000;

/// Opens any bytes as a trace, walks through all that is in it and plays the beginning of it; then the same with lengths and
/// checksums put right, without which no mutation would get beyond them.
///
/// # Panics
/// When there is a bug.
pub fn trace(bytes: &[u8]) {
    look(bytes);
    look(&mended(bytes));
}

fn look(bytes: &[u8]) {
    let trace = match Trace::open(bytes) {
        Ok(trace) => trace,
        Err(e) => return check_error(&e, bytes),
    };
    walk(&trace);
    if plays(&trace.header().config) {
        replay(&trace);
        play(&trace);
    }
}

/// Walks over all blocks, all items, and the index, decoding everything.
///
/// # Panics
/// When there is a bug.
pub fn walk(trace: &Trace<'_>) {
    let (bytes, mut end) = (trace.bytes(), START);
    for block in trace.blocks() {
        match block {
            Ok(block) => {
                assert_eq!(block.offset, end, "blocks lie one behind the other");
                end += block.len();
                content(&block, bytes);
            }
            Err(e) => check_error(&e, bytes),
        }
    }
    assert!(end <= bytes.len(), "what was read is in the file");
    let mut cursor = trace.cursor();
    while let Some(item) = cursor.next() {
        match item {
            Ok(item) => check_item(&item),
            Err(e) => check_error(&e, bytes),
        }
    }
    assert!(cursor.next().is_none(), "the end is the end");
    let index = Index::of(trace);
    if let Some((n, place)) = index.places().last().and_then(|last| index.keyframe_before(last.at)) {
        assert_eq!(index.places().get(n), Some(&place), "a keyframe is one of the places");
    }
}

fn content(block: &Block<'_>, bytes: &[u8]) {
    match block.content() {
        Ok(content) => assert!(block.is_compressed() || content.len() + block::OVERHEAD == block.len()),
        Err(e) => check_error(&e, bytes),
    }
}

fn check_item(item: &Item<'_>) {
    if let Item::Input { input, .. } = item {
        assert!(!input.name().is_empty());
        assert_eq!(&input.clone().into_owned(), input);
    }
}

/// An error names a place in the file.
fn check_error(error: &TraceError, bytes: &[u8]) {
    assert!(error.offset <= bytes.len(), "{error}");
    assert!(error.to_string().starts_with(&format!("block {} at offset {}: ", error.block, error.offset)));
}

/// A replay takes the memory that the configuration names; a fuzzer has thousands of them per second.
fn plays(config: &Config) -> bool {
    const FEW: usize = 4_096;
    config.members_reserved <= FEW && config.events_max <= FEW && config.suspicions_max <= FEW
}

/// Replays it from its beginning and from its last keyframe. A node that cannot bear an input would be told as an error here,
/// and is a bug.
fn replay(trace: &Trace<'_>) {
    let at = Index::of(trace).places().last().map(|place| place.at).unwrap_or_default();
    for replay in [Replay::new(trace), Replay::near(trace, at)] {
        let Ok(mut replay) = replay else { continue };
        for _ in 0..STEPS_MAX {
            match replay.step() {
                Some(Ok(step)) => {
                    assert!(step.node.poll_timeout().is_none_or(|due| due > step.at || step.at == Instant::NEVER));
                }
                Some(Err(e @ ReplayError::Panicked { .. })) => panic!("{e}"),
                Some(Err(_)) => {}
                None => break,
            }
        }
        let summary = replay.summary();
        assert!(summary.divergences <= summary.steps + summary.keyframes && summary.unchecked <= summary.steps);
    }
}

/// Plays all inputs to a node, whatever their checks say: a replay ends where a mutation has changed something.
fn play(trace: &Trace<'_>) {
    let Some(Ok(mut node)) = trace.header().node() else { return };
    let mut buffer = vec![0; trace.header().frame_max as usize];
    let (mut cursor, mut steps) = (trace.cursor(), 0);
    while let Some(Ok(item)) = cursor.next() {
        if let Item::Input { at, input, .. } = item {
            node.handle(at, input.as_input());
            drain(&mut node, &mut buffer);
            steps += 1;
        }
        if steps == STEPS_MAX {
            break;
        }
    }
    assert_eq!(node.check(), Ok(()));
    let snapshot = node.snapshot();
    let again = Node::restore(&snapshot).expect("a node's own snapshot can be restored");
    assert!(again.snapshot() == snapshot, "and is the same then");
}

/// Records what a node does with the inputs of a trace, and redacts that: the redacted node has to do the same, whatever they are.
///
/// # Panics
/// When there is a bug.
pub fn redact(bytes: &[u8]) {
    let bytes = mended(bytes);
    let Some(trace) = Trace::open(&bytes).ok().filter(|trace| plays(&trace.header().config)) else { return };
    let Some(Ok(mut node)) = trace.header().node() else { return };
    let mut tape = Tape::new(trace.header(), &node);
    let mut buffer = vec![0; trace.header().frame_max as usize];
    let (mut cursor, mut steps) = (trace.cursor(), 0);
    while let Some(Ok(item)) = cursor.next() {
        match item {
            Item::Input { at, input, .. } if steps < STEPS_MAX => {
                tape.input(&node, at, &input.as_input());
                node.handle(at, input.as_input());
                while let Some(sent) = node.poll_transmit(&mut buffer) {
                    tape.sent(sent.to, &buffer[..sent.len]);
                }
                while let Some(event) = node.poll_event() {
                    tape.event(&event);
                }
                steps += 1;
            }
            Item::Keyframe { .. } => tape.keyframe(&node),
            _ => {}
        }
    }
    let recorded = tape.finish(&node);
    let trace = Trace::open(&recorded).expect("it was written just now");
    match redact::payload(&trace, true) {
        Ok(redacted) => assert_eq!((redacted.steps, redacted.bytes.len()), (steps as u64, recorded.len())),
        Err(RedactError::TooMany { .. }) => {}
        Err(e) => panic!("{e}"),
    }
}

fn drain(node: &mut Node, buffer: &mut [u8]) {
    while let Some(sent) = node.poll_transmit(buffer) {
        assert!(sent.len <= buffer.len());
    }
    while node.poll_event().is_some() {}
}

// --- mending

/// Bytes before the first block; those of a block before its payload; those behind it.
const START: usize = 16;
const HEAD: usize = 24;
const TAIL: usize = 8;

/// The bytes as a trace of as many blocks as they can be: magic and version, and for each block its lengths and its checksum.
/// A length that points past the end becomes that of what is left.
pub fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let Some((start, mut rest)) = out.split_first_chunk_mut::<START>() else { return out };
    start[..10].copy_from_slice(b"\x89SWT\r\n\x1a\n\x01\x00");
    while rest.len() >= block::OVERHEAD {
        let room = rest.len() - block::OVERHEAD;
        let told = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
        // What is left behind it has to hold a block, or nothing.
        let len = if told == room || told.saturating_add(block::OVERHEAD) <= room { told } else { room };
        let (whole, behind) = rest.split_at_mut(HEAD + len + TAIL);
        let (checked, tail) = whole.split_at_mut(HEAD + len);
        let len = (len as u32).to_le_bytes();
        checked[..4].copy_from_slice(&len);
        tail[..4].copy_from_slice(&crc32fast::hash(checked).to_le_bytes());
        tail[4..].copy_from_slice(&len);
        rest = behind;
    }
    out
}
