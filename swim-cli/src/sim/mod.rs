//! `swim sim`: what needs no network, because it happens on virtual time or in a model.

mod experiment;
pub(crate) mod fault_spec;
mod lifeguard;
mod papers;
mod rumors;
mod run;
mod state;
mod swarm;

use clap::Subcommand;

use self::experiment::Experiment;
use self::run::RunArgs;
use crate::output::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Repeat a paper's experiment, and print what is measured beside what was published.
    #[command(subcommand)]
    Experiment(Experiment),
    /// How rumors spread on the real nodes, by size and loss, and what their stop policies leave over.
    Rumors(rumors::Rumors),
    /// How fast the keys of node state get to all, what they cost, and what happens when more is written than fits.
    State(state::State),
    /// Whole runs drawn from seeds, with faults, and checkers that say which of them break a rule.
    Swarm(swarm::Swarm),
    /// Run a cluster of any size and configuration under faults: detection, convergence, false alarms, traffic.
    #[command(after_long_help = run::help())]
    Run(RunArgs),
}

pub(crate) fn run(command: &SimCommand) -> Result<(), Failure> {
    match command {
        SimCommand::Experiment(experiment) => experiment::run(experiment),
        SimCommand::Rumors(args) => args.run(),
        SimCommand::State(args) => args.run(),
        SimCommand::Swarm(args) => swarm::run(args),
        SimCommand::Run(args) => run::run(args),
    }
}
