//! Files of traces.

use std::fs;
use std::path::Path;

use swim_trace::Trace;

use crate::output::Failure;

/// A trace's file, in memory.
pub(super) struct Loaded {
    bytes: Vec<u8>,
    name: String,
}

/// Reads a file.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|e| Failure::Usage(format!("{name} cannot be read: {e}")))?;
    Ok(Loaded { bytes, name })
}

impl Loaded {
    /// The trace in it.
    pub(super) fn trace(&self) -> Result<Trace<'_>, Failure> {
        Trace::open(&self.bytes).map_err(|e| Failure::Usage(format!("{}: {e}", self.name)))
    }
}
