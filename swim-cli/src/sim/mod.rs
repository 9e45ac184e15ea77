//! `swim sim`: what needs no network, because it happens on virtual time or in a model.

mod experiment;

use clap::Subcommand;

use self::experiment::Experiment;
use crate::output::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Repeat a paper's experiment, and print what is measured beside what was published.
    #[command(subcommand)]
    Experiment(Experiment),
}

pub(crate) fn run(command: &SimCommand) -> Result<(), Failure> {
    match command {
        SimCommand::Experiment(experiment) => experiment::run(experiment),
    }
}
