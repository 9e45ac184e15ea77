//! Swim beside its peers: what a message costs, on this machine, in one run.

mod alloc;
mod case;
#[cfg(feature = "cluster")]
mod cluster;
mod core;
mod costs;
mod draw;
mod foca_core;
mod instructions;
mod plot;
mod results;
mod swim;
mod targets;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(about)]
enum Command {
    /// Times, allocations and heap of our core beside foca's, as tables and plots.
    Core(costs::CoreArgs),
    /// Clusters of ours and of foca in one virtual network, as a table.
    #[cfg(feature = "cluster")]
    Cluster(cluster::Plan),
    /// Instructions of each operation, counted by callgrind.
    Instructions(instructions::InstructionsArgs),
    /// One operation of one core, so many times: for callgrind, and for profilers.
    One(instructions::OneArgs),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Core(args) => costs::run(&args),
        #[cfg(feature = "cluster")]
        Command::Cluster(plan) => cluster::run(&plan),
        Command::Instructions(args) => instructions::run(&args),
        Command::One(args) => instructions::one(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}
