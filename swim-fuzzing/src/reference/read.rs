//! Head, frame of sections, and messages.

use super::sections::{digests, held, items, known, parts, rumors, summaries, wanted};
use super::{Content, Life, Said};

/// Bytes that are taken off the front, one after the other.
pub(super) struct Input {
    bytes: Vec<u8>,
    at: usize,
}

impl Input {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0 }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn bytes(&mut self, n: usize) -> Option<Vec<u8>> {
        if n > self.left() {
            return None;
        }
        self.at += n;
        Some(self.bytes[self.at - n..self.at].to_vec())
    }

    /// A little-endian integer of so many bytes.
    pub(super) fn fixed(&mut self, n: usize) -> Option<u64> {
        let bytes = self.bytes(n)?;
        Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        Some(self.fixed(1)? as u8)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(self.fixed(4)? as u32)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.fixed(8)
    }

    /// Unsigned LEB128 in at most 5 bytes, not over-long, at most `most`.
    pub(super) fn varint(&mut self, most: u64) -> Option<u64> {
        let mut groups = Vec::new();
        loop {
            let byte = self.u8()?;
            groups.push(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
            if groups.len() == 5 {
                return None;
            }
        }
        if groups.len() > 1 && groups.last() == Some(&0) {
            return None;
        }
        let value = groups.iter().rev().fold(0, |value, &group| value << 7 | u64::from(group));
        (value <= most).then_some(value)
    }

    /// Epoch and refutations.
    pub(super) fn life(&mut self) -> Option<Life> {
        Some((self.u32()?, self.varint((1 << 30) - 1)? as u32))
    }

    pub(super) fn text(&mut self, n: usize) -> Option<String> {
        String::from_utf8(self.bytes(n)?).ok()
    }

    /// One or more of these, to the end.
    pub(super) fn all<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = vec![read(self)?];
        while self.left() > 0 {
            all.push(read(self)?);
        }
        Some(all)
    }
}

/// What the bytes say, or `None` when they are refused.
pub(crate) fn decode(bytes: &[u8]) -> Option<Content> {
    let mut input = Input::new(bytes);
    let mut content = Content {
        sender: input.u64()?,
        life: input.life()?,
        view_hash: input.u64()?,
        message: None,
        updates: Vec::new(),
        rows: Vec::new(),
        who: false,
        cookie: None,
        held: Vec::new(),
        wanted: Vec::new(),
        app: 0,
        summaries: Vec::new(),
        states: Vec::new(),
        rumors: Vec::new(),
        known: Vec::new(),
        proof: None,
    };
    let mut kinds = Vec::new();
    while input.left() > 0 {
        let kind = input.u8()?;
        let length = input.varint(65_535)? as usize;
        let mut body = Input::new(&input.bytes(length)?);
        match kind {
            1..=15 => content.message = message(kind, &mut body)?,
            16 => content.updates = body.all(items)?,
            17 => content.rows = body.all(items)?,
            18 => {
                content.who = true;
                content.cookie = if body.left() > 0 { Some(body.u64()?) } else { None };
            }
            19 => content.held = body.all(held)?,
            20 => content.wanted = body.all(wanted)?,
            21 => content.app = Some(body.u32()?).filter(|&hash| hash != 0)?,
            22 => content.summaries = body.all(summaries)?,
            23 => content.states = body.all(parts)?,
            24 => content.rumors = body.all(rumors)?,
            25 => content.known = body.all(known)?,
            26 => content.proof = Some(body.u64()?),
            _ => {}
        }
        // What is skipped is not looked at.
        let skipped = matches!(kind, 15 | 27..);
        if !skipped && body.left() > 0 {
            return None;
        }
        kinds.push(kind);
    }
    let ascend = kinds.windows(2).all(|pair| pair[0] < pair[1]) && kinds.first() != Some(&0);
    let messages = kinds.iter().filter(|&&kind| kind <= 15).count();
    (ascend && messages <= 1).then_some(content)
}

/// `Some(None)` for a kind of a later version.
fn message(kind: u8, body: &mut Input) -> Option<Option<Said>> {
    let said = match kind {
        1 => Said::Ping { target: body.u64()?, nonce: body.u32()? },
        2 => Said::Ack { nonce: body.u32()? },
        3 => Said::PingReq { target: body.u64()?, nonce: body.u32()? },
        4 => Said::RelayedAck { nonce: body.u32()?, life: body.life()? },
        5 => Said::Nack { nonce: body.u32()? },
        6 => Said::NotMe { nonce: body.u32()? },
        7 => Said::Pull { nonce: body.u32()?, ranges: ranges(body)? },
        8 => Said::Page { nonce: body.u32()?, next: Some(body.u32()?).filter(|&next| next <= 1 << 30)? },
        9 => {
            let (nonce, level) = (body.u32()?, body.u8()?);
            Said::Compare { nonce, level, nodes: nodes(level, body)? }
        }
        10 => Said::Differ { nonce: body.u32()?, bitmaps: body.all(Input::u64)? },
        11 => Said::Push,
        12 => Said::Digest { nonce: body.u32()?, records: body.all(digests)? },
        13 => Said::Delta { nonce: body.u32()? },
        14 => Said::Prove { nonce: body.u32()? },
        _ => return Some(None),
    };
    Some(Some(said))
}

fn ranges(body: &mut Input) -> Option<Vec<(u32, u32)>> {
    let ranges = body.all(|input| Some((input.u32()?, input.u32()?)))?;
    let whole = ranges.iter().all(|&(from, to)| from < to && to <= 1 << 30);
    let apart = ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
    (ranges.len() <= 256 && whole && apart).then_some(ranges)
}

fn nodes(level: u8, body: &mut Input) -> Option<Vec<(u32, Vec<u32>)>> {
    let nodes = body.all(|input| {
        let prefix = input.u32()?;
        let hashes: Option<Vec<u32>> = (0..64).map(|_| input.u32()).collect();
        Some((prefix, hashes?))
    })?;
    let ascend = nodes.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let there = level <= 4 && nodes.iter().all(|&(prefix, _)| u64::from(prefix) < 64_u64.pow(level.into()));
    (ascend && there).then_some(nodes)
}
