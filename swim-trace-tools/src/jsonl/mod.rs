//! A trace as lines of JSON, which can be read, edited, and compared in a review: `docs/trace.md` ("As JSON lines") defines them.
//!
//! Nothing is lost: what was binary is the same bytes again, whatever blocks a later version has put into it. Whether a block
//! comes back from its readable form is tried when that is written; where it does not, the block stands there in hexadecimal.

mod fields;
mod header;
mod read;
mod write;

use std::fmt;
use std::io::{self, Write};

use serde_json::Value;
use swim_trace::{Header, Trace, TraceError};

use self::header::HeaderJson;
use self::read::Assembler;
use self::write::Writer;

/// What became of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Blocks, the header's included.
    pub blocks: usize,
    /// Lines.
    pub lines: usize,
    /// Bytes of a block at the end that was cut off; they are left out.
    pub torn: usize,
    /// Where the trace is damaged; nothing from there on is written.
    pub damage: Option<TraceError>,
}

/// Why lines are no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonlError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for JsonlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for JsonlError {}

/// Do these bytes begin as lines of JSON do, rather than as a binary trace?
pub fn is_jsonl(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'{')
}

/// A header as an object, as it stands in the first line.
pub(crate) fn header_value(header: &Header) -> Value {
    serde_json::to_value(HeaderJson::of(header)).expect("strings and numbers under string keys are always JSON")
}

/// Writes a trace as lines.
///
/// # Errors
/// Those of `out`. What is wrong with the trace is told in [`Written`], and all before it is written.
pub fn to_jsonl(trace: &Trace<'_>, out: &mut impl Write) -> io::Result<Written> {
    let mut writer = Writer::new(out);
    let mut written = Written::default();
    let reserved = trace.bytes().get(10..16).unwrap_or_default();
    let mut blocks = trace.blocks().peekable();
    while let Some(block) = blocks.next() {
        match block {
            Ok(block) if written.blocks == 0 => writer.header(trace.header(), reserved, &block)?,
            Ok(block) => writer.block(&block, !matches!(blocks.peek(), Some(Ok(_))))?,
            Err(e) if e.is_torn() => {
                written.torn = trace.bytes().len().saturating_sub(e.offset);
                break;
            }
            Err(e) => {
                written.damage = Some(e);
                break;
            }
        }
        written.blocks += 1;
    }
    written.lines = writer.lines;
    Ok(written)
}

/// The binary trace that these lines stand for. Its content is not checked further than [`Trace::open`] does.
///
/// Takes memory in proportion to `bytes`.
///
/// # Errors
/// [`JsonlError`] at the first line that is not as [`to_jsonl`] writes it. Fields of the configuration may be missing: they are
/// those of [`swim_core::Config::lan`] then.
pub fn from_jsonl(bytes: &[u8]) -> Result<Vec<u8>, JsonlError> {
    let mut assembler = Assembler::default();
    let mut number = 0;
    for line in bytes.split(|&byte| byte == b'\n') {
        number += 1;
        if !line.trim_ascii().is_empty() {
            assembler.line(line).map_err(|what| JsonlError { line: number, what })?;
        }
    }
    assembler.finish().map_err(|what| JsonlError { line: number, what })
}
