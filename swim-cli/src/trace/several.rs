//! The traces of several nodes, merged, and files that are made of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use swim_trace_tools::merge::{Story, merge};

use super::Format;
use super::load::load;
use crate::output::{Failure, Out, notice, shown};

/// Reads and merges. What is wrong with a trace is said on standard error, and what is intact of it is used.
pub(super) fn story(files: &[PathBuf]) -> Result<Story, Failure> {
    let loaded = files.iter().map(|file| load(file)).collect::<Result<Vec<_>, _>>()?;
    let traces = loaded.iter().map(|loaded| loaded.trace()).collect::<Result<Vec<_>, _>>()?;
    let story = merge(&traces).map_err(|e| Failure::Usage(e.to_string()))?;
    for row in &story.nodes {
        for problem in row.problems() {
            notice(format_args!("swim: {} epoch {}: {problem}", shown(&row.name), row.epoch));
        }
    }
    Ok(story)
}

/// What was written, and of what.
#[derive(Debug, Serialize)]
struct Written<'a> {
    file: &'a str,
    bytes: usize,
    nodes: usize,
    steps: usize,
    datagrams: u64,
    matched: u64,
    lost: u64,
}

/// Writes a file that was made of a story, and says so.
pub(super) fn write(file: &Path, content: &str, story: &Story, format: Format) -> Result<(), Failure> {
    let name = file.display().to_string();
    let error = |e| Failure::Runtime(format!("{name} cannot be written: {e}; choose another with -o"));
    fs::write(file, content).map_err(error)?;
    let written = Written {
        file: &name,
        bytes: content.len(),
        nodes: story.nodes.len(),
        steps: story.timeline.len(),
        datagrams: story.totals.sent,
        matched: story.totals.matched,
        lost: story.totals.lost,
    };
    let mut out = Out::new();
    match format {
        Format::Json => {
            out.line(format_args!("{}", serde_json::to_string(&written).expect("strings and numbers are always JSON")))
        }
        Format::Human => {
            let Written { file, bytes, nodes, steps, datagrams, matched, lost } = written;
            out.line(format_args!(
                "{file}: {bytes} bytes; {nodes} lives, {steps} steps, {datagrams} datagrams sent, {matched} matched, {lost} lost"
            ))
        }
    }
}
