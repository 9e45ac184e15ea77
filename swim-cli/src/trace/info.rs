//! `swim trace info`.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use swim_trace_tools::info::{Info, info};

use super::load::load;
use super::{Format, words};
use crate::output::{Failure, Out, shown};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn run(args: &InfoArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let trace = loaded.trace()?;
    let info = info(&trace);
    let mut out = Out::new();
    match args.format {
        Format::Json => words::put_json(&mut out, &info)?,
        Format::Human => lines(&info).iter().try_for_each(|line| out.line(format_args!("{line}")))?,
    }
    loaded.ending(info.error.as_ref())
}

fn lines(info: &Info) -> Vec<String> {
    let mut lines = vec![
        format!("node      {}, id {}, {}, epoch {}", shown(&info.name), info.id, info.addr, info.epoch),
        format!("cluster   {}", shown(&info.cluster)),
        format!(
            "written   by swim-core {}, format {}, snapshots of layout {}; {}, {}",
            shown(&info.core),
            info.format_version,
            info.snapshot_version,
            if info.seeded { "seed known" } else { "seed not known" },
            if info.outputs { "outputs in full" } else { "outputs as a digest" },
        ),
        time(info),
    ];
    lines.push(match (info.first_step, info.last_step) {
        (Some(first), Some(last)) => format!("steps     {}, from {first} to {last}", info.steps),
        _ => "steps     none".into(),
    });
    lines.push(format!("size      {}", units::size(info.bytes as f64)));
    for (kind, blocks) in &info.blocks {
        let compressed = match blocks.compressed {
            0 => String::new(),
            n => format!(", {n} compressed"),
        };
        let size = units::size(blocks.bytes as f64);
        lines.push(format!("blocks    {} {kind}, {size}{compressed}", blocks.count));
    }
    for gap in &info.gaps {
        let at = words::clock(gap.at_us);
        lines.push(format!("gap       {} inputs from step {} on, behind {at}", gap.missing, gap.step));
    }
    lines.push(state(info));
    lines
}

fn time(info: &Info) -> String {
    let (Some(from), Some(to)) = (info.from_us, info.to_us) else { return "time      no input".into() };
    let span = words::span(Duration::from_micros(to.saturating_sub(from)));
    let mut text = format!("time      {span}, from {} to {}", words::clock(from), words::clock(to));
    let unix = info.unix_micros.checked_add(from.saturating_sub(info.began_us)).filter(|_| info.unix_micros > 0);
    // Dates have four digits for the year.
    if let Some(unix) = unix.filter(|&micros| micros < 253_402_300_800_000_000) {
        let unix = UNIX_EPOCH + Duration::from_micros(unix);
        text += &format!("; began {}", humantime::format_rfc3339_seconds(unix));
    }
    text
}

fn state(info: &Info) -> String {
    match (&info.torn, &info.damaged) {
        (_, Some(at)) => format!(
            "damaged   block {} at offset {}: {}; all before it is intact, {} from there on are not read",
            at.block,
            at.offset,
            at.what,
            units::counted(at.bytes as f64, "byte"),
        ),
        (Some(at), None) => {
            format!("torn      block {} at offset {}: {}; all before it is whole", at.block, at.offset, at.what)
        }
        (None, None) => "whole     every block".into(),
    }
}
