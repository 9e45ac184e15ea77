//! A trace step by step, for reading.

use std::ops::ControlFlow;

use serde::Serialize;
use swim_trace::{Item, Outputs, Replay, ReplayError, Trace, TraceError};

use crate::decode::{InputShown, Names, OutputsShown};
use crate::filter::Filter;
use crate::moment::When;

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// All of these must hold.
    pub filters: Vec<Filter>,
    /// From there on.
    pub from: Option<When>,
    /// Up to there, included.
    pub until: Option<When>,
    /// What came out as well: by a replay.
    pub outputs: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepShown {
    /// Its number.
    pub step: u64,
    /// When.
    pub at_us: u64,
    /// What the node was given.
    #[serde(rename = "in")]
    pub input: InputShown,
    /// What came out, when that is wanted and known.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OutputsShown>,
    /// What comes out now is not what came out then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub diverged: bool,
}

impl StepShown {
    /// Where only a filter has asked for them.
    fn without_outputs(mut self, without: bool) -> Box<Self> {
        if without {
            self.outputs = None;
        }
        Box::new(self)
    }
}

/// One thing to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Shown {
    /// A step.
    Step(Box<StepShown>),
    /// Inputs are missing.
    Gap {
        /// The number of the first.
        step: u64,
        /// The time of the input before.
        at_us: u64,
        /// How many.
        missing: u64,
    },
}

/// What stopped it before the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The trace cannot be read any further.
    pub trace: Option<TraceError>,
    /// The replay could not go on; the steps behind are without outputs.
    pub replay: Option<ReplayError>,
    /// Steps that were shown.
    pub shown: u64,
}

/// Shows what is wanted to `each`, until that has enough.
pub fn cat<B>(
    trace: &Trace<'_>,
    options: &Options,
    mut each: impl FnMut(Shown) -> ControlFlow<B>,
) -> (Ended, Option<B>) {
    let needs = options.outputs || options.filters.iter().any(Filter::needs_outputs);
    let mut played = Played::new(trace, needs);
    let (mut names, me, mut shown) = (Names::of(trace.header()), trace.header().id, 0);
    let mut cursor = trace.cursor();
    let mut error = None;
    while let Some(item) = cursor.next() {
        let to_show = match item {
            Ok(Item::Input { step, at, input, .. }) => {
                if options.until.is_some_and(|until| until.is_before(step, at)) {
                    break;
                }
                names.see_input(me, &input);
                let (outputs, diverged) = played.at(step);
                let from = options.from.is_none_or(|from| from.is_reached(step, at));
                let input_shown = InputShown::of(&input, &names);
                let out = outputs.as_ref().map(|outputs| OutputsShown::of(outputs, &names));
                let all = StepShown { step, at_us: at.as_micros(), input: input_shown, outputs: out, diverged };
                let lets = from && options.filters.iter().all(|filter| filter.lets(&all, input.name()));
                lets.then(|| Shown::Step(all.without_outputs(!options.outputs)))
            }
            Ok(Item::Gap { step, at, missing }) => Some(Shown::Gap { step, at_us: at.as_micros(), missing })
                .filter(|_| options.from.is_none_or(|from| from.is_reached(step, at))),
            Ok(Item::Keyframe { snapshot, .. }) => {
                names.see_snapshot(snapshot);
                None
            }
            Ok(_) => None,
            Err(e) => {
                error = Some(e);
                None
            }
        };
        let Some(to_show) = to_show else { continue };
        shown += u64::from(matches!(to_show, Shown::Step(_)));
        if let ControlFlow::Break(value) = each(to_show) {
            return (Ended { trace: error, replay: played.error, shown }, Some(value));
        }
    }
    // What the trace cannot tell, the replay cannot tell either.
    let replay = played.error.filter(|e| !matches!(e, ReplayError::Trace(_)));
    (Ended { trace: error, replay, shown }, None)
}

/// The outputs of the steps, by a replay beside the reading.
struct Played<'a> {
    replay: Option<Replay<'a>>,
    /// Ahead of the reading, where steps cannot be played.
    ahead: Option<(u64, Outputs, bool)>,
    error: Option<ReplayError>,
}

impl<'a> Played<'a> {
    fn new(trace: &Trace<'a>, needed: bool) -> Self {
        let (replay, error) = match needed.then(|| Replay::new(trace)) {
            Some(Ok(replay)) => (Some(replay), None),
            Some(Err(e)) => (None, Some(e)),
            None => (None, None),
        };
        Self { replay, ahead: None, error }
    }

    fn at(&mut self, number: u64) -> (Option<Outputs>, bool) {
        if self.ahead.is_none() {
            match self.replay.as_mut().and_then(Replay::step) {
                Some(Ok(step)) => self.ahead = Some((step.number, step.outputs.clone(), step.diverged)),
                Some(Err(e)) => self.error = Some(e),
                None => {}
            }
        }
        match self.ahead.take_if(|(at, ..)| *at == number) {
            Some((_, outputs, diverged)) => (Some(outputs), diverged),
            None => (None, false),
        }
    }
}
