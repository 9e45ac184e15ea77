//! The promise *quiet* with a flight recorder: for each input it copies, and takes memory only when a block is full. And with a
//! keyring: a datagram of a session that is known takes none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;

use swim_driver::swim_core::{Config, Instant};
use swim_driver::{Handle, Pump, RecorderStats, Recording, Setup};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system allocator unchanged; the counter is a plain thread-local cell without
// destructor, so it can be used at any time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.realloc(p, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs a call, and adds the allocations that it makes.
fn counted<T>(sum: &mut u64, call: impl FnOnce() -> T) -> T {
    let before = COUNT.get();
    let result = call();
    *sum += COUNT.get() - before;
    result
}

fn addr(i: usize) -> SocketAddr {
    ([10, 0, 0, i as u8 + 1], 7_946).into()
}

/// Two nodes; allocations are counted for each.
struct Pair {
    nodes: [(Handle, Pump); 2],
    allocations: [u64; 2],
    now: Instant,
}

impl Pair {
    /// The second one is recorded, and joins through the first.
    fn new(record: Option<Recording>, change: fn(&mut Setup)) -> Self {
        let start = |i: usize, record| {
            let mut setup = Setup::new(format!("node-{i}"), Config::local("c"));
            change(&mut setup);
            (setup.epoch, setup.rng_seed, setup.record) = (Some(1), Some(i as u64), record);
            setup.start(addr(i), Instant::ORIGIN).expect("a set-up that works")
        };
        let nodes = [start(0, None), start(1, record)];
        nodes[1].0.join(&[addr(0)]).expect("a seed");
        let mut pair = Self { nodes, allocations: [0; 2], now: Instant::ORIGIN };
        pair.nodes[1].1.command(pair.now);
        pair.drain(1);
        pair
    }

    /// Hands over in no time what one of them has to send, and what follows from it: each is drained before it is given more.
    fn drain(&mut self, i: usize) {
        let (mut out, mut wires) = ([0; 1_400], VecDeque::from([(i, None)]));
        while let Some((i, datagram)) = wires.pop_front() {
            let (sum, pump, now) = (&mut self.allocations[i], &mut self.nodes[i].1, self.now);
            if let Some(mut datagram) = datagram {
                let datagram: &mut Vec<u8> = &mut datagram;
                counted(sum, || pump.datagram(now, addr(1 - i), datagram));
            }
            while let Some(tx) = counted(sum, || pump.poll_transmit(&mut out)) {
                assert_eq!(tx.to, addr(1 - i));
                wires.push_back((1 - i, Some(out[..tx.len].to_vec())));
            }
        }
    }

    fn run(&mut self, millis: u64) {
        let end = self.now.plus_micros(millis * 1_000);
        while self.now < end {
            let due = |i: usize| self.nodes[i].1.poll_timeout().expect("a node that lives has a deadline");
            let i = if due(0) < due(1) { 0 } else { 1 };
            self.now = self.now.max(due(i));
            let now = self.now;
            counted(&mut self.allocations[i], || self.nodes[i].1.timeout(now));
            self.drain(i);
        }
    }
}

/// Allocations of a node in ten minutes of steady state, and what its recorder says.
fn steady(record: Option<Recording>, change: fn(&mut Setup)) -> (u64, Option<RecorderStats>) {
    let mut pair = Pair::new(record, change);
    pair.run(60_000);
    pair.allocations = [0; 2];
    pair.run(600_000);
    assert_eq!(pair.allocations[0], 0, "nobody records the other one");
    assert_eq!(pair.nodes[1].1.node().live_count(), 2);
    (pair.allocations[1], pair.nodes[1].0.recorder().map(|recorder| recorder.stats()))
}

#[test]
fn a_recorder_takes_memory_for_blocks_and_not_for_inputs() {
    assert_eq!(steady(None, |_| ()), (0, None), "the pump itself takes none");
    let (allocations, stats) = steady(Some(Recording::of(64 << 10)), |_| ());
    let stats = stats.expect("it is recorded");
    let blocks = stats.bytes / (4 << 10) + 2 * stats.keyframes;
    println!("{} inputs, {blocks} blocks, {allocations} allocations", stats.steps);
    assert!(stats.steps > 5_000 && stats.keyframes > 5, "{stats:?}");
    assert!(0 < allocations && allocations <= 6 * blocks, "{allocations} allocations for {blocks} blocks: {stats:?}");
}

#[cfg(feature = "aead")]
#[test]
fn sealing_takes_no_memory_for_those_who_are_known() {
    let sealed =
        |setup: &mut Setup| setup.keyring = Some(swim_driver::Keyring::new(swim_driver::Key::from_bytes([1; 32])));
    assert_eq!(steady(None, sealed), (0, None));
}

/// Nothing secret is in what a recorder keeps.
#[cfg(feature = "aead")]
#[test]
fn a_recorder_sees_frames_and_no_secrets() {
    let key = [0xa7, 0x31, 0x5c, 0x08].repeat(8);
    let mut pair = Pair::new(Some(Recording::of(1 << 20)), |setup| {
        let key = swim_driver::Key::from_bytes([0xa7, 0x31, 0x5c, 0x08].repeat(8).try_into().expect("32 bytes"));
        setup.keyring = Some(swim_driver::Keyring::new(key));
    });
    let (mut sessions, mut out) = (Vec::new(), [0; 1_400]);
    pair.run(10_000);
    while sessions.is_empty() {
        let (now, pump) = (pair.nodes[1].1.poll_timeout().expect("it lives"), &mut pair.nodes[1].1);
        pump.timeout(now);
        while let Some(tx) = pump.poll_transmit(&mut out) {
            assert!(tx.len > 42);
            sessions.push(out[4..20].to_vec());
        }
    }
    let trace = pair.nodes[1].0.recorder().expect("it is recorded").trace();
    let has = |secret: &[u8]| trace.windows(secret.len()).any(|bytes| bytes == secret);
    assert!(trace.len() > 1_000 && !has(&key[..8]) && sessions.iter().all(|session| !has(session)));
}
