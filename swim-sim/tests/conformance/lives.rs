//! Whatever happens in a scenario, what a node saw in it is all that it depends on: the lives of one node of each run are
//! replayed when the world is gone. Another seed is another node; all of them would take as long again as the scenarios.

use std::cell::{Cell, RefCell};
use std::thread;

use swim_driver::{Recorder, Recording};

thread_local! {
    /// Whether the worlds of this thread keep what their nodes saw, with all that came out.
    static KEEPING: Cell<bool> = const { Cell::new(false) };
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The trace of one life, from its first input on, with all that came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Which node, from 0 in the order in which they were spawned.
    pub(crate) node: usize,
    /// Which life of it, from 1.
    pub(crate) life: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What `play` has nodes see on this thread, in the worlds that are gone behind it.
pub(crate) fn kept(play: impl FnOnce()) -> Vec<Kept> {
    KEEPING.set(true);
    play();
    KEEPING.set(false);
    KEPT.take()
}

/// The lives of all nodes of a world.
pub(crate) struct Lives {
    seed: u64,
    lives: Vec<Life>,
}

struct Life {
    node: usize,
    number: u64,
    name: String,
    recorder: Recorder,
}

impl Lives {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, lives: Vec::new() }
    }

    /// How the next life of a node is recorded.
    pub(crate) fn recording(&self, node: usize) -> Option<Recording> {
        let mut recording = if KEEPING.get() {
            let mut whole = Recording::of(LONG);
            whole.outputs = true;
            whole
        } else {
            conformance::recording(self.seed, node, self.next(node), USUAL)
        };
        // No clock but the world's.
        recording.unix_micros = Some(0);
        Some(recording)
    }

    pub(crate) fn begun(&mut self, node: usize, name: &str, recorder: Option<&Recorder>) {
        let recorder = recorder.expect("every life is recorded").clone();
        self.lives.push(Life { node, number: self.next(node), name: name.into(), recorder });
    }

    /// The node whose lives are replayed.
    fn chosen(&self) -> usize {
        let nodes = self.lives.iter().map(|life| life.node + 1).max().unwrap_or(1);
        (self.seed % nodes as u64) as usize
    }

    fn next(&self, node: usize) -> u64 {
        1 + self.lives.iter().filter(|life| life.node == node).count() as u64
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        let chosen = self.chosen();
        let lives = self.lives.iter().filter(|life| life.node == chosen);
        let replayed = lives.filter_map(|life| conformance::replay(&life.name, &life.recorder).err());
        let failures: Vec<String> = replayed.collect();
        if KEEPING.get() {
            let kept = |life: &Life| Kept { node: life.node, life: life.number, bytes: life.recorder.trace() };
            KEPT.with_borrow_mut(|all| all.extend(self.lives.iter().map(kept)));
        }
        if thread::panicking() {
            failures.iter().for_each(|what| eprintln!("{what}"));
        } else {
            assert!(failures.is_empty(), "{failures:?}");
        }
    }
}

/// Keeps the lives of most scenarios. Its blocks are small, and there are many short lives.
const USUAL: usize = 1 << 20;
/// Keeps whole lives.
const LONG: usize = 1 << 30;
