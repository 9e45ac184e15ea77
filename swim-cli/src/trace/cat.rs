//! `swim trace cat`.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use swim_trace_tools::Filter;
use swim_trace_tools::cat::{Options, Shown, cat};
use swim_trace_tools::moment::When;

use super::load::load;
use super::{Format, words};
use crate::output::{Failure, Out, notice};

#[derive(Debug, Args)]
pub(crate) struct CatArgs {
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Only steps for which this holds, see below; may be repeated, and all must hold then.
    #[arg(long, value_name = "EXPR")]
    filter: Vec<Filter>,
    /// From this moment on: a time of the node's clock like 12.5s, or a step like @120.
    #[arg(long, value_name = "T")]
    from: Option<When>,
    /// Up to this moment.
    #[arg(long, value_name = "T")]
    until: Option<When>,
    /// What came out of each step, too; from a replay, whether it was recorded or not.
    #[arg(long)]
    outputs: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) const HELP: &str = "\
Filters:
  kind=KIND      the input: datagram, timeout, join, seeds, leave, set_profile, broadcast,
                 put, delete, send_failed, send_blocked, send_resumed
  message=NAME   the datagram that came, and with --outputs one that was sent: ping, ack, ping_req,
                 relayed_ack, nack, not_me, pull, page, compare, differ, push, digest, delta, prove,
                 gossip (a frame without message), malformed
  from=ADDR      the datagram's source
  node=NAME      the step speaks of this node; or four and more digits of an id
  event=NAME     what the node told: member_up, member_suspect, member_down, refuted, ...

A line has the step's number, the time on the recorded node's clock, and the input; below it, with
--outputs, `->` for each datagram sent and `**` for each event. Names are those of profiles that were
seen up to there.";

pub(super) fn run(args: &CatArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let trace = loaded.trace()?;
    let options = Options { filters: args.filter.clone(), from: args.from, until: args.until, outputs: args.outputs };
    let mut out = Out::new();
    let (ended, failure) = cat(&trace, &options, |shown| match print(&mut out, &shown, args.format) {
        Ok(()) => ControlFlow::Continue(()),
        Err(failure) => ControlFlow::Break(failure),
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    if ended.shown == 0 && ended.trace.is_none() {
        notice(format_args!("swim: no step is like that"));
    }
    if let Some(e) = &ended.replay {
        return Err(Failure::Usage(loaded.says(format_args!("what came out is not known further: {e}"))));
    }
    loaded.ending(ended.trace.as_ref())
}

fn print(out: &mut Out, shown: &Shown, format: Format) -> Result<(), Failure> {
    match (format, shown) {
        (Format::Json, shown) => words::put_json(out, shown),
        (Format::Human, Shown::Step(step)) => {
            out.line(format_args!("{}", words::step(step)))?;
            let lines = step.outputs.iter().flat_map(words::outputs);
            lines.into_iter().try_for_each(|line| out.line(format_args!("{:>24}{line}", "")))
        }
        (Format::Human, Shown::Gap { step, at_us, missing }) => {
            let at = words::clock(*at_us);
            out.line(format_args!("{step:>7}  {at:>13}  {missing} inputs are missing from here on"))
        }
    }
}
