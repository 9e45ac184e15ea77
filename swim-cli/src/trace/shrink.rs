//! `swim trace shrink`.

use std::panic::{set_hook, take_hook};
use std::path::PathBuf;

use clap::Args;
use swim_trace_tools::shrink::{Predicate, Shrunk, TRIES, shrink};

use super::load::load;
use super::save::save_bytes;
use super::{Format, words};
use crate::output::{Failure, Out, notice};

#[derive(Debug, Args)]
pub(crate) struct ShrinkArgs {
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The file that is written: lines of JSON when its name ends with .jsonl.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// What it has to show; all of these when there are several.
    #[arg(short, long = "predicate", value_name = "WHAT", required = true)]
    predicates: Vec<Predicate>,
    /// Runs that are tried at most.
    #[arg(long, value_name = "N", default_value_t = TRIES)]
    tries: usize,
    /// Begin where the node was constructed, though a keyframe were nearer: such a trace outlives changes of the keyframes' layout.
    #[arg(long)]
    constructed: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) const HELP: &str = "\
What it can show:
  event=KIND         the node tells an event of this kind, as `member_down`
  event=KIND:NODE    ... about this member: a name, or an id of 16 digits
  sent=MESSAGE       the node sends a datagram with this message, as `ping_req`
  state=NODE:STATE   at the end the node believes this: alive, suspect, dead or left
  panic              the node panics
  divergence         what comes out is not what was recorded

Inputs are left out, made smaller and drawn together as long as the rest, played by this build, still shows
it. What is left is recorded anew, and no single input can be left out of it. A divergence is cut out
instead: from the last keyframe that leads to it up to the step, all as it was recorded.";

pub(super) fn run(args: &ShrinkArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let trace = loaded.trace()?;
    let shrunk = quietly(args.predicates.contains(&Predicate::Panic), || {
        shrink(&trace, &args.predicates, args.tries, args.constructed)
    });
    let shrunk = shrunk.map_err(|e| Failure::Usage(format!("{}: {e}", args.trace.display())))?;
    save_bytes(&args.output, &shrunk.bytes)?;
    let divergence = args.predicates.contains(&Predicate::Divergence);
    if !shrunk.minimal && !divergence {
        notice(format_args!("swim: all tries are used up, and perhaps more can be left out: see --tries"));
    }
    match args.format {
        Format::Human => Out::new().line(format_args!("{}", sentence(&shrunk, divergence, args)))?,
        Format::Json => words::put_json(&mut Out::new(), &shrunk)?,
    }
    loaded.ending(trace.damage().as_ref())
}

/// Where panics are looked for, nobody wants to read of each of them.
fn quietly<T>(quiet: bool, work: impl FnOnce() -> T) -> T {
    if !quiet {
        return work();
    }
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let done = work();
    set_hook(hook);
    done
}

fn sentence(shrunk: &Shrunk, divergence: bool, args: &ShrinkArgs) -> String {
    let Shrunk { inputs_before, inputs, tries, minimal, .. } = shrunk;
    let begins = match shrunk.keyframe {
        Some(step) => format!("from the keyframe before step {step}"),
        None => "from where the node was constructed".into(),
    };
    let minimal = match (minimal, divergence) {
        (true, _) => ", and none can be left out",
        (false, true) => ", as they were recorded",
        (false, false) => "",
    };
    let out = args.output.display();
    format!("{inputs} of {inputs_before} inputs {begins}{minimal}, after {tries} tries: {out}")
}
