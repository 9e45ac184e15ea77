//! A file of a trace, read block by block.

use std::borrow::Cow;

use swim_core::Instant;

use crate::block::{self, HEAD, MAGIC, OVERHEAD, PAYLOAD_MAX, START, TAIL, flag, kind};
use crate::bytes::Bytes;
use crate::cursor::Cursor;
use crate::error::{Damage, TraceError};
use crate::header::Header;

/// The version of the format that is written and read: `docs/trace.md`.
pub const FORMAT_VERSION: u16 = 1;

/// A trace, its header read and nothing else yet.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl<'a> Trace<'a> {
    /// Reads what a trace begins with, of the bytes of a whole file.
    ///
    /// # Errors
    /// [`TraceError`] when they do not begin with a header that this build reads.
    pub fn open(bytes: &'a [u8]) -> Result<Self, TraceError> {
        let at_start = |damage| TraceError::new(0, 0, damage);
        let mut start = Bytes(bytes);
        if start.array() != Some(MAGIC) {
            return Err(at_start(if is_text(bytes) { Damage::TextMode } else { Damage::NotATrace }));
        }
        let torn = Damage::Torn { wanted: START + OVERHEAD, found: bytes.len() };
        let version = start.array().map(u16::from_le_bytes).ok_or_else(|| at_start(torn.clone()))?;
        if version != FORMAT_VERSION {
            return Err(at_start(Damage::Version { found: version }));
        }
        start.array::<6>().ok_or_else(|| at_start(torn))?;
        let block = match (Blocks { bytes, offset: START, index: 0, over: false }).next() {
            Some(block) => block?,
            None => return Err(TraceError::new(0, START, Damage::NoHeader)),
        };
        if block.kind != kind::HEADER {
            return Err(TraceError::new(0, START, Damage::NoHeader));
        }
        let content = block.content()?;
        let mut body = Bytes(&content);
        let header: Header = body.value().ok_or_else(|| block.malformed("the header"))?;
        if header.frame_max > MAX_FRAME || header.config.validate().is_err() {
            return Err(block.malformed("the header's configuration"));
        }
        Ok(Self { bytes, header })
    }

    /// What it says of the node.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its blocks, from the header's on. After an error there are no more: what is intact before it was given.
    pub fn blocks(&self) -> Blocks<'a> {
        Blocks { bytes: self.bytes, offset: START, index: 0, over: false }
    }

    /// The file has no more blocks than this, by their lengths alone: each takes [`OVERHEAD`] bytes at least.
    pub(crate) fn blocks_at_most(&self) -> usize {
        let (mut offset, mut count) = (START, 0);
        while let Some(len) = self.bytes.get(offset..).and_then(|rest| rest.first_chunk()) {
            let len = u32::from_le_bytes(*len) as usize;
            offset = offset.saturating_add(OVERHEAD).saturating_add(len);
            count += usize::from(offset <= self.bytes.len());
        }
        count
    }

    /// What is in it, from its beginning.
    pub fn cursor(&self) -> Cursor<'a> {
        Cursor::new(self.blocks())
    }

    /// Why it cannot be read to its end: it was cut off there, or is damaged.
    pub fn damage(&self) -> Option<TraceError> {
        let mut cursor = self.cursor();
        std::iter::from_fn(|| cursor.next().map(Result::err)).flatten().next()
    }

    /// The blocks from number `index` on, which begins at `offset`; anything else there is an error of the first of them.
    pub(crate) fn blocks_from(&self, index: usize, offset: usize) -> Blocks<'a> {
        Blocks { bytes: self.bytes, offset, index, over: false }
    }
}

/// A UDP datagram has no room for more.
const MAX_FRAME: u32 = 65_535;

/// Was it a trace before a transfer took it for text?
fn is_text(bytes: &[u8]) -> bool {
    let begins: [&[u8]; 6] = [
        b"\x89SWT\n\x1a\n",
        b"\x89SWT\r\n\x1a\r\n",
        b"\x89SWT\r\r\n\x1a\r\n",
        b"\x09SWT",
        "\u{89}SWT".as_bytes(),
        "\u{fffd}SWT".as_bytes(),
    ];
    begins.iter().any(|begin| bytes.starts_with(begin))
}

/// One block: its lengths and its checksum are right.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Which, from 0.
    pub index: usize,
    /// Where it begins in the file.
    pub offset: usize,
    /// What it is: 1 the header, 2 records, 3 a keyframe, 4 a gap, 5 an index; others are of later versions.
    pub kind: u8,
    /// The number of the first input that is in it, or comes after it.
    pub step: u64,
    /// The time of the input before that.
    pub at: Instant,
    /// As `docs/trace.md` numbers them: 1 compressed, 2 the last step is not over; others are of later versions.
    pub flags: u8,
    /// The two bytes of its head that mean nothing yet; a writer makes them 0.
    pub reserved: [u8; 2],
    /// Its payload as it stands in the file, perhaps compressed.
    pub stored: &'a [u8],
}

