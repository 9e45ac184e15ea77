//! `swim`: a node to run by hand, a demonstration of five, and experiments.
//!
//! Standard output carries data only, and what is for people beside it goes to standard error. Exit codes: 0 when the
//! node has left, or the demo or the experiment has shown everything, 1 when something failed at run time, 2 when what was asked for
//! cannot work.

#![forbid(unsafe_code)]

mod agent;
mod args;
mod config_file;
mod demo;
#[doc(hidden)]
pub mod fuzzing;
mod keyring_file;
mod keys;
mod output;
mod plan;
mod plot;
mod sim;
mod trace;
mod units;
mod why;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{Cli, Command};
use crate::output::Failure;

/// The whole program: arguments, one command, and its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|e| refuse(&e));
    log_to_stderr(cli.verbose);
    let outcome = match &cli.command {
        Command::Agent(args) => agent::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Keys(command) => keys::run(command),
        Command::Plan(args) => plan::run(args),
        Command::Sim(command) => sim::run(command),
        Command::Trace(command) => trace::run(command),
    };
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    let code = failure.exit_code();
    match failure {
        Failure::Usage(why) | Failure::Runtime(why) => output::notice(format_args!("swim: {why}")),
        Failure::NobodyReads => {}
    }
    ExitCode::from(code)
}

/// Ends the program with what is wrong about its arguments. What may be a secret among them is not repeated: standard
/// error is kept in journals, which others read.
fn refuse(error: &clap::Error) -> ! {
    let arguments: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    match args::without_secrets(&error.to_string(), &arguments) {
        Some(text) => {
            output::notice(format_args!("{}", text.trim_end()));
            std::process::exit(error.exit_code())
        }
        None => error.exit(),
    }
}

fn log_to_stderr(verbose: bool) {
    let level = if verbose { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let mut filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    if !verbose && std::env::var_os(EnvFilter::DEFAULT_ENV).is_none() {
        // Where a dump is, whoever has asked for dumps wants to know.
        filter = filter.add_directive(RECORDER.parse().expect("a target and a level are a directive"));
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(output::colours(io::stderr().is_terminal()))
        // It would be said on the very stream that cannot be written to, and panic.
        .log_internal_errors(false)
        .init();
}

/// The flight recorder tells where it has dumped.
const RECORDER: &str = "swim_driver::recorder=info";
