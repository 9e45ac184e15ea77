//! `swim trace convert`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use swim_trace::{Trace, TraceError};
use swim_trace_tools::convert::{Change, convert, keyframes_needed};
use swim_trace_tools::jsonl::to_jsonl;

use super::load::load;
use super::{Format, words};
use crate::output::{Failure, Out, notice};

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
Nothing is lost: a trace that is written as lines of JSON and back is the same in every byte. A block at
the end that was cut off is left out, and that is said.";

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
    write(&args.output, &trace)?;
    if converted.torn > 0 {
        notice(format_args!(
            "swim: {}",
            loaded.says(format_args!("the last {} bytes are of a block that was cut off: left out", converted.torn))
        ));
    }
    told(args, &trace, converted.torn)?;
    let damage: Option<&TraceError> = converted.damage.as_ref();
    loaded.ending(damage)
}

fn write(path: &Path, trace: &Trace<'_>) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::Runtime(format!("{} cannot be written: {e}", path.display()));
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        to_jsonl(trace, &mut file).map_err(failed)?;
    } else {
        file.write_all(trace.bytes()).map_err(failed)?;
    }
    file.flush().map_err(failed)
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
