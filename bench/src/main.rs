//! Swim beside its peers: what a message costs, on this machine, in one run.

#[cfg(feature = "loopback")]
mod agents;
mod alloc;
mod case;
#[cfg(feature = "cluster")]
mod cluster;
mod core;
mod costs;
#[cfg(feature = "loopback")]
mod crash;
#[cfg(any(feature = "cluster", feature = "loopback"))]
mod crashes;
mod draw;
mod foca_core;
mod foca_id;
mod held;
mod instructions;
#[cfg(feature = "loopback")]
mod loopback;
mod plot;
mod results;
mod swim;
#[cfg(any(feature = "cluster", feature = "loopback"))]
mod table;
mod targets;
#[cfg(any(feature = "cluster", feature = "loopback"))]
mod tuning;
mod view;
#[cfg(any(feature = "cluster", feature = "loopback"))]
mod views;

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
    /// Pings answered per second and core over 127.0.0.1: by each binding, by loops that only receive and send, and by
    /// peers.
    #[cfg(feature = "loopback")]
    Loopback(loopback::LoopbackArgs),
    /// What idle nodes take, each a process: memory, and time of the processor.
    #[cfg(feature = "loopback")]
    Agents(agents::AgentsArgs),
    /// How soon a crash is known in clusters on sockets, in real time: ours beside memberlist's and foca's.
    #[cfg(feature = "loopback")]
    Crash(crash::CrashArgs),
    /// A server of `loopback`.
    #[cfg(feature = "loopback")]
    #[command(hide = true)]
    Serve(loopback::ServeArgs),
    /// A node of `agents`.
    #[cfg(feature = "loopback")]
    #[command(hide = true)]
    Peer(agents::peers::PeerArgs),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Core(args) => costs::run(&args),
        #[cfg(feature = "cluster")]
        Command::Cluster(plan) => cluster::run(&plan),
        Command::Instructions(args) => instructions::run(&args),
        Command::One(args) => instructions::one(&args),
        #[cfg(feature = "loopback")]
        Command::Loopback(args) => loopback::run(&args).map_err(|e| e.to_string()),
        #[cfg(feature = "loopback")]
        Command::Agents(args) => agents::run(&args).map_err(|e| e.to_string()),
        #[cfg(feature = "loopback")]
        Command::Crash(args) => crash::run(&args),
        #[cfg(feature = "loopback")]
        Command::Serve(args) => loopback::serve(&args).map_err(|e| e.to_string()),
        #[cfg(feature = "loopback")]
        Command::Peer(args) => agents::peers::run(&args).map_err(|e| e.to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}
