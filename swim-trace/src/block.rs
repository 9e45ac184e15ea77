//! The blocks of a trace, written: `docs/trace.md` defines them byte by byte.
//!
//! A recorder appends inputs to a [`Builder`] and seals it now and then; a keyframe, a gap or a header is one block by itself.
//! The blocks one behind the other, after [`start`], are a trace, once each of those that a builder has made is finished
//! ([`finish`]): what that takes is not the recorder's to spend.

use std::net::SocketAddr;

use swim_core::{Event, Input, Instant};

use crate::header::Header;
use crate::record;

pub use crate::record::LEN_MAX as RECORD_MAX;

/// The first bytes of every trace: one that is no text, and line ends that a transfer as text would change.
pub(crate) const MAGIC: [u8; 8] = *b"\x89SWT\r\n\x1a\n";
/// Magic, version, and six bytes of zero.
pub(crate) const START: usize = 16;
/// Length, kind, flags, two bytes of zero, step and time.
pub(crate) const HEAD: usize = 24;
/// Checksum and length.
pub(crate) const TAIL: usize = 8;
/// Bytes of a block beside its payload.
pub const OVERHEAD: usize = HEAD + TAIL;
/// Most bytes of payload, before and after compression.
pub const PAYLOAD_MAX: usize = 1 << 30;

pub(crate) mod kind {
    pub(crate) const HEADER: u8 = 1;
    pub(crate) const RECORDS: u8 = 2;
    pub(crate) const KEYFRAME: u8 = 3;
    pub(crate) const GAP: u8 = 4;
    pub(crate) const INDEX: u8 = 5;
}

pub(crate) mod flag {
    /// The payload is compressed: its true length, then one block of LZ4.
    pub(crate) const LZ4: u8 = 1;
    /// Records: the last step was not over when the block was sealed, so the digest is that before it.
    pub(crate) const OPEN: u8 = 2;
}

/// Writes what every trace begins with: magic, version, and the header's block.
pub fn start(header: &Header, out: &mut Vec<u8>) {
    preamble([0; 6], out);
    let payload = postcard::to_allocvec(header).expect("a header of strings and numbers serialises into a vector");
    whole(kind::HEADER, 0, (0, header.began), &payload, out);
}

/// Writes what comes before the header's block: magic, version, and six bytes that mean nothing yet.
pub fn preamble(reserved: [u8; 6], out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&crate::FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&reserved);
}

/// Writes the node's state before input number `step`: the digest so far, and a snapshot.
pub fn keyframe(step: u64, at: Instant, digest: u64, snapshot: &[u8], out: &mut Vec<u8>) {
    let from = begin(out, kind::KEYFRAME, step, at);
    out.extend_from_slice(&digest.to_le_bytes());
    out.extend_from_slice(snapshot);
    seal(out, from, 0);
}

/// Writes that so many inputs from number `step` on are not there. What follows begins with a keyframe.
pub fn gap(step: u64, at: Instant, missing: u64, out: &mut Vec<u8>) {
    whole(kind::GAP, 0, (step, at), &missing.to_le_bytes(), out);
}

/// Writes a block of any kind whose payload is given as it is.
pub(crate) fn whole(kind: u8, flags: u8, (step, at): (u64, Instant), payload: &[u8], out: &mut Vec<u8>) {
    let from = begin(out, kind, step, at);
    out.extend_from_slice(payload);
    seal(out, from, flags);
}

/// Appends a block to a trace. What a builder has sealed gets what it lacks: the digest of the inputs, and the checksum. A block of
/// any other kind is complete, and copied.
///
/// # Panics
/// When this is not one whole block, as the functions of this module write them.
pub fn finish(block: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(block);
    if block[4] != kind::RECORDS {
        return;
    }
    let end = out.len() - TAIL;
    let records = from + HEAD + RECORDS_AT;
    let inputs = record::mix(&mut out[records..end]);
    let inputs = if block[5] & flag::OPEN == 0 { inputs.now } else { inputs.before };
    out[from + HEAD..records]
        .iter_mut()
        .zip(inputs.value().to_le_bytes())
        .for_each(|(digest, inputs)| *digest ^= inputs);
    checksum(&mut out[from..]);
}

/// Appends a block that was sealed with checks and a digest as a trace has them: it lacks the checksum only.
///
/// # Panics
/// As [`finish`].
pub fn copy(block: &[u8], out: &mut Vec<u8>) {
    let from = out.len();
    out.extend_from_slice(block);
    checksum(&mut out[from..]);
}

fn checksum(block: &mut [u8]) {
    let end = block.len() - TAIL;
    let checksum = crc32fast::hash(&block[..end]).to_le_bytes();
    block[end..end + 4].copy_from_slice(&checksum);
}

