//! Files of traces: binary ones, and lines of JSON, told apart by their first bytes.

use std::fs;
use std::path::Path;

use swim_trace::Trace;
use swim_trace_tools::jsonl::{from_jsonl, is_jsonl};

use crate::output::{Failure, notice};

/// A trace's file, in memory.
pub(super) struct Loaded {
    bytes: Vec<u8>,
    name: String,
}

/// Reads a file. Lines of JSON are a binary trace from then on.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    let name = path.display().to_string();
    let mut bytes = fs::read(path).map_err(|e| Failure::Usage(format!("{name} cannot be read: {e}")))?;
    if is_jsonl(&bytes) {
        bytes = from_jsonl(&bytes).map_err(|e| Failure::Usage(format!("{name}: {e}")))?;
    }
    Ok(Loaded { bytes, name })
}

impl Loaded {
    /// The trace in it.
    pub(super) fn trace(&self) -> Result<Trace<'_>, Failure> {
        Trace::open(&self.bytes).map_err(|e| Failure::Usage(self.says(e)))
    }

    /// What is to be said of this file.
    pub(super) fn says(&self, what: impl std::fmt::Display) -> String {
        format!("{}: {what}", self.name)
    }

    /// What a command that has shown all that is intact ends with: a torn tail is told, damage is a failure.
    pub(super) fn ending(&self, error: Option<&swim_trace::TraceError>) -> Result<(), Failure> {
        match error {
            None => Ok(()),
            Some(e) if e.is_torn() => {
                notice(format_args!("swim: {}; all before it is whole", self.says(e)));
                Ok(())
            }
            Some(e) => Err(Failure::Usage(format!("{}; what is before it was read", self.says(e)))),
        }
    }
}
