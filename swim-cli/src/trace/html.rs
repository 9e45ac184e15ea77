//! `swim trace html`.

use std::path::PathBuf;

use clap::Args;
use swim_trace_tools::html::html;

use super::Format;
use super::several::{merged, write};
use crate::output::Failure;

#[derive(Debug, Args)]
pub(crate) struct HtmlArgs {
    /// The traces, one or more; the first one's clock is the reference.
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// The page.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// How to say what was written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn run(args: &HtmlArgs) -> Result<(), Failure> {
    let merged = merged(&args.traces)?;
    write(&args.output, &html(&merged.story), &merged.story, args.format)?;
    merged.ending()
}

pub(super) const HELP: &str = "\
The page shows what each node believed of each member at any time, the datagrams between the nodes, and for every event
what caused it, back through the other nodes. It is one file, loads nothing, and runs nothing but its own script. It holds
all that is in the traces: names, addresses, and what nodes told of each other. ? on the page lists its keys.

With --format json, what was written is told as an object: file, bytes, nodes, steps, datagrams, matched, lost.

What is wrong with a trace stands on the page, too.";
