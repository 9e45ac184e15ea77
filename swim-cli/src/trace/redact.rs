//! `swim trace redact`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use swim_trace_tools::redact::{RedactError, Redacted, payload};

use super::load::load;
use super::save::save_bytes;
use super::{Format, words};
use crate::output::{Failure, Out};

#[derive(Debug, Subcommand)]
pub(crate) enum RedactCommand {
    /// Replace what users said about their nodes, by pseudonyms of the same length.
    #[command(after_long_help = super::with_codes(HELP))]
    Payload(PayloadArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PayloadArgs {
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// The file that is written: lines of JSON when its name ends with .jsonl.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Replace the names of nodes and of the cluster, too.
    #[arg(long)]
    names: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

const HELP: &str = "\
Metadata, the states of nodes and rumors are replaced everywhere: in the header, in inputs, in datagrams,
in keyframes and in outputs. Equal values stay equal and different ones different, so the redacted trace
replays step by step as the original does; both are played side by side to see that. It has to be done
with the build that recorded the trace.

Ids, addresses, times and traffic stay. An id that was made from a name is a hash of it: whoever guesses
the name can tell.";

pub(super) fn run(command: &RedactCommand) -> Result<(), Failure> {
    match command {
        RedactCommand::Payload(args) => run_payload(args),
    }
}

fn run_payload(args: &PayloadArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let says = |e: &dyn std::fmt::Display| format!("{}: {e}", args.trace.display());
    let redacted = payload(&loaded.trace()?, args.names).map_err(|e| match e {
        RedactError::Differs { .. } => Failure::Runtime(says(&e)),
        _ => Failure::Usage(says(&e)),
    })?;
    save_bytes(&args.output, &redacted.bytes)?;
    match args.format {
        Format::Human => Out::new().line(format_args!("{}", sentence(&redacted, args)))?,
        Format::Json => words::put_json(&mut Out::new(), &redacted)?,
    }
    loaded.ending(redacted.damage.as_ref())
}

fn sentence(redacted: &Redacted, args: &PayloadArgs) -> String {
    let Redacted { steps, left_out, metadata, names, entries, rumors, .. } = redacted;
    let names = if args.names { format!(" and {names} names") } else { String::new() };
    let some = |n: usize, of: &str| if n > 0 { format!(", {n} {of}") } else { String::new() };
    let (entries, rumors) = (some(*entries, "keys and values"), some(*rumors, "topics and payloads"));
    let left =
        if *left_out > 0 { format!(", {left_out} inputs that no replay reaches left out") } else { String::new() };
    format!(
        "{metadata} values of metadata{names}{entries}{rumors} replaced; {steps} steps go as before{left}: {}",
        args.output.display()
    )
}