impl<'a> Block<'a> {
    /// Bytes that it takes in the file.
    pub fn len(&self) -> usize {
        OVERHEAD + self.stored.len()
    }

    /// Whether it has no payload.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Whether its payload is compressed.
    pub fn is_compressed(&self) -> bool {
        self.flags & flag::LZ4 != 0
    }

    /// Its payload, decompressed.
    ///
    /// # Errors
    /// [`TraceError`] when it cannot be decompressed, or is of a later version.
    pub fn content(&self) -> Result<Cow<'a, [u8]>, TraceError> {
        if self.flags & !(flag::LZ4 | flag::OPEN) != 0 {
            return Err(self.malformed("a flag of a later version"));
        }
        if !self.is_compressed() {
            return Ok(Cow::Borrowed(self.stored));
        }
        let mut stored = Bytes(self.stored);
        let len = stored.u32().ok_or_else(|| self.malformed("the length of a compressed block"))? as usize;
        // No byte of LZ4 stands for more than 255.
        if len > PAYLOAD_MAX || len / 255 > stored.0.len() {
            return Err(self.malformed("the length of a compressed block"));
        }
        match lz4_flex::block::decompress(stored.0, len) {
            Ok(content) if content.len() == len => Ok(Cow::Owned(content)),
            _ => Err(self.malformed("compression")),
        }
    }

    /// Writes it again; [`Self::len`] bytes.
    ///
    /// # Panics
    /// When [`Self::stored`] was replaced by more than [`block::PAYLOAD_MAX`] bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        assert!(self.stored.len() <= PAYLOAD_MAX, "a payload of {} bytes", self.stored.len());
        let from = out.len();
        block::whole(self.kind, self.flags, (self.step, self.at), self.stored, out);
        if self.reserved != [0; 2] {
            out[from + 6..from + 8].copy_from_slice(&self.reserved);
            let checked = out.len() - TAIL;
            let checksum = crc32fast::hash(&out[from..checked]).to_le_bytes();
            out[checked..checked + 4].copy_from_slice(&checksum);
        }
    }

    /// An error at this block: its content contradicts the format, since this does not hold.
    pub fn malformed(&self, what: &'static str) -> TraceError {
        TraceError::new(self.index, self.offset, Damage::Malformed(what))
    }
}

/// The blocks of a trace, in order.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    bytes: &'a [u8],
    offset: usize,
    index: usize,
    over: bool,
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over || self.offset == self.bytes.len() {
            return None;
        }
        let read = block_at(self.bytes, self.index, self.offset);
        match read {
            Ok(ref block) => {
                self.offset += block.len();
                self.index += 1;
            }
            Err(_) => self.over = true,
        }
        Some(read)
    }
}

fn block_at(bytes: &[u8], index: usize, offset: usize) -> Result<Block<'_>, TraceError> {
    let error = |damage| TraceError::new(index, offset, damage);
    let whole = bytes.get(offset..).ok_or_else(|| error(Damage::Length))?;
    let torn = |wanted| {
        // A length that points past the end is that of the last block, which was cut off, or a damaged one.
        let damage =
            if ends_whole(bytes, offset) { Damage::Length } else { Damage::Torn { wanted, found: whole.len() } };
        error(damage)
    };
    let mut head = Bytes(whole);
    let (Some(len), Some([kind, flags, first, second]), Some(step), Some(at)) =
        (head.u32(), head.array(), head.u64(), head.u64())
    else {
        return Err(torn(OVERHEAD));
    };
    let len = len as usize;
    let Some(stored) = head.take(len).filter(|_| len <= PAYLOAD_MAX) else {
        return Err(torn(OVERHEAD.saturating_add(len)));
    };
    let checked = &whole[..HEAD + len];
    let (Some(checksum), Some(again)) = (head.u32(), head.u32()) else { return Err(torn(OVERHEAD + len)) };
    if again as usize != len {
        return Err(error(Damage::Length));
    }
    if crc32fast::hash(checked) != checksum {
        return Err(error(Damage::Checksum));
    }
    Ok(Block { index, offset, kind, step, at: Instant::from_micros(at), flags, reserved: [first, second], stored })
}

/// Does the file end with a whole block that begins behind `offset`? Then it was not cut off there.
fn ends_whole(bytes: &[u8], offset: usize) -> bool {
    last_block(bytes).is_some_and(|at| at > offset)
}

/// Where the last block begins, by the length at the end; `None` when there is no whole block there.
pub(crate) fn last_block(bytes: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(*bytes.last_chunk()?) as usize;
    let at = bytes.len().checked_sub(OVERHEAD)?.checked_sub(len)?;
    let (checked, tail) = bytes.get(at..)?.split_at_checked(HEAD + len)?;
    debug_assert_eq!(tail.len(), TAIL, "what is behind the payload is the tail");
    let begins = u32::from_le_bytes(*checked.first_chunk()?) as usize == len && at >= START;
    (begins && tail.starts_with(&crc32fast::hash(checked).to_le_bytes())).then_some(at)
}
