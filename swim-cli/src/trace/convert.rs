//! `swim trace convert`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use swim_trace::Trace;
use swim_trace_tools::convert::{Change, convert, keyframes_needed};

use super::load::load;
use super::save::save;
use super::{Format, words};
use crate::output::{Failure, Out};

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The trace.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file that is written: lines of JSON when its name ends with .jsonl, binary otherwise.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// Leave out keyframes and index, so that a committed trace survives changes of the snapshots' layout.
    #[arg(long)]
    no_keyframes: bool,
    /// Compress the blocks.
    #[arg(long, conflicts_with = "plain")]
    compress: bool,
    /// Decompress the blocks.
    #[arg(long)]
    plain: bool,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) const HELP: &str = "\
Nothing is lost: a trace that is written as lines of JSON and back is the same in every byte.";

/// What was written.
#[derive(Serialize)]
struct Said {
    bytes: u64,
    blocks: usize,
    torn: usize,
}

pub(super) fn run(args: &ConvertArgs) -> Result<(), Failure> {
    let loaded = load(&args.input)?;
    let trace = loaded.trace()?;
    if let (true, Err(needed)) = (args.no_keyframes, keyframes_needed(&trace)) {
        return Err(Failure::Usage(loaded.says(format_args!("its keyframes are needed: {needed}"))));
    }
    let compress = (args.compress || args.plain).then_some(args.compress);
    let converted = convert(&trace, Change { no_keyframes: args.no_keyframes, compress });
    let trace = Trace::open(&converted.bytes).map_err(|e| Failure::Usage(loaded.says(e)))?;
    save(&args.output, &trace)?;
    told(args, &trace, converted.torn)?;
    loaded.ending(converted.damage.as_ref())
}

fn told(args: &ConvertArgs, trace: &Trace<'_>, torn: usize) -> Result<(), Failure> {
    let path = args.output.display();
    let bytes = std::fs::metadata(&args.output).map(|meta| meta.len()).unwrap_or(trace.bytes().len() as u64);
    let said = Said { bytes, blocks: trace.blocks().count(), torn };
    let mut out = Out::new();
    match args.format {
        Format::Json => words::put_json(&mut out, &said),
        Format::Human => out.line(format_args!("{path}: {} blocks, {bytes} bytes", said.blocks)),
    }
}
