//! What nodes say to each other to find out where their tables differ: ranges of keys, nodes of the tree with the hashes
//! of their children, and short lists of members.
//!
//! ```text
//! pull:    nonce u32 · range+        range: from u32 · to u32
//! compare: nonce u32 · level u8 · node+   node: prefix u32 · 64 × hash u32
//! differ:  nonce u32 · bitmap u64+
//! held:    (id u64 · hash u32 · app hash u32)+
//! wanted:  id u64+
//! ```

use serde::{Deserialize, Serialize};

use super::codec::Reader;
use super::{DecodeError, Frame, Message, PAGE_END};
use crate::status::NodeId;

/// Children of a node of the tree.
pub const CHILDREN: usize = 64;

/// Levels of the tree, the root's being 0.
pub const LEVELS: u8 = 5;

/// Bytes of a record of what is held.
pub(crate) const HELD_LEN: usize = 16;

/// Most ranges in one pull.
const RANGES_MAX: usize = 256;

/// Keys from `from` on, below `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    /// The first key.
    pub from: u32,
    /// The key behind the last one, at most [`PAGE_END`].
    pub to: u32,
}

impl KeyRange {
    /// All keys there are.
    pub const ALL: Self = Self { from: 0, to: PAGE_END };
}

/// A node of the sender's tree: the prefix of its keys, and the short hashes of what its children add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeNode {
    /// The upper bits of its keys: 6 bits per level.
    pub prefix: u32,
    /// By child.
    pub hashes: [u32; CHILDREN],
}

/// Ranges that ascend, and have a gap between them: one encoding for one set of keys.
pub(super) fn check_ranges(body: &[u8]) -> Result<(), DecodeError> {
    if body.len() > RANGES_MAX * 8 {
        return Err(DecodeError::Value);
    }
    let (mut r, mut last) = (Reader::new(body), None);
    loop {
        let range = read_range(&mut r)?;
        if range.from >= range.to || range.to > PAGE_END || last >= Some(range.from) {
            return Err(DecodeError::Value);
        }
        last = Some(range.to);
        if r.is_empty() {
            return Ok(());
        }
    }
}

pub(super) fn check_nodes(level: u8, body: &[u8]) -> Result<(), DecodeError> {
    let (mut r, mut last) = (Reader::new(body), None);
    let end = 1_u32.checked_shl(u32::from(level).saturating_mul(6)).filter(|_| level < LEVELS);
    loop {
        let node = read_node(&mut r)?;
        if end.is_none_or(|end| node.prefix >= end) || last >= Some(node.prefix) {
            return Err(DecodeError::Value);
        }
        last = Some(node.prefix);
        if r.is_empty() {
            return Ok(());
        }
    }
}

/// One or more records of `size` bytes.
pub(super) fn check_records(body: &[u8], size: usize) -> Result<&[u8], DecodeError> {
    let whole = !body.is_empty() && body.chunks(size).all(|record| record.len() == size);
    if whole { Ok(body) } else { Err(DecodeError::Truncated) }
}

fn read_range(r: &mut Reader<'_>) -> Result<KeyRange, DecodeError> {
    Ok(KeyRange { from: r.u32()?, to: r.u32()? })
}

fn read_node(r: &mut Reader<'_>) -> Result<TreeNode, DecodeError> {
    let mut node = TreeNode { prefix: r.u32()?, hashes: [0; CHILDREN] };
    for hash in &mut node.hashes {
        *hash = r.u32()?;
    }
    Ok(node)
}

/// The records of a body that has been checked.
pub(super) struct Records<'a, T> {
    pub(super) rest: Reader<'a>,
    pub(super) read: fn(&mut Reader<'a>) -> Result<T, DecodeError>,
}

impl<T> Iterator for Records<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.rest.is_empty() { None } else { (self.read)(&mut self.rest).ok() }
    }
}

/// What the sync messages and sections of a frame hold; all of it is empty in other frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bodies<'a> {
    /// The records of the message; those of a digest, too.
    pub(super) message: &'a [u8],
    pub(super) held: &'a [u8],
    pub(super) wanted: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The keys that a pull asks for.
    pub fn ranges(&self) -> impl Iterator<Item = KeyRange> + use<'a> {
        let body = if let Some(Message::Pull { .. }) = self.message { self.sync.message } else { &[] };
        Records { rest: Reader::new(body), read: read_range }
    }

    /// The nodes that are to be compared.
    pub fn nodes(&self) -> impl Iterator<Item = TreeNode> + use<'a> {
        let body = if let Some(Message::Compare { .. }) = self.message { self.sync.message } else { &[] };
        Records { rest: Reader::new(body), read: read_node }
    }

    /// For each node that was to be compared, which of its children differ: child 0 is the lowest bit.
    pub fn bitmaps(&self) -> impl Iterator<Item = u64> + use<'a> {
        let body = if let Some(Message::Differ { .. }) = self.message { self.sync.message } else { &[] };
        Records { rest: Reader::new(body), read: |r| r.u64() }
    }

    /// The live members that the sender of a pull has in what it asks for, the short hashes of their rows, and those of
    /// what it has of their states and rumors.
    pub fn held(&self) -> impl Iterator<Item = (NodeId, u32, u32)> + use<'a> {
        Records { rest: Reader::new(self.sync.held), read: |r| Ok((NodeId::new(r.u64()?), r.u32()?, r.u32()?)) }
    }

    /// The members whose rows the sender of a page asks for.
    pub fn wanted(&self) -> impl Iterator<Item = NodeId> + use<'a> {
        Records { rest: Reader::new(self.sync.wanted), read: |r| Ok(NodeId::new(r.u64()?)) }
    }
}
