//! What a node saw in its life is played to another one, on every network: it has to come out the same, whatever the scenario
//! has done to it.

use std::cell::Cell;
use std::fmt;
use std::iter::Sum;
use std::sync::atomic::{AtomicU32, Ordering};

use swim_driver::swim_trace::{Replay, Summary, Trace};
use swim_driver::{Recorder, Recording};

thread_local! {
    /// What was replayed on this thread since that was asked last.
    static REPLAYED: Cell<Replayed> = const { Cell::new(Replayed { lives: 0, steps: 0, from_keyframe: 0 }) };
}

/// What was replayed, all of it without divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Lives that ended.
    pub(crate) lives: u64,
    /// Their inputs, as far as they were still in their rings.
    pub(crate) steps: u64,
    /// Lives of which the ring had forgotten the beginning.
    pub(crate) from_keyframe: u64,
}

/// How the life of this number of this node is recorded, on a network of this seed: whole, but for every third, of which only
/// the end is kept. `whole` is the ring of the others.
pub fn recording(seed: u64, node: usize, life: u64, whole: usize) -> Recording {
    let place = seed.wrapping_add(node as u64).wrapping_add(life);
    Recording::of(if place % 3 == 0 { SHORT } else { whole })
}

/// Replays the life of which this is the recorder; its driver is gone, so nothing is added to it. Counts what was replayed for
/// the scenario that is played on this thread.
///
/// # Errors
/// What differs from the life, or is not in its trace. A divergence is a bug, whatever the machine did meanwhile. The trace is
/// in a file then, which is named.
pub fn replay(name: &str, recorder: &Recorder) -> Result<(), String> {
    let steps = recorder.stats().steps;
    match play(&recorder.trace(), steps) {
        Ok(played) => {
            let Replayed { lives, steps: sum, from_keyframe } = REPLAYED.get();
            REPLAYED.set(Replayed {
                lives: lives + 1,
                steps: sum + played,
                from_keyframe: from_keyframe + u64::from(played < steps),
            });
            Ok(())
        }
        Err(what) => {
            static KEPT: AtomicU32 = AtomicU32::new(0);
            let (process, kept) = (std::process::id(), KEPT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(format!("swim-{process}-{kept}-{name}.swt"));
            let kept = match recorder.dump(&path) {
                Ok(()) => format!("see `swim trace replay {}`", path.display()),
                Err(e) => format!("its trace cannot be kept: {e}"),
            };
            Err(format!("a life of {name} is another when it is replayed: {what}; {kept}"))
        }
    }
}

/// What was replayed on this thread since this was asked last.
pub(crate) fn take() -> Replayed {
    REPLAYED.take()
}

/// Plays the trace of a life of so many steps to its end; says how many of them were in it.
fn play(bytes: &[u8], steps: u64) -> Result<u64, String> {
    let trace = Trace::open(bytes).map_err(|e| e.to_string())?;
    let mut replay = Replay::new(&trace).map_err(|e| e.to_string())?;
    let mut next = 0;
    while let Some(step) = replay.step() {
        next = step.map_err(|e| e.to_string())?.number + 1;
    }
    let summary = replay.summary();
    match &summary.first {
        Some(first) => Err(format!("{} divergences, the first in step {}: {first:?}", summary.divergences, first.step)),
        // What came of the very last step is not known where it was the driver's end.
        None if summary.gaps > 0 || summary.skipped > 0 || summary.unchecked > 1 => Err(lacks(&summary)),
        None if next != steps => Err(format!("it has seen {steps} inputs, and the trace ends behind {next}")),
        None => Ok(summary.steps),
    }
}

fn lacks(summary: &Summary) -> String {
    let Summary { gaps, skipped, unchecked, .. } = summary;
    format!("{gaps} gaps, {skipped} steps without a state before them, {unchecked} without what they came to")
}

impl Sum for Replayed {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            lives: a.lives + b.lives,
            steps: a.steps + b.steps,
            from_keyframe: a.from_keyframe + b.from_keyframe,
        })
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lives, steps, from_keyframe } = self;
        write!(f, "{lives} lives, {steps} steps, {from_keyframe} of the lives from a keyframe, 0 divergences")
    }
}

/// The smallest ring that there is.
const SHORT: usize = 64 << 10;

#[cfg(test)]
mod tests;
