//! `swim trace`: what nodes saw, read, replayed and explained.

mod cat;
mod convert;
mod diff;
mod export;
mod html;
mod info;
mod load;
mod merge;
mod redact;
mod replay;
mod save;
mod several;
mod shrink;
mod stats;
mod why;
mod words;

use clap::{Subcommand, ValueEnum};

use crate::output::Failure;

/// The same for all commands; what else 0 and 1 mean to one stands in its own help.
const CODES: &str = "\
Exit codes: 0 all is told or written, 1 it cannot be written, 2 what was asked for cannot work, such as a file that is no
trace. A trace is used as far as it is intact. When its end was cut off, that is said on standard error, and is no error;
when it is damaged before its end, the exit code is 2 behind what was told or written.";

fn with_codes(help: &str) -> String {
    format!("{help}\n\n{CODES}")
}

/// What to do with a trace.
#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Tell whose trace it is, what is in it, and whether it is whole.
    #[command(after_long_help = CODES)]
    Info(info::InfoArgs),
    /// Print it step by step, everything decoded.
    #[command(after_long_help = with_codes(cat::HELP))]
    Cat(cat::CatArgs),
    /// Count what came and what went.
    #[command(after_long_help = CODES)]
    Stats(stats::StatsArgs),
    /// Play it to a fresh node, and compare what comes out with what came out then.
    #[command(after_long_help = with_codes(replay::HELP))]
    Replay(replay::ReplayArgs),
    /// Find the first step in which two traces differ.
    #[command(after_long_help = with_codes(diff::HELP))]
    Diff(diff::DiffArgs),
    /// Explain what the recorded node believed of another one at some moment.
    #[command(after_long_help = CODES)]
    Why(why::WhyArgs),
    /// Write it in another form: binary or lines of JSON, compressed or not.
    #[command(after_long_help = with_codes(convert::HELP))]
    Convert(convert::ConvertArgs),
    /// Replace what should not be shown to others. The replay stays exact.
    #[command(subcommand)]
    Redact(redact::RedactCommand),
    /// Make it as small as it can be while it still shows something.
    #[command(after_long_help = with_codes(shrink::HELP))]
    Shrink(shrink::ShrinkArgs),
    /// Tell the traces of several nodes as one story: clocks, datagrams, and what happened in which order.
    #[command(after_long_help = with_codes(merge::HELP))]
    Merge(merge::MergeArgs),
    /// Write traces for the viewers Perfetto or ShiViz.
    #[command(after_long_help = with_codes(export::HELP))]
    Export(export::ExportArgs),
    /// Write traces as one page for a browser, which needs no network.
    #[command(after_long_help = with_codes(html::HELP))]
    Html(html::HtmlArgs),
}

pub(crate) fn run(command: &TraceCommand) -> Result<(), Failure> {
    match command {
        TraceCommand::Info(args) => info::run(args),
        TraceCommand::Cat(args) => cat::run(args),
        TraceCommand::Stats(args) => stats::run(args),
        TraceCommand::Replay(args) => replay::run(args),
        TraceCommand::Diff(args) => diff::run(args),
        TraceCommand::Why(args) => why::run(args),
        TraceCommand::Convert(args) => convert::run(args),
        TraceCommand::Redact(command) => redact::run(command),
        TraceCommand::Shrink(args) => shrink::run(args),
        TraceCommand::Merge(args) => merge::run(args),
        TraceCommand::Export(args) => export::run(args),
        TraceCommand::Html(args) => html::run(args),
    }
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text.
    Human,
    /// JSON: one object, or one per line where there are many.
    Json,
}
