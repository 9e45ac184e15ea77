//! `swim trace replay`.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::PathBuf;

use bind_mio::swim_core::{self, Node, NodeId};
use clap::Args;
use serde::Serialize;
use swim_trace::{Divergence, Replay, ReplayError, Step, Summary, Trace};
use swim_trace_tools::cat::StepShown;
use swim_trace_tools::decode::{InputShown, Names, OutputsShown};
use swim_trace_tools::json::Digits;

use super::load::{Loaded, load};
use super::{Format, words};
use crate::output::{Failure, Out, notice, shown};
use crate::units::counted;

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Stop behind the step of this number.
    #[arg(long, value_name = "N")]
    until: Option<u64>,
    /// Print each step, what comes out and which rows it changes, and wait for Enter before the next.
    #[arg(long)]
    step: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) const HELP: &str = "\
The last line on standard output is always the sum: steps, recorded time, divergences, and a hash of
the node's whole state at the end.

Exit code 0 means that everything came out as it did then, and 1 that it did not; the first step that
differs is shown.";

pub(super) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let trace = loaded.trace()?;
    warn_of_other_core(&loaded, &trace);
    let cannot = |e: &ReplayError| Failure::Usage(loaded.says(e));
    let mut replay = Replay::new(&trace).map_err(|e| cannot(&e))?;
    let mut show = Show { out: Out::new(), format: args.format, names: Names::of(trace.header()) };
    let error = show.play(&mut replay, args, trace.header().id)?;
    let summary = replay.summary();
    if let Some(first) = &summary.first {
        show.divergence(first)?;
    }
    show.sum(&summary)?;
    match error {
        Some(ReplayError::Trace(e)) => loaded.ending(Some(&e))?,
        Some(e) => return Err(cannot(&e)),
        None => {}
    }
    match (summary.divergences, summary.first) {
        (0, _) | (_, None) => Ok(()),
        (_, Some(first)) => Err(Failure::Runtime(
            loaded.says(format_args!("the replay leaves the recorded run in step {}", first.step)),
        )),
    }
}

fn warn_of_other_core(loaded: &Loaded, trace: &Trace<'_>) {
    let header = trace.header();
    let recorded = format!("swim-core {} with {}", shown(&header.core), shown(&header.generator));
    let ours = format!("swim-core {} with {}", swim_core::VERSION, swim_core::GENERATOR);
    if recorded != ours {
        notice(format_args!(
            "swim: {}",
            loaded.says(format_args!("recorded by {recorded}, replayed by {ours}: they may differ in what they do"))
        ));
    }
}

struct Show {
    out: Out,
    format: Format,
    names: Names,
}

/// A step with what it changed.
#[derive(Serialize)]
struct Stepped {
    #[serde(flatten)]
    step: StepShown,
    changed: Vec<Changed>,
}

/// A row that a step changed; no state: it is gone.
#[derive(Serialize)]
struct Changed {
    id: String,
    name: String,
    state: Option<String>,
    incarnation: Option<String>,
    addr: Option<String>,
}

/// Both sides of a divergence.
#[derive(Serialize)]
struct Diverged {
    diverged: Sides,
}

#[derive(Serialize)]
struct Sides {
    step: u64,
    at_us: u64,
    #[serde(rename = "in")]
    input: InputShown,
    replayed: OutputsShown,
    /// `None`: not in the trace.
    recorded: Option<OutputsShown>,
    in_state_only: bool,
}

#[derive(Serialize)]
struct Sum {
    steps: u64,
    duration_us: u64,
    divergences: u64,
    state_hash: Option<Digits<u64>>,
    keyframes: u64,
    gaps: u64,
    missing: u64,
    skipped: u64,
    unchecked: u64,
}

impl Show {
    /// To the end, or as far as is wanted; tells what has stopped it.
    fn play(&mut self, replay: &mut Replay<'_>, args: &ReplayArgs, me: NodeId) -> Result<Option<ReplayError>, Failure> {
        let mut rows = replay.node().map(rows).unwrap_or_default();
        let (mut waits, mut first) = (args.step, true);
        while let Some(step) = replay.step() {
            let step = match step {
                Ok(step) => step,
                Err(e) => return Ok(Some(e)),
            };
            self.names.see_input(me, step.input);
            if first || step.diverged {
                self.names.see_node(step.node);
                first = false;
            }
            if args.step {
                self.step(&step, &mut rows)?;
            }
            if args.until.is_some_and(|until| step.number >= until) {
                break;
            }
            // At the end of input nobody is there to wait for.
            waits = waits && io::stdin().lock().read_line(&mut String::new()).is_ok_and(|read| read > 0);
        }
        Ok(None)
    }

