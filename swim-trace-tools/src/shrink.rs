//! The smallest trace that still shows something.
//!
//! A run is what a node was given, so it can be given less: inputs are left out, as long as what is looked for still happens when
//! the rest is played from the same beginning. Delta debugging (Zeller, Hildebrandt: *Simplifying and Isolating Failure-Inducing
//! Input*, 2002) does that with few tries: ddmin over the inputs, then what is in the inputs, then the times between them, and all
//! again until nothing more goes. What is left is 1-minimal: no single input can be left out.
//!
//! What counts is what the node of this build does, whatever was recorded. The result is recorded anew, outputs and all, so it
//! replays without divergence.
//!
//! [`Predicate::Divergence`] is another matter: recorded outcomes say nothing of a run that is given less. There the beginning is
//! left out, up to the last keyframe from which the replay leaves the run in the same step with the same outcome, and all that is
//! behind; what was recorded between stays as it was.

mod case;
mod divergence;
mod frame;
mod predicate;
mod search;

use std::fmt;

use serde::Serialize;
use swim_trace::{Replay, ReplayError, Trace};

pub use self::predicate::Predicate;
use self::search::Search;

/// Tries, when nobody says another number.
pub const TRIES: usize = 4_000;

/// A trace that was made smaller.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Shrunk {
    /// The trace.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Inputs that the original had.
    pub inputs_before: usize,
    /// Inputs that are left.
    pub inputs: usize,
    /// Runs that were tried.
    pub tries: usize,
    /// No single input can be left out. Otherwise the tries were used up, or a divergence was looked for.
    pub minimal: bool,
    /// The keyframe that it begins with, by the number of the input behind it; otherwise it begins where the node was constructed.
    pub keyframe: Option<u64>,
}

/// Why a trace cannot be shrunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShrinkError {
    /// It cannot be replayed.
    Replay(ReplayError),
    /// It does not show this.
    NotShown(Predicate),
    /// It shows each of them, and never all in one run that has no gap.
    NotTogether,
    /// Nothing is looked for.
    NoPredicate,
}

impl fmt::Display for ShrinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replay(e) => write!(f, "{e}"),
            Self::NotShown(predicate) => write!(f, "the trace does not show {predicate}"),
            Self::NotTogether => {
                f.write_str("the trace shows each of these, but not all of them without a gap between")
            }
            Self::NoPredicate => f.write_str("nothing to look for: any part of the trace would do"),
        }
    }
}

impl std::error::Error for ShrinkError {}

impl From<ReplayError> for ShrinkError {
    fn from(e: ReplayError) -> Self {
        Self::Replay(e)
    }
}

/// Makes a trace smaller as long as all of these hold, in at most so many tries.
///
/// It begins with the last keyframe from which they do; with `constructed` only where the node was constructed, so that it
/// outlives changes of the snapshots' layout.
///
/// # Errors
/// [`ShrinkError`] when they do not hold in the first place.
pub fn shrink(
    trace: &Trace<'_>,
    predicates: &[Predicate],
    tries: usize,
    constructed: bool,
) -> Result<Shrunk, ShrinkError> {
    // Refuses what takes too much memory, too.
    Replay::new(trace)?;
    if predicates.is_empty() {
        return Err(ShrinkError::NoPredicate);
    }
    if predicates.contains(&Predicate::Divergence) {
        return divergence::cut(trace, predicates, tries);
    }
    let cases = case::cases(trace);
    let inputs_before = cases.inputs.len();
    let first = cases.first_that_holds(predicates, constructed)?;
    let keyframe = first.keyframe;
    let mut search = Search::new(first, predicates, tries);
    let minimal = search.run();
    let Search { best, used, .. } = search;
    Ok(Shrunk { bytes: best.recorded(), inputs_before, inputs: best.inputs.len(), tries: used, minimal, keyframe })
}
