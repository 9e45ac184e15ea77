//! The traces of several nodes as one story.
//!
//! Every trace is replayed, which tells what its node received, sent, told and believed. A datagram that one node has sent and
//! another has received has the same bytes in both; those whose bytes occur once on each side say how far the two nodes' clocks
//! are apart (`clocks`), and with that the others are matched, too (`pairs`).

mod clocks;
mod order;
mod pairs;
mod story;

use std::fmt;

use swim_core::Instant;
use swim_trace::{ReplayError, Trace};

use self::clocks::Clocks;
use self::pairs::{Pairs, Receipt, Sending};
pub use self::story::{Belief, ClockFrom, Datagram, Fate, Moment, Named, Origin, Row, Story, Totals};
use crate::decode::Names;
use crate::frames::Frames;
use crate::life::{Given, Life, play};

/// Why traces cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MergeError {
    /// There is none.
    Nothing,
    /// There are more than [`TRACES_MAX`].
    TooMany {
        /// So many.
        found: usize,
    },
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there is no trace to merge"),
            Self::TooMany { found } => write!(f, "{found} traces, and at most {TRACES_MAX} are merged at once"),
        }
    }
}

impl std::error::Error for MergeError {}

/// Most traces that are merged: clocks are compared each with each, by way of each.
pub const TRACES_MAX: usize = 256;

/// Merges traces; several of one life, such as the dumps of one ring, count as one. The first trace's clock is the reference.
///
/// What is wrong with a trace does not end this: it stands in its [`Row`] and in [`Story::damage`], and what is intact is used.
///
/// # Errors
/// [`MergeError`] when there are no traces, or too many.
pub fn merge(traces: &[Trace<'_>]) -> Result<Story, MergeError> {
    if traces.is_empty() {
        return Err(MergeError::Nothing);
    }
    if traces.len() > TRACES_MAX {
        return Err(MergeError::TooMany { found: traces.len() });
    }
    let (mut frames, mut names, mut lives) = (Frames::default(), Names::default(), Vec::<Life>::new());
    let mut damage = Vec::new();
    for (place, trace) in traces.iter().enumerate() {
        let life = play(trace, &mut frames, &mut names);
        if let Some(ReplayError::Trace(e)) = &life.error {
            damage.push((place, e.clone()));
        }
        match lives.iter_mut().find(|other| other.is_same(&life)) {
            Some(other) => other.join(life),
            None => lives.push(life),
        }
    }
    for life in &lives {
        if names.get(life.id).is_none() {
            names.see(life.id, &life.name);
        }
    }
    let (sends, receipts) = datagrams(&lives);
    let decoded = frames.decoded(&names);
    let clocks = Clocks::estimate(&lives, &sends, &receipts, frames.len());
    let mut pairs = Pairs::find(&lives, &sends, &receipts, &clocks, &decoded);
    let order = order::causal(&lives, &sends, &receipts, &clocks, &mut pairs);
    Ok(story::tell(story::Parts { lives, names, sends, receipts, frames: decoded, clocks, pairs, order, damage }))
}

/// Everything that was sent and received, in the order of lives and steps.
fn datagrams(lives: &[Life]) -> (Vec<Sending>, Vec<Receipt>) {
    let (mut sends, mut receipts) = (Vec::new(), Vec::new());
    for (life, of) in lives.iter().enumerate() {
        for (step, it) in of.steps.iter().enumerate() {
            let at = micros(it.at);
            if let Given::Datagram { from, frame } = it.input {
                receipts.push(Receipt { life, step, at, from, frame });
            }
            sends.extend(it.sent.iter().map(|&(to, frame)| Sending { life, step, at, to, frame }));
        }
    }
    (sends, receipts)
}

/// What is beyond half a million years counts as that.
fn micros(at: Instant) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}
