//! Files of traces that are written.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use swim_trace::Trace;
use swim_trace_tools::jsonl::to_jsonl;

use crate::output::Failure;

/// Writes a trace: as lines of JSON when the file's name ends with `.jsonl`, binary otherwise.
pub(super) fn save(path: &Path, trace: &Trace<'_>) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::Runtime(format!("{} cannot be written: {e}", path.display()));
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        to_jsonl(trace, &mut file).map_err(failed)?;
    } else {
        file.write_all(trace.bytes()).map_err(failed)?;
    }
    file.flush().map_err(failed)
}

/// The same of the bytes of one that was made.
pub(super) fn save_bytes(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let trace = Trace::open(bytes).map_err(|e| Failure::Runtime(format!("{}: {e}", path.display())))?;
    save(path, &trace)
}
