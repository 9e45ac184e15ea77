//! What reading a trace takes in memory: less than the file, whatever stands in it. Counted by the allocator itself.

#[path = "../../swim-trace/tests/util/mod.rs"]
mod util;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use swim_core::{Command, Input, Instant};
use swim_trace::{Index, Place, Replay, ReplayError, Trace, block};
use swim_trace_tools::fuzzing;
use util::{Net, three};

struct Counting;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn grow(bytes: usize) {
    NOW.set(NOW.get().saturating_add(bytes));
    PEAK.set(PEAK.get().max(NOW.get()));
}

fn shrink(bytes: usize) {
    NOW.set(NOW.get().saturating_sub(bytes));
}

// SAFETY: every call is passed on to the system allocator unchanged; the counters are plain thread-local cells without
// destructors, so they can be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        shrink(layout.size());
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there for a moment.
        grow(size);
        shrink(layout.size());
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes that were allocated at a time while this was opened and walked.
fn peak(bytes: &[u8]) -> usize {
    NOW.set(0);
    PEAK.set(0);
    if let Ok(trace) = Trace::open(bytes) {
        fuzzing::walk(&trace);
    }
    PEAK.get()
}

/// The header's strings, and the text of an error.
const CONSTANT: usize = 4 << 10;

#[test]
fn a_whole_trace_takes_less_than_itself() {
    let (bytes, _) = three(true, true);
    assert!(peak(&bytes) < CONSTANT + bytes.len() / 4, "{} of {}", peak(&bytes), bytes.len());
    for cut in (0..bytes.len()).step_by(97) {
        assert!(peak(&bytes[..cut]) < CONSTANT + cut);
    }
}

/// A block is decompressed by itself, and takes what its bytes can stand for.
#[test]
fn a_compressed_block_takes_one_block() {
    let (bytes, _) = three(true, true);
    let trace = Trace::open(&bytes).unwrap();
    let (mut out, mut longest) = (bytes[..16].to_vec(), 0);
    for b in trace.blocks().map(Result::unwrap) {
        longest = longest.max(b.len());
        out.extend_from_slice(&block::compressed(&bytes[b.offset..b.offset + b.len()]));
    }
    let peak = peak(&out);
    assert!((longest..longest * 2 + out.len() + CONSTANT).contains(&peak), "{peak}: {longest} + {}", out.len());
}

/// Numbers that stand in the file, and are not true.
#[test]
fn lies_take_nothing() {
    let (whole, _) = three(false, true);
    // Every run of four bytes as large a number as can be.
    for at in (16..whole.len() - 4).step_by(61) {
        let mut bytes = whole.clone();
        bytes[at..at + 4].fill(0xff);
        for bytes in [&fuzzing::mended(&bytes), &bytes] {
            assert!(peak(bytes) < CONSTANT + bytes.len(), "{at}: {} of {}", peak(bytes), bytes.len());
        }
    }
}

/// An index of more places than there are blocks is none.
#[test]
fn an_index_takes_no_more_than_the_file() {
    let (mut bytes, _) = three(false, true);
    let mut index = Index::default();
    (0..50_000).for_each(|_| index.push(Place { offset: 16, kind: 3, step: 0, at: Instant::ORIGIN }));
    index.write(&mut bytes);
    let trace = Trace::open(&bytes).unwrap();
    assert!(peak(&bytes) < CONSTANT + bytes.len(), "{} of {}", peak(&bytes), bytes.len());
    assert_eq!(Index::of(&trace), Index::make(&trace));
}

/// The same where the index is made of the blocks, the shortest that there are.
#[test]
fn many_blocks_take_no_more_than_the_file() {
    let (whole, _) = three(false, false);
    let mut bytes = whole[..Trace::open(&whole).unwrap().blocks().next().unwrap().unwrap().len() + 16].to_vec();
    (0..5_000).for_each(|_| {
        bytes.extend_from_slice(&[0, 0, 0, 0, 77]);
        bytes.extend_from_slice(&[0; 27]);
    });
    let bytes = fuzzing::mended(&bytes);
    let trace = Trace::open(&bytes).unwrap();
    assert_eq!(Index::of(&trace).places().len(), 5_001);
    assert!(peak(&bytes) < CONSTANT + bytes.len(), "{} of {}", peak(&bytes), bytes.len());
}

/// What a keyframe says of its sizes is believed when it is what its configuration says: with each of its numbers as great as
/// one of 32 or of 64 bits can be, such as 2^32 - 1 relayed probes, it is refused, or takes no more than a node does.
#[test]
fn a_keyframe_takes_what_its_configuration_says() {
    const GREAT: [&[u8]; 2] =
        [&[0xff, 0xff, 0xff, 0xff, 0x0f], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]];
    let (whole, node) = three(false, true);
    let header = &whole[..16 + Trace::open(&whole).unwrap().blocks().next().unwrap().unwrap().len()];
    let (snapshot, mut refused) = (node.snapshot(), 0);
    for (at, great) in (4..snapshot.len()).flat_map(|at| GREAT.map(|great| (at, great))) {
        // One byte, or the last one of a number that has several.
        let spliced = [&snapshot[..at], great, &snapshot[at + 1..]].concat();
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(&(8 + spliced.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[3, 0, 0, 0]);
        bytes.extend_from_slice(&[0; 24]);
        bytes.extend_from_slice(&spliced);
        bytes.extend_from_slice(&[0; 8]);
        let bytes = fuzzing::mended(&bytes);
        NOW.set(0);
        PEAK.set(0);
        let trace = Trace::open(&bytes).unwrap();
        let mut replay = Replay::near(&trace, Instant::NEVER).unwrap();
        refused += usize::from(matches!(replay.step(), Some(Err(ReplayError::Restore { .. }))));
        assert!(PEAK.get() < 1 << 20, "{at}: {}", PEAK.get());
    }
    assert!(refused > snapshot.len(), "{refused} of {}", snapshot.len());
}

/// The one thing that is larger in memory than in the file: addresses, which are read for one input at a time.
#[test]
fn addresses_take_a_few_times_their_bytes() {
    let mut net = Net::new(&["a"], false);
    let seeds = vec!["10.0.0.1:1".parse().unwrap(); 20_000];
    net.give(0, Input::Command(Command::Join(&seeds)));
    let (bytes, _) = net.end(0);
    let peak = peak(&bytes);
    assert!(peak > bytes.len() && peak < CONSTANT + 20 * bytes.len(), "{peak} of {}", bytes.len());
}