/// The same block, compressed; unchanged when that makes it no shorter, and when it is compressed already.
///
/// # Panics
/// When this is not one whole block, as the functions of this module write them.
pub fn compressed(block: &[u8]) -> Vec<u8> {
    let payload = &block[HEAD..block.len() - TAIL];
    let flags = block[5];
    let mut out = Vec::with_capacity(block.len());
    if flags & flag::LZ4 == 0 {
        out.extend_from_slice(&block[..HEAD]);
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&lz4_flex::block::compress(payload));
    }
    if out.is_empty() || out.len() + TAIL >= block.len() {
        return block.to_vec();
    }
    seal(&mut out, 0, flags | flag::LZ4);
    out
}

fn begin(out: &mut Vec<u8>, kind: u8, step: u64, at: Instant) -> usize {
    let from = out.len();
    out.extend_from_slice(&head(kind, step, at));
    from
}

/// A head whose length and flags are not yet known.
fn head(kind: u8, step: u64, at: Instant) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[4] = kind;
    head[8..16].copy_from_slice(&step.to_le_bytes());
    head[16..].copy_from_slice(&at.as_micros().to_le_bytes());
    head
}

/// The head is at `from`, the payload all that follows.
fn seal(out: &mut Vec<u8>, from: usize, flags: u8) {
    let len = ((out.len() - from - HEAD) as u32).to_le_bytes();
    out[from..from + 4].copy_from_slice(&len);
    out[from + 5] = flags;
    let checksum = crc32fast::hash(&out[from..]).to_le_bytes();
    out.extend_from_slice(&checksum);
    out.extend_from_slice(&len);
}

/// A block of records that is still open. Its memory is kept from one to the next.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// Head, digest, records.
    bytes: Vec<u8>,
    /// The time of the last input.
    at: Instant,
}

/// Where the records of a block begin: behind the digest.
pub(crate) const RECORDS_AT: usize = 8;

impl Builder {
    /// A block whose first input is number `step`; `at` is the time of the input before, or when the node was constructed.
    /// Writes into `memory`, whose content is gone.
    pub fn new(step: u64, at: Instant, mut memory: Vec<u8>) -> Self {
        memory.clear();
        memory.extend_from_slice(&head(kind::RECORDS, step, at));
        memory.extend_from_slice(&[0; RECORDS_AT]);
        Self { bytes: memory, at }
    }

    /// The number of its first input.
    pub fn first(&self) -> u64 {
        self.bytes.get(8..16).and_then(|step| step.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// Bytes so far, without the tail.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= HEAD + RECORDS_AT
    }

    /// The next input. `check` is that of the digest before it. Where `at` is before the last one's, as a clock that is set
    /// back makes it, that is kept.
    #[inline]
    pub fn input(&mut self, at: Instant, check: u32, input: &Input<'_>) {
        let elapsed = at.as_micros().wrapping_sub(self.at.as_micros());
        self.at = at;
        let elapsed = match u32::try_from(elapsed) {
            Ok(elapsed) => elapsed,
            Err(_) => record::put_time(self, at),
        };
        record::put_input(self, elapsed, check, input);
    }

    /// A datagram that the last input made the node send: the frame.
    pub fn sent(&mut self, to: SocketAddr, frame: &[u8]) {
        record::put_sent(self, to, frame);
    }

    /// An event that the last input made the node tell.
    pub fn event(&mut self, event: &Event) {
        record::put_event(self, event);
    }

    /// A note of any kind from 64 on, known here or not, as its bytes.
    ///
    /// # Panics
    /// When the kind is that of an input.
    pub fn note(&mut self, kind: u8, body: &[u8]) {
        assert!(kind >= record::NOTES, "kind {kind} is an input's");
        record::put_note(self, kind, body);
    }

    /// The whole block, not yet finished, when the last step is over. `digest` is that behind it.
    pub fn seal(mut self, digest: u64) -> Vec<u8> {
        self.close(digest, 0);
        self.bytes
    }

    /// The whole block as it stands, not yet finished: the last step is not over, and `digest` is that before it. More can be recorded.
    pub fn seal_open(&self, digest: u64) -> Vec<u8> {
        let mut copy = Self { bytes: Vec::with_capacity(self.bytes.len() + TAIL), at: self.at };
        copy.bytes.extend_from_slice(&self.bytes);
        copy.close(digest, flag::OPEN);
        copy.bytes
    }

    /// Appends both.
    #[inline]
    pub(crate) fn put<const N: usize>(&mut self, head: &[u8; N], body: &[u8]) {
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(body);
    }

    fn close(&mut self, digest: u64, flags: u8) {
        self.bytes[HEAD..HEAD + RECORDS_AT].copy_from_slice(&digest.to_le_bytes());
        let len = ((self.bytes.len() - HEAD) as u32).to_le_bytes();
        self.bytes[..4].copy_from_slice(&len);
        self.bytes[5] = flags;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&len);
    }
}
