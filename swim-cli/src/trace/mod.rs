//! `swim trace`: what nodes saw, read, replayed and explained.

mod info;
mod load;

use clap::Subcommand;

use crate::output::Failure;

/// What to do with a trace.
#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Tell whose trace it is, what is in it, and whether it is whole.
    Info(info::InfoArgs),
}

pub(crate) fn run(command: &TraceCommand) -> Result<(), Failure> {
    match command {
        TraceCommand::Info(args) => info::run(args),
    }
}
