//! `swim trace merge`.

use std::path::PathBuf;

use clap::Args;
use swim_trace_tools::merge::{Datagram, Fate, Moment, Story};
use swim_trace_tools::words::{clock, event, seconds};

use super::several::merged;
use super::{Format, words};
use crate::output::{Failure, Out, shown};

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The traces, one or more; the first one's clock is the reference.
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn run(args: &MergeArgs) -> Result<(), Failure> {
    let merged = merged(&args.traces)?;
    let mut out = Out::new();
    match args.format {
        Format::Json => words::put_json(&mut out, &merged.story)?,
        Format::Human => human(&merged.story, &mut out)?,
    }
    merged.ending()
}

fn human(story: &Story, out: &mut Out) -> Result<(), Failure> {
    out.line(format_args!(
        "{:<16} {:>10}  {:<16}  {:<21}  {:<34}  {:>8} {:>8} {:>8} {:>6} {:>8}",
        "node", "epoch", "id", "address", "clock offset", "steps", "sent", "matched", "lost", "received"
    ))?;
    for row in &story.nodes {
        out.line(format_args!(
            "{:<16} {:>10}  {}  {:<21}  {:<34}  {:>8} {:>8} {:>8} {:>6} {:>8}",
            shown(&row.name),
            row.epoch,
            row.id,
            row.addr.to_string(),
            clock(row),
            row.steps,
            row.sent,
            row.matched,
            row.lost,
            row.received
        ))?;
        for problem in row.problems() {
            out.line(format_args!("{:<16} {problem}", ""))?;
        }
    }
    let t = &story.totals;
    out.line(format_args!(
        "\nsent      {}: {} matched, {} lost, {} to nodes that were not traced then, {} to others",
        t.sent, t.matched, t.lost, t.to_not_traced, t.to_untraced
    ))?;
    out.line(format_args!("received  {}: {} matched, {} copies of these, {} that are not in their sender's trace, {} from nodes without trace", t.received, t.matched, t.copies, t.unexplained, t.from_untraced))?;
    if story.clocks_apart_us > 0 {
        let apart = seconds(story.clocks_apart_us);
        out.line(format_args!("the clocks do not run equally fast: what they say of each other differs by {apart} s"))?;
    }
    out.line(format_args!(""))?;
    story.timeline.iter().try_for_each(|moment| out.line(format_args!("{}", line(story, moment))))
}

fn line(story: &Story, moment: &Moment) -> String {
    let node = |life: usize| shown(&story.nodes[life].name);
    let mut parts = Vec::new();
    parts.extend(moment.after_gap.then(|| "(steps before this one are missing)".to_owned()));
    parts.push(match moment.origin {
        None => moment.input.to_owned(),
        Some(origin) => {
            let kind = story.frames[origin.frame].message();
            match origin.datagram.map(|i| &story.datagrams[i]) {
                Some(d) => {
                    let copy = if origin.copy { " once more" } else { "" };
                    format!("{kind} from {}, step {}{copy}", node(d.from), story.timeline[d.sent].step)
                }
                None if origin.unexplained => format!("{kind} from {}, not in its sender's trace", origin.from),
                None => format!("{kind} from {}", origin.from),
            }
        }
    });
    parts.extend(moment.events.iter().map(event));
    parts.extend(moment.sent.iter().map(|&i| sent(story, &story.datagrams[i])));
    parts.extend(moment.diverged.then(|| "(the replay diverges here)".to_owned()));
    format!("{:>14}s  {:<12}  {:>7}  {}", seconds(moment.at_us), node(moment.node), moment.step, parts.join("; "))
}

fn sent(story: &Story, datagram: &Datagram) -> String {
    let kind = story.frames[datagram.frame].message();
    let to = match datagram.received {
        Some(received) => shown(&story.nodes[story.timeline[received].node].name).into_owned(),
        None => datagram.to.to_string(),
    };
    let fate = match datagram.fate {
        Fate::Received => datagram.one_way_us.map(|took| format!(" in {} s", seconds(took))).unwrap_or_default(),
        Fate::Lost => ", LOST".into(),
        Fate::NotTraced | Fate::Untraced => String::new(),
    };
    format!("→ {kind} to {to}{fate}")
}

pub(super) const HELP: &str = "\
Each trace is replayed; what one node sent and another received has the same bytes in both. Datagrams whose bytes occur
once on each side bound how far two clocks are apart, from both sides; clock offset is the middle of what is possible
and half of its width. It is added to a node's times to get the first trace's. Nodes that share no datagrams both ways
are placed by the time of day in the header, which is told, and has no bound. Several traces of one life count as one;
several lives of one node are rows of their own.

A datagram is lost when it was sent to a node that was traced then and for long enough after it, and is not received.

With --format json, standard output has one object; nodes, moments, datagrams and frames are named by their places in
these lists, and times called at_us are microseconds by the first trace's clock:
  nodes      id, name, addr, epoch, core, offset_us, bound_us (null: not known), clock (reference, datagrams, unix_micros,
             nothing), steps, from_us, to_us, gaps, missing, skipped, divergences, first_divergence, error, sent, matched,
             lost, received
  totals     sent, matched, lost, to_not_traced, to_untraced, received, copies, unexplained, from_untraced
  clocks_apart_us
             what the clocks contradict each other by, because they do not run equally fast
  members    id and name of all that turn up
  timeline   every step, causes before effects: at_us, node, step, own_us (by its own clock), input; and where there are
             any: origin (from, frame, datagram, copy, unexplained), sent, events, beliefs (member, state, incarnation),
             because (the moment of the same node that led to a time-out), after_gap, diverged
  datagrams  sent, from, to, frame, fate (received, lost, not_traced, untraced), received, one_way_us
  frames     len (in bytes), frame (null: it is none): sender, incarnation, message and what else is in it, as `swim trace cat`
             has it";
