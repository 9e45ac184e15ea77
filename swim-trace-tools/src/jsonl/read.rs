//! From lines to blocks.

use serde_json::Value;
use swim_core::Instant;
use swim_trace::block::{self, Builder, PAYLOAD_MAX, RECORD_MAX};
use swim_trace::{Block, FORMAT_VERSION, Index, Place, Recorded, Trace};

use super::fields::Fields;
use super::header::header;
use crate::json::{Digits, EventJson, Hex, InputJson};

/// Flags of a block.
pub(super) const LZ4: u8 = 1;
pub(super) const OPEN: u8 = 2;

/// Bytes of a file before its first block.
const START: usize = 16;

/// Puts a trace together, line by line.
#[derive(Default)]
pub(super) struct Assembler {
    /// What is not handed out yet.
    out: Vec<u8>,
    /// Bytes that were handed out before.
    base: usize,
    /// The blocks so far.
    places: Vec<Place>,
    open: Option<Records>,
    begun: bool,
    /// An index was read: that is the last block.
    over: bool,
}

/// The block of records that the lines belong to.
struct Records {
    builder: Builder,
    place: Place,
    digest: u64,
    lz4: bool,
    open: bool,
    next_step: u64,
}

impl Assembler {
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let mut fields = Fields::of(line)?;
        if !self.begun {
            return self.start(fields);
        }
        if !fields.has("block") {
            let open = self.open.as_mut();
            return open.ok_or("this belongs to a block of records, and there is none before it")?.line(fields);
        }
        self.close();
        if self.over {
            return Err("an index is the last block, and here is another".into());
        }
        match fields.take("block")? {
            Value::String(kind) => self.named(&kind, fields),
            Value::Number(kind) => self.raw(&kind, fields),
            other => Err(format!("\"block\": {other} is neither a name nor a number")),
        }
    }

    /// The whole file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, String> {
        self.close();
        if !self.begun {
            return Err("there is no line".into());
        }
        Trace::open(&self.out).map_err(|e| format!("the lines make no trace that can be read: {e}"))?;
        Ok(self.out)
    }

    /// Whether these lines give just these bytes of a block. Otherwise they were not read.
    pub(super) fn proves(&mut self, lines: &[String], wanted: &[u8]) -> bool {
        let before = (self.places.len(), self.begun, self.over);
        let read = lines.iter().all(|line| self.line(line.as_bytes()).is_ok());
        self.close();
        let same = read && self.out.get(if before.1 { 0 } else { START }..) == Some(wanted);
        if same {
            self.base += self.out.len();
        } else {
            self.places.truncate(before.0);
            (self.begun, self.over) = (before.1, before.2);
        }
        self.out.clear();
        same
    }

    fn start(&mut self, mut fields: Fields) -> Result<(), String> {
        let version: u16 = fields.take("trace")?;
        if version != FORMAT_VERSION {
            return Err(format!("version {version} of the format, and this build reads version {FORMAT_VERSION}"));
        }
        let reserved = if fields.has("reserved") { fields.bytes("reserved")? } else { [0; 6] };
        let (lz4, value) = (fields.flag("lz4")?, fields.maybe("header")?);
        fields.done()?;
        let header = value.map(header).transpose()?;
        block::preamble(reserved, &mut self.out);
        self.begun = true;
        let Some(header) = header else { return Ok(()) };
        let mut whole = Vec::new();
        block::start(&header, &mut whole);
        let block = whole.get(START..).unwrap_or_default();
        self.put(Place { offset: 0, kind: 1, step: 0, at: header.began }, block, lz4);
        Ok(())
    }

    fn named(&mut self, kind: &str, mut fields: Fields) -> Result<(), String> {
        let lz4 = fields.flag("lz4")?;
        let mut bytes = Vec::new();
        let kind = match kind {
            "index" => {
                fields.done()?;
                // Where the blocks are does not stand in the lines.
                let mut index = Index::default();
                self.places.iter().for_each(|&place| index.push(place));
                index.write(&mut bytes);
                self.over = true;
                self.put(Place { offset: 0, kind: 5, step: 0, at: Instant::ORIGIN }, &bytes, lz4);
                return Ok(());
            }
            "records" => {
                self.open = Some(Records::new(fields, lz4)?);
                return Ok(());
            }
            "keyframe" => 3,
            "gap" => 4,
            _ => {
                return Err(format!(
                    "a block {kind:?}: there are records, keyframe, gap, index, and numbers for others"
                ));
            }
        };
        let (step, at) = (fields.take("step")?, Instant::from_micros(fields.take("at_us")?));
        if kind == 3 {
            let digest = fields.take::<Digits<u64>>("digest")?.0;
            let snapshot: Hex<'static> = fields.take("snapshot")?;
            block::keyframe(step, at, digest, &snapshot.0, &mut bytes);
        } else {
            block::gap(step, at, fields.take("missing")?, &mut bytes);
        }
        fields.done()?;
        self.put(Place { offset: 0, kind, step, at }, &bytes, lz4);
        Ok(())
    }

    fn raw(&mut self, kind: &serde_json::Number, mut fields: Fields) -> Result<(), String> {
        let kind = kind.as_u64().and_then(|kind| u8::try_from(kind).ok());
        let kind = kind.ok_or("\"block\": a kind is a number up to 255")?;
        let (step, at) = (fields.take("step")?, Instant::from_micros(fields.take("at_us")?));
        let flags = fields.take("flags")?;
        let reserved = if fields.has("reserved") { fields.bytes("reserved")? } else { [0; 2] };
        let payload: Hex<'static> = fields.take("payload")?;
        fields.done()?;
        if payload.0.len() > PAYLOAD_MAX {
            return Err(format!("\"payload\" has more than {PAYLOAD_MAX} bytes"));
        }
        let mut bytes = Vec::new();
        Block { index: 0, offset: 0, kind, step, at, flags, reserved, stored: &payload.0 }.write(&mut bytes);
        self.put(Place { offset: 0, kind, step, at }, &bytes, false);
        Ok(())
    }

    /// The block of records is over.
    fn close(&mut self) {
        if let Some(records) = self.open.take() {
            let (place, lz4) = (records.place, records.lz4);
            let block = records.sealed();
            self.put(place, &block, lz4);
        }
    }

    fn put(&mut self, place: Place, block: &[u8], lz4: bool) {
        let offset = self.base + self.out.len();
        if place.kind != 5 {
            self.places.push(Place { offset, ..place });
        }
        match lz4 {
            true => self.out.extend_from_slice(&block::compressed(block)),
            false => self.out.extend_from_slice(block),
        }
    }
}

