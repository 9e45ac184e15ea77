//! What one node saw is recorded, and played to another: a node is a function of it, and of nothing else.

use swim_core::Node;
use swim_driver::swim_trace::{Replay, Summary, Trace};
use swim_driver::{Recorder, Recording};

use crate::host::NodeIx;
use crate::swarm::violation::Checker;

/// The lives of one node of the world, one after the other.
pub(crate) struct Lives {
    node: NodeIx,
    restored_permille: usize,
    recorder: Option<Recorder>,
    /// Lives that were played back.
    pub(crate) replayed: u64,
    /// Those of them that were written to a snapshot and read back meanwhile: all that were given something.
    pub(crate) restored: u64,
    /// Those of which the beginning was forgotten, so that they were played from a keyframe.
    pub(crate) from_keyframe: u64,
}

impl Lives {
    /// Of this node, once there is one; a replay is written and read back after so many thousandths of its inputs.
    pub(crate) fn new(node: NodeIx, restored_permille: usize) -> Self {
        Self { node, restored_permille, recorder: None, replayed: 0, restored: 0, from_keyframe: 0 }
    }

    /// How its recorder works: in some runs it keeps only the end of a life.
    pub(crate) fn recording(restored_permille: usize) -> Recording {
        let mut recording = Recording::of(if restored_permille % 3 == 0 { SHORT } else { LONG });
        recording.unix_micros = Some(0);
        recording
    }

    pub(crate) fn begun(&mut self, ix: NodeIx, recorder: Option<&Recorder>) {
        if ix == self.node {
            self.recorder = recorder.cloned();
        }
    }

    /// The life is over: played back, it has to have been the same.
    pub(crate) fn ended(&mut self, ix: NodeIx, node: &Node) -> Result<(), (Checker, String)> {
        let Some(recorder) = self.recorder.take_if(|_| ix == self.node) else { return Ok(()) };
        self.replayed += 1;
        let bytes = recorder.trace();
        let broken = |what: String| (Checker::Replay, what);
        let trace = Trace::open(&bytes).map_err(|e| broken(e.to_string()))?;
        let steps = recorder.stats().steps;
        let plain = play(&trace, node, None).map_err(broken)?;
        self.from_keyframe += u64::from(plain.steps < steps);
        if plain.unchecked > 1 || plain.skipped > 0 || plain.gaps > 0 {
            return Err(broken(format!("a trace without gaps has some: {plain:?}")));
        }
        let restored_after = plain.steps * self.restored_permille as u64 / 1_000;
        self.restored += u64::from(restored_after < plain.steps);
        play(&trace, node, Some(restored_after)).map_err(|e| {
            (Checker::Restore, format!("read back after {restored_after} of {} inputs: {e}", plain.steps))
        })?;
        Ok(())
    }
}

/// Plays it, and compares all that comes out, and the state behind it.
fn play(trace: &Trace<'_>, was: &Node, restored_after: Option<u64>) -> Result<Summary, String> {
    let mut replay = Replay::new(trace).map_err(|e| e.to_string())?;
    while let Some(step) = replay.step() {
        if step.map_err(|e| e.to_string())?.diverged {
            break;
        }
        if restored_after == Some(replay.steps()) {
            replay.replace_node(|node| match Node::restore(&node.snapshot()) {
                Ok(restored) => restored,
                Err(e) => panic!("a snapshot of a running node is refused: {e}"),
            });
        }
    }
    let summary = replay.summary();
    if let Some(first) = &summary.first {
        return Err(format!("step {} gave something else the second time: {first:?}", first.step));
    }
    // Of a life in which nothing came there is nothing to play.
    match replay.node() {
        Some(node) if node.snapshot() != was.snapshot() => Err("the final state is another the second time".into()),
        _ => Ok(summary),
    }
}

/// Forgets, within most runs.
const SHORT: usize = 64 << 10;
/// Keeps whole lives.
const LONG: usize = 1 << 30;
