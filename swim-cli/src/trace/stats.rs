//! `swim trace stats`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use swim_trace_tools::stats::{Stats, Traffic, stats};

use super::load::load;
use super::{Format, words};
use crate::output::{Failure, Out};
use crate::units;

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// The trace.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(super) fn run(args: &StatsArgs) -> Result<(), Failure> {
    let loaded = load(&args.trace)?;
    let trace = loaded.trace()?;
    let stats = stats(&trace);
    let mut out = Out::new();
    match args.format {
        Format::Json => words::put_json(&mut out, &stats)?,
        Format::Human => lines(&stats).iter().try_for_each(|line| out.line(format_args!("{line}")))?,
    }
    if let Some(e) = &stats.replay_error {
        return Err(Failure::Usage(loaded.says(format_args!("what came out is not known further: {e}"))));
    }
    loaded.ending(stats.trace_error.as_ref())
}

fn lines(stats: &Stats) -> Vec<String> {
    let mut lines = Vec::new();
    counts(&mut lines, "inputs", &stats.inputs);
    traffic(&mut lines, "received, by message", &stats.received);
    traffic(&mut lines, "received, by source", &stats.received_from);
    traffic(&mut lines, "sent, by message", &stats.sent);
    counts(&mut lines, "events", &stats.events);
    lines.push(format!("in {}, of which an hour has", words::span(Duration::from_micros(stats.duration_us))));
    if let Some(hour) = &stats.per_hour {
        let rows = [
            ("inputs", hour.inputs, ""),
            ("received", hour.datagrams_received, "datagrams"),
            ("", hour.bytes_received, "bytes"),
            ("sent", hour.datagrams_sent, "datagrams"),
            ("", hour.bytes_sent, "bytes"),
            ("this trace", hour.trace_bytes, "bytes"),
        ];
        lines.extend(rows.map(|(name, rate, unit)| format!("  {name:<24} {rate:>12.0} {unit}").trim_end().to_owned()));
    }
    counts(&mut lines, "the node's own counters at the end", &stats.counters);
    lines
}

fn counts(lines: &mut Vec<String>, head: &str, counts: &BTreeMap<impl Display, u64>) {
    lines.push(head.into());
    lines.extend(counts.iter().map(|(name, count)| format!("  {name:<24} {count:>12}", name = name.to_string())));
}

fn traffic(lines: &mut Vec<String>, head: &str, traffic: &BTreeMap<impl Display, Traffic>) {
    lines.push(head.into());
    lines.extend(traffic.iter().map(|(name, Traffic { datagrams, bytes })| {
        let size = units::size(*bytes as f64);
        format!("  {name:<24} {datagrams:>12} datagrams  {size:>10}", name = name.to_string())
    }));
}