impl Records {
    fn new(mut fields: Fields, lz4: bool) -> Result<Self, String> {
        let (step, at) = (fields.take("step")?, Instant::from_micros(fields.take("at_us")?));
        let (digest, open) = (fields.take::<Digits<u64>>("digest")?.0, fields.flag("open")?);
        fields.done()?;
        let place = Place { offset: 0, kind: 2, step, at };
        Ok(Self { builder: Builder::new(step, at, Vec::new()), place, digest, lz4, open, next_step: step })
    }

    fn line(&mut self, mut fields: Fields) -> Result<(), String> {
        let before = self.builder.len();
        if fields.has("in") {
            self.input(fields)?;
        } else if fields.has("sent") {
            let mut sent = Fields::from_value(fields.take("sent")?, "sent")?;
            fields.done()?;
            let (to, bytes): (_, Hex<'static>) = (sent.take("to")?, sent.take("bytes")?);
            sent.done()?;
            self.builder.sent(to, &bytes.0);
        } else if fields.has("event") {
            let event: EventJson = serde_json::from_value(Value::Object(fields.rest())).map_err(|e| e.to_string())?;
            self.builder.event(&event.event());
        } else if fields.has("note") {
            let (kind, bytes): (u8, Hex<'static>) = (fields.take("note")?, fields.take("bytes")?);
            fields.done()?;
            if kind < 64 {
                return Err(format!("\"note\": {kind} is an input's kind, and those of notes begin with 64"));
            }
            self.builder.note(kind, &bytes.0);
        } else {
            return Err("a line has one of the keys \"block\", \"in\", \"sent\", \"event\", \"note\"".into());
        }
        // The word before it says how long it is.
        if self.builder.len() - before > 4 + RECORD_MAX {
            return Err(format!("the record has more than {RECORD_MAX} bytes"));
        }
        match self.builder.len() > PAYLOAD_MAX {
            true => Err(format!("the block has more than {PAYLOAD_MAX} bytes")),
            false => Ok(()),
        }
    }

    fn input(&mut self, mut fields: Fields) -> Result<(), String> {
        let (step, at): (u64, _) = (fields.take("step")?, Instant::from_micros(fields.take("at_us")?));
        let check = fields.take::<Digits<u32>>("check")?.0;
        let input: InputJson<'static> = fields.take("in")?;
        fields.done()?;
        if step != self.next_step {
            return Err(format!("step {step} where step {} belongs", self.next_step));
        }
        let input: Recorded<'_> = input.input().map_err(|e| format!("\"in\": {e}"))?;
        self.builder.input(at, check, &input.as_input());
        self.next_step = step.checked_add(1).ok_or("\"step\" is too large")?;
        Ok(())
    }

    fn sealed(self) -> Vec<u8> {
        let sealed = if self.open { self.builder.seal_open(self.digest) } else { self.builder.seal(self.digest) };
        let mut block = Vec::with_capacity(sealed.len());
        // Digest and checks are a trace's already.
        block::copy(&sealed, &mut block);
        block
    }
}
