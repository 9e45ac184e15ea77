//! Steps, times and values as they are printed.

use std::time::Duration;

use bind_mio::swim_core::Instant;
use serde::Serialize;
use swim_trace_tools::cat::StepShown;
pub(super) use swim_trace_tools::words::{input, outputs};

use crate::output::{Failure, Out};

/// Of a value whose keys are strings.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and truth values under string keys are always JSON")
}

/// One object on one line.
pub(super) fn put_json(out: &mut Out, value: &impl Serialize) -> Result<(), Failure> {
    out.line(format_args!("{}", json(value)))
}

/// A time of the driver's clock, in seconds.
pub(super) fn clock(at_us: u64) -> String {
    format!("{:?}", Instant::from_micros(at_us))
}

pub(super) fn span(span: Duration) -> String {
    format!("{:.3} s", span.as_secs_f64())
}

/// The line of a step.
pub(super) fn step(step: &StepShown) -> String {
    let what = input(&step.input);
    let mark = if step.diverged { "  (what comes out differs)" } else { "" };
    format!("{:>7}  {:>13}  {what}{mark}", step.step, clock(step.at_us))
}
