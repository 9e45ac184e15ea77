//! From blocks to lines.

use std::io::{self, Write};
use std::net::SocketAddr;

use serde::Serialize;
use serde_json::json;
use swim_trace::{Block, Entries, Entry, Header};

use super::header::HeaderJson;
use super::read::{Assembler, LZ4, OPEN};
use crate::json::{Digits, EventJson, Hex, InputJson};

/// The first line of all.
#[derive(Serialize)]
struct StartLine<'a> {
    trace: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lz4: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<HeaderJson<'a>>,
}

/// What a block begins with. The field order is that of the line.
#[derive(Serialize)]
struct BlockLine<'a> {
    block: &'static str,
    step: u64,
    at_us: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lz4: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digits<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
}

/// A block as bytes.
#[derive(Serialize)]
struct RawLine<'a> {
    block: u8,
    step: u64,
    at_us: u64,
    flags: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<Hex<'a>>,
    payload: Hex<'a>,
}

#[derive(Serialize)]
struct InputLine<'a> {
    step: u64,
    at_us: u64,
    check: Digits<u32>,
    #[serde(rename = "in")]
    input: InputJson<'a>,
}

#[derive(Serialize)]
struct SentLine<'a> {
    sent: SentJson<'a>,
}

#[derive(Serialize)]
struct SentJson<'a> {
    to: SocketAddr,
    bytes: Hex<'a>,
}

/// A note that is not known here.
#[derive(Serialize)]
struct NoteLine<'a> {
    note: u8,
    bytes: Hex<'a>,
}

pub(super) struct Writer<'o, W> {
    out: &'o mut W,
    /// Reads what is written.
    proof: Assembler,
    pub(super) lines: usize,
}

impl<'o, W: Write> Writer<'o, W> {
    pub(super) fn new(out: &'o mut W) -> Self {
        Self { out, proof: Assembler::default(), lines: 0 }
    }

    /// The first line, and the header's block where that has no readable form.
    pub(super) fn header(&mut self, header: &Header, reserved: &[u8], block: &Block<'_>) -> io::Result<()> {
        let reserved = Some(Hex::from(reserved)).filter(|bytes| bytes.0.iter().any(|&byte| byte != 0));
        let start =
            |lz4, header| StartLine { trace: swim_trace::FORMAT_VERSION, reserved: reserved.clone(), lz4, header };
        let readable = [line(&start(block.is_compressed(), Some(HeaderJson::of(header))))];
        if self.proves(&readable, block) {
            return self.put(&readable);
        }
        let raw = [line(&start(false, None)), raw(block)];
        let _ = self.proves(&raw, block);
        self.put(&raw)
    }

    pub(super) fn block(&mut self, block: &Block<'_>, is_last: bool) -> io::Result<()> {
        match readable(block, is_last) {
            Some(lines) if self.proves(&lines, block) => self.put(&lines),
            _ => {
                let raw = [raw(block)];
                let _ = self.proves(&raw, block);
                self.put(&raw)
            }
        }
    }

    /// Whether these lines are read as this block. Otherwise they were not read.
    fn proves(&mut self, lines: &[String], block: &Block<'_>) -> bool {
        let mut wanted = Vec::with_capacity(block.len());
        block.write(&mut wanted);
        self.proof.proves(lines, &wanted)
    }

    fn put(&mut self, lines: &[String]) -> io::Result<()> {
        self.lines += lines.len();
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers under string keys are always JSON")
}

fn raw(block: &Block<'_>) -> String {
    line(&RawLine {
        block: block.kind,
        step: block.step,
        at_us: block.at.as_micros(),
        flags: block.flags,
        reserved: Some(Hex::from(&block.reserved[..])).filter(|_| block.reserved != [0; 2]),
        payload: block.stored.into(),
    })
}

/// The block's lines, as far as all in it is known.
fn readable(block: &Block<'_>, is_last: bool) -> Option<Vec<String>> {
    let content = block.content().ok()?;
    let number = || content.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let bare = |name| BlockLine {
        block: name,
        step: block.step,
        at_us: block.at.as_micros(),
        lz4: block.flags & LZ4 != 0,
        open: block.flags & OPEN != 0,
        digest: None,
        snapshot: None,
        missing: None,
    };
    Some(match block.kind {
        2 => {
            let entries = Entries::of(&content, block.step, block.at)?;
            let mut lines = vec![line(&BlockLine { digest: Some(Digits(entries.digest())), ..bare("records") })];
            for entry in entries {
                lines.push(record(&entry.ok()?)?);
            }
            lines
        }
        3 => {
            let snapshot = Some(content.get(8..)?.into());
            vec![line(&BlockLine { digest: Some(Digits(number()?)), snapshot, ..bare("keyframe") })]
        }
        4 => vec![line(&BlockLine { missing: Some(number()?), ..bare("gap") })],
        5 if is_last && block.is_compressed() => vec![json!({ "block": "index", "lz4": true }).to_string()],
        5 if is_last => vec![json!({ "block": "index" }).to_string()],
        _ => return None,
    })
}

fn record(entry: &Entry<'_>) -> Option<String> {
    Some(match entry {
        Entry::Input { step, at, check, input } => {
            line(&InputLine { step: *step, at_us: at.as_micros(), check: Digits(*check), input: InputJson::of(input)? })
        }
        Entry::Sent { to, frame } => line(&SentLine { sent: SentJson { to: *to, bytes: (*frame).into() } }),
        Entry::Event(event) => line(&EventJson::of(event)?),
        Entry::Unknown { kind, body } => line(&NoteLine { note: *kind, bytes: (*body).into() }),
        _ => return None,
    })
}
