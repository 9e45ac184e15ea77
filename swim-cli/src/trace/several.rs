//! The traces of several nodes, merged, and files that are made of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use swim_trace_tools::merge::{Story, merge};

use super::load::{Loaded, load};
use super::{Format, words};
use crate::output::{Failure, Out, notice, shown};

/// Traces as one story.
pub(super) struct Merged {
    pub(super) story: Story,
    files: Vec<Loaded>,
}

/// Reads and merges. What is wrong with a trace is said on standard error, and what is intact of it is used.
pub(super) fn merged(paths: &[PathBuf]) -> Result<Merged, Failure> {
    let files = paths.iter().map(|path| load(path)).collect::<Result<Vec<_>, _>>()?;
    let story = {
        let traces = files.iter().map(Loaded::trace).collect::<Result<Vec<_>, _>>()?;
        merge(&traces).map_err(|e| Failure::Usage(e.to_string()))?
    };
    for row in &story.nodes {
        // What is damaged is said at the end, with the file's name.
        let at_the_end = |problem: &String| story.damage.iter().any(|(_, e)| e.to_string() == *problem);
        for problem in row.problems().iter().filter(|problem| !at_the_end(problem)) {
            notice(format_args!("swim: {} epoch {}: {problem}", shown(&row.name), row.epoch));
        }
    }
    Ok(Merged { story, files })
}

impl Merged {
    /// What a command that has used all that is intact ends with.
    pub(super) fn ending(&self) -> Result<(), Failure> {
        let ends = self.story.damage.iter().map(|(place, e)| self.files[*place].ending(Some(e)));
        let mut first = Ok(());
        for failure in ends.filter_map(Result::err) {
            match (&first, failure) {
                (Err(_), Failure::Usage(another)) => notice(format_args!("swim: {another}")),
                (_, failure) => first = Err(failure),
            }
        }
        first
    }
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
        Format::Json => words::put_json(&mut out, &written),
        Format::Human => {
            let Written { file, bytes, nodes, steps, datagrams, matched, lost } = written;
            out.line(format_args!(
                "{file}: {bytes} bytes; {nodes} lives, {steps} steps, {datagrams} datagrams sent, {matched} matched, {lost} lost"
            ))
        }
    }
}