    fn step(&mut self, step: &Step<'_>, before: &mut BTreeMap<NodeId, Row>) -> Result<(), Failure> {
        let now = rows(step.node);
        let changed = changed(before, &now);
        *before = now;
        let shown = StepShown {
            step: step.number,
            at_us: step.at.as_micros(),
            input: InputShown::of(step.input, &self.names),
            outputs: Some(OutputsShown::of(step.outputs, &self.names)),
            diverged: step.diverged,
        };
        if self.format == Format::Json {
            return words::put_json(&mut self.out, &Stepped { step: shown, changed });
        }
        self.out.line(format_args!("{}", words::step(&shown)))?;
        self.outputs(shown.outputs.as_ref())?;
        for row in &changed {
            let name = crate::output::shown(if row.name.is_empty() { &row.id } else { &row.name }).into_owned();
            match (&row.state, &row.incarnation, &row.addr) {
                (Some(state), Some(incarnation), Some(addr)) => {
                    self.out.line(format_args!("{:>24}== {name} {state} {incarnation} at {addr}", ""))?;
                }
                _ => self.out.line(format_args!("{:>24}== {name} is forgotten", ""))?,
            }
        }
        Ok(())
    }

    fn outputs(&mut self, outputs: Option<&OutputsShown>) -> Result<(), Failure> {
        outputs
            .into_iter()
            .flat_map(words::outputs)
            .try_for_each(|line| self.out.line(format_args!("{:>24}{line}", "")))
    }

    fn divergence(&mut self, first: &Divergence) -> Result<(), Failure> {
        let sides = Sides {
            step: first.step,
            at_us: first.at.as_micros(),
            input: InputShown::of(&first.input, &self.names),
            replayed: OutputsShown::of(&first.replayed, &self.names),
            recorded: first.recorded.as_ref().map(|recorded| OutputsShown::of(recorded, &self.names)),
            in_state_only: first.in_state_only,
        };
        if self.format == Format::Json {
            return words::put_json(&mut self.out, &Diverged { diverged: sides });
        }
        let at = words::clock(sides.at_us);
        let what = words::input(&sides.input);
        self.out.line(format_args!("diverged in step {}, at {at}: {what}", sides.step))?;
        if sides.in_state_only {
            self.out.line(format_args!(
                "  what came out is alike, and the node's state is not that of the keyframe there"
            ))?;
        }
        self.side("came out now", &sides.replayed)?;
        match &sides.recorded {
            Some(recorded) => self.side("was recorded", recorded),
            None if sides.in_state_only => Ok(()),
            None => {
                self.out.line(format_args!("  was recorded: not in this trace, which has outputs as a digest only"))
            }
        }
    }

    fn side(&mut self, head: &str, outputs: &OutputsShown) -> Result<(), Failure> {
        let nothing = outputs.sent.is_empty() && outputs.events.is_empty();
        self.out.line(format_args!("  {head}:{}", if nothing { " nothing" } else { "" }))?;
        self.outputs(Some(outputs))
    }

    /// The last line.
    fn sum(&mut self, summary: &Summary) -> Result<(), Failure> {
        let state_hash = summary.state_hash.map(Digits);
        if self.format == Format::Json {
            let duration_us = u64::try_from(summary.duration().as_micros()).unwrap_or(u64::MAX);
            let Summary { steps, divergences, keyframes, gaps, missing, skipped, unchecked, .. } = *summary;
            let sum = Sum { steps, duration_us, divergences, state_hash, keyframes, gaps, missing, skipped, unchecked };
            return words::put_json(&mut self.out, &sum);
        }
        let mut line = format!(
            "{}, {} recorded, {}, state {}",
            counted(summary.steps, "step"),
            words::span(summary.duration()),
            counted(summary.divergences, "divergence"),
            state_hash.map_or_else(|| "unknown".into(), |hash| hash.to_string()),
        );
        let missing = counted(summary.missing, "input");
        let more = [
            (summary.gaps, format!("{} of {missing}", counted(summary.gaps, "gap"))),
            (summary.skipped, format!("{} skipped", counted(summary.skipped, "step"))),
            (summary.unchecked, format!("{} unchecked", counted(summary.unchecked, "step"))),
        ];
        more.iter().filter(|(count, _)| *count > 0).for_each(|(_, text)| line += &format!(", {text}"));
        self.out.line(format_args!("{line}"))
    }
}

/// What is shown of a row when it changes.
type Row = (String, String, String, String);

fn rows(node: &Node) -> BTreeMap<NodeId, Row> {
    let row = |row: swim_core::Member<'_>| {
        let (state, incarnation) = (row.state().to_string(), row.incarnation().to_string());
        (row.id(), (row.name().to_owned(), state, incarnation, row.addr().to_string()))
    };
    node.members().map(row).collect()
}

fn changed(before: &BTreeMap<NodeId, Row>, now: &BTreeMap<NodeId, Row>) -> Vec<Changed> {
    let news = now.iter().filter(|(id, row)| before.get(id) != Some(row)).map(|(id, row)| {
        let (name, state, incarnation, addr) = row.clone();
        let (state, incarnation, addr) = (Some(state), Some(incarnation), Some(addr));
        Changed { id: id.to_string(), name, state, incarnation, addr }
    });
    let gone = before.iter().filter(|(id, _)| !now.contains_key(id)).map(|(id, row)| Changed {
        id: id.to_string(),
        name: row.0.clone(),
        state: None,
        incarnation: None,
        addr: None,
    });
    news.chain(gone).collect()
}
