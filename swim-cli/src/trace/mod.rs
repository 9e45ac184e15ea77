//! `swim trace`: what nodes saw, read, replayed and explained.

mod cat;
mod convert;
mod diff;
mod info;
mod load;
mod redact;
mod replay;
mod save;
mod shrink;
mod stats;
mod why;
mod words;

use clap::{Subcommand, ValueEnum};

use crate::output::Failure;

/// What to do with a trace.
#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Tell whose trace it is, what is in it, and whether it is whole.
    Info(info::InfoArgs),
    /// Print it step by step, everything decoded.
    #[command(after_long_help = cat::HELP)]
    Cat(cat::CatArgs),
    /// Count what came and what went.
    Stats(stats::StatsArgs),
    /// Play it to a fresh node, and compare what comes out with what came out then.
    #[command(after_long_help = replay::HELP)]
    Replay(replay::ReplayArgs),
    /// Find the first step in which two traces differ.
    #[command(after_long_help = diff::HELP)]
    Diff(diff::DiffArgs),
    /// Explain what the recorded node believed of another one at some moment.
    Why(why::WhyArgs),
    /// Write it in another form: binary or lines of JSON, compressed or not.
    #[command(after_long_help = convert::HELP)]
    Convert(convert::ConvertArgs),
    /// Replace what should not be shown to others. The replay stays exact.
    #[command(subcommand)]
    Redact(redact::RedactCommand),
    /// Make it as small as it can be while it still shows something.
    #[command(after_long_help = shrink::HELP)]
    Shrink(shrink::ShrinkArgs),
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
