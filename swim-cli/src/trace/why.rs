//! `swim trace why`.

use std::path::PathBuf;

use bind_mio::swim_core::{Evidence, Instant, Node, NodeId};
use clap::Args;
use serde::Serialize;
use swim_trace_tools::decode::Names;
use swim_trace_tools::moment::{NotFound, When, find, node_at};

use super::load::load;
use super::{Format, words};
use crate::output::{Failure, Out, shown};
use crate::why::Why;

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// About whom: a name, the first digits of an id, or an address.
    #[arg(value_name = "NODE")]
    node: String,
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// When: a time of the recorded node's clock like 12.5s, or a step like @120.
    #[arg(long, value_name = "T")]
    at: When,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// The row, and what led to it.
#[derive(Serialize)]
struct Explained {
    step: u64,
    at_us: u64,
    id: String,
    name: String,
    addr: String,
    state: String,
    incarnation: String,
    health: u32,
    why: Why,
}

pub(super) fn run(args: &WhyArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let trace = loaded.trace()?;
    let usage = |what: String| Failure::Usage(loaded.says(what));
    let moment = node_at(&trace, args.at).map_err(|e| usage(e.to_string()))?;
    let (step, at) = (moment.step, moment.at);
    let node = moment.replay.node().ok_or_else(|| usage("there is no node at that moment".into()))?;
    let id = find(node, &args.node).map_err(|e| usage(unknown(&args.node, &e)))?;
    let mut names = Names::default();
    names.see_node(node);
    let explained = explain(node, id, step, at, &names).ok_or_else(|| usage("the row is gone".into()))?;
    let mut out = Out::new();
    if args.format == Format::Json {
        words::put_json(&mut out, &explained)?;
        return loaded.ending(moment.damage.as_ref());
    }
    let me = node.me();
    out.line(format_args!(
        "at {} (behind step {step}), {} believed: {} {} {} at {}, id {id}",
        words::clock(explained.at_us),
        shown(&names.name(me.id())),
        shown(&explained.name),
        explained.state,
        explained.incarnation,
        explained.addr,
    ))?;
    explained.why.lines().try_for_each(|line| out.line(format_args!("{line}")))?;
    loaded.ending(moment.damage.as_ref())
}

fn explain(node: &Node, id: NodeId, step: u64, at: Instant, names: &Names) -> Option<Explained> {
    let row = node.member(id)?;
    let facts: Vec<Evidence> = node.why(id).copied().collect();
    let me = node.me().id();
    let why = match id == me {
        true => Why::myself(),
        false => Why::now(row.state(), &facts, at, me, |id| names.name(id)),
    };
    Some(Explained {
        step,
        at_us: at.as_micros(),
        id: id.to_string(),
        name: names.name(id),
        addr: row.addr().to_string(),
        state: row.state().to_string(),
        incarnation: row.incarnation().to_string(),
        health: node.health(),
        why,
    })
}

fn unknown(wanted: &str, e: &NotFound) -> String {
    let (what, rows) = match e {
        NotFound::Nobody { names } => ("is no node", names),
        NotFound::Several { names } => ("is more than one node", names),
    };
    let rows: Vec<_> = rows.iter().take(20).map(|row| shown(row)).collect();
    format!("{wanted:?} {what} at that moment; there are {}", rows.join(", "))
}
