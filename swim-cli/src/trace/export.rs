//! `swim trace export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use swim_trace_tools::export::{perfetto, shiviz};

use super::Format;
use super::several::{merged, write};
use crate::output::{Failure, Out};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The viewer.
    #[arg(value_name = "VIEWER", value_enum)]
    viewer: Viewer,
    /// The traces, one or more; the first one's clock is the reference.
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// Write into this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How to say what was written into the file.
    #[arg(long, value_enum, default_value_t = Format::Human, requires = "output")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Viewer {
    /// Perfetto and other viewers of Chrome's trace events.
    Perfetto,
    /// ShiViz.
    Shiviz,
}

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let merged = merged(&args.traces)?;
    let text = match args.viewer {
        Viewer::Perfetto => perfetto(&merged.story),
        Viewer::Shiviz => shiviz(&merged.story),
    };
    match &args.output {
        Some(file) => write(file, &text, &merged.story, args.format)?,
        None => Out::new().line(format_args!("{}", text.trim_end()))?,
    }
    merged.ending()
}

pub(super) const HELP: &str = r#"perfetto: one JSON object of trace events. Each life of a node is a process; its events are instants, its probes and
suspicions asynchronous slices, and a datagram that was matched is a flow from the slice that sends it to the one that
receives it. Times are microseconds since the first moment of all.

shiviz: a log. Its first line is the regular expression that parses it, its second one is empty (one execution), and
then each step of each node has two lines:
  (?<at>\S*) (?<event>.*)\n(?<host>\S*) (?<clock>\{.*\})
at is seconds by the first trace's clock, event what happened, host the node (with its epoch when several of its lives
are there; characters other than letters, digits and -_. are written as _), clock its vector clock as JSON.

With -o and --format json, what was written is told as an object: file, bytes, nodes, steps, datagrams, matched, lost."#;
