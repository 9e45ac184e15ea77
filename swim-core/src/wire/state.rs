//! What changed in one member's state: entries in the order in which they were written.
//!
//! ```text
//! item:  id u64 · epoch u32 · version varint · gc varint · from varint
//!        · (bytes of entries << 1 | complete) varint · entries
//! entry: step of the version varint · key length u8 · key
//!        · (value length << 2 | form) varint · [ms left varint] · value
//! ```

use super::DecodeError;
use super::codec::{Cursor, Reader, varint_len};
use crate::config::Config;
use crate::status::NodeId;

const FORM_PUT: u64 = 0;
const FORM_TTL: u64 = 1;
const FORM_DELETE: u64 = 2;

/// No section is longer, so no item has more bytes of entries.
pub(super) const ENTRIES_MAX: usize = u16::MAX as usize;

/// Most milliseconds that an entry or a tombstone may have left.
const TTL_MAX: u64 = (1 << 34) - 1;

/// What stands in front of a state's entries: whose they are, and what they add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateHead {
    /// The member.
    pub id: NodeId,
    /// The epoch of its incarnation.
    pub epoch: u32,
    /// The newest version that the sender has.
    pub version: u32,
    /// The newest version of a tombstone that the sender no longer has. At most `version`.
    pub gc: u32,
    /// The entries are all that the sender has above this version, up to [`StateItem::upto`]. At most `version`.
    pub from: u32,
}

/// A part of one member's state, as its sender has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateItem<'a> {
    /// The member.
    pub id: NodeId,
    /// The epoch of its incarnation.
    pub epoch: u32,
    /// The newest version that the sender has.
    pub version: u32,
    /// The newest version of a tombstone that the sender no longer has. At most `version`.
    pub gc: u32,
    /// The entries are all that the sender has above this version, up to [`Self::upto`]. At most `version`.
    pub from: u32,
    upto: u32,
    entries: &'a [u8],
}

/// One write of a member to its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateEntry<'a> {
    /// The version that it made.
    pub version: u32,
    /// What it is about: 1 to 64 bytes.
    pub key: &'a str,
    /// What was done.
    pub change: Change<'a>,
}

/// What a write did to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It has a value now.
    Put {
        /// At most [`Config::VALUE_MAX`] bytes.
        value: &'a [u8],
        /// It vanishes by itself after so many milliseconds, below 2^34.
        ttl_ms: Option<u64>,
    },
    /// It has none any more: a tombstone.
    Delete {
        /// The tombstone is dropped after so many milliseconds, below 2^34.
        ttl_ms: u64,
    },
}

impl<'a> StateItem<'a> {
    /// The version that whoever has `from` and takes over the entries is at: `version` where nothing was left out.
    pub fn upto(&self) -> u32 {
        self.upto
    }

    /// Are these all entries above `from`? Otherwise the datagram was full, and those above [`Self::upto`] were left
    /// out.
    pub fn is_complete(&self) -> bool {
        self.upto == self.version
    }

    /// The entries, oldest first.
    pub fn entries(&self) -> StateEntries<'a> {
        StateEntries { rest: Reader::new(self.entries), version: self.from, most: self.version }
    }

    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (id, epoch) = (NodeId::new(r.u64()?), r.u32()?);
        let version = r.varint(u32::MAX.into())? as u32;
        let (gc, from) = (r.varint(version.into())? as u32, r.varint(version.into())? as u32);
        let packed = r.varint(pack_len(ENTRIES_MAX, true))?;
        let entries = r.bytes((packed >> 1) as usize)?;
        let mut item = Self { id, epoch, version, gc, from, upto: from, entries };
        let mut all = item.entries();
        while !all.rest.is_empty() {
            item.upto = all.read()?.version;
        }
        let complete = packed & 1 == 1;
        if complete {
            item.upto = version;
        } else if item.upto == version || entries.is_empty() {
            return Err(DecodeError::Value);
        }
        Ok(item)
    }
}

/// The entries of one item. They have been checked, so the iterator cannot fail.
#[derive(Clone, Debug)]
pub struct StateEntries<'a> {
    rest: Reader<'a>,
    /// Of the entry before.
    version: u32,
    most: u32,
}

impl<'a> StateEntries<'a> {
    fn read(&mut self) -> Result<StateEntry<'a>, DecodeError> {
        let r = &mut self.rest;
        let step = r.varint(u32::MAX.into())? as u32;
        let version = self.version.checked_add(step).filter(|&v| step > 0 && v <= self.most);
        let version = version.ok_or(DecodeError::Value)?;
        let key_len = usize::from(r.u8()?);
        if key_len == 0 || key_len > Config::KEY_MAX {
            return Err(DecodeError::Value);
        }
        let key = core::str::from_utf8(r.bytes(key_len)?).map_err(|_| DecodeError::Value)?;
        let packed = r.varint((Config::VALUE_MAX as u64) << 2 | 3)?;
        let value_len = (packed >> 2) as usize;
        let change = match packed & 3 {
            FORM_PUT => Change::Put { value: r.bytes(value_len)?, ttl_ms: None },
            FORM_TTL => {
                let ttl_ms = Some(r.varint(TTL_MAX)?);
                Change::Put { value: r.bytes(value_len)?, ttl_ms }
            }
            FORM_DELETE if value_len == 0 => Change::Delete { ttl_ms: r.varint(TTL_MAX)? },
            _ => return Err(DecodeError::Value),
        };
        self.version = version;
        Ok(StateEntry { version, key, change })
    }
}

impl<'a> Iterator for StateEntries<'a> {
    type Item = StateEntry<'a>;

    fn next(&mut self) -> Option<StateEntry<'a>> {
        if self.rest.is_empty() { None } else { self.read().ok() }
    }
}

impl StateEntry<'_> {
    /// Bytes of the entry in a frame behind one of version `before`, or behind that from which the item goes on.
    pub fn wire_len(&self, before: u32) -> usize {
        let (value, form, ttl) = self.parts();
        let ttl = ttl.map_or(0, varint_len);
        let step = varint_len(self.version.saturating_sub(before).into());
        let fixed = [step, 1, self.key.len(), varint_len(pack_value(value, form)), ttl];
        fixed.into_iter().fold(value.len(), usize::saturating_add)
    }

    fn parts(&self) -> (&[u8], u64, Option<u64>) {
        match self.change {
            Change::Put { value, ttl_ms: None } => (value, FORM_PUT, None),
            Change::Put { value, ttl_ms: Some(ms) } => (value, FORM_TTL, Some(ms.min(TTL_MAX))),
            Change::Delete { ttl_ms } => (&[], FORM_DELETE, Some(ttl_ms.min(TTL_MAX))),
        }
    }

    /// Puts it behind an entry of version `before`; `None` when it does not fit, or when no reader would take it.
    pub(super) fn write(&self, before: u32, c: &mut Cursor<'_>) -> Option<()> {
        let (value, form, ttl) = self.parts();
        let step = self.version.checked_sub(before).filter(|&step| step > 0);
        let lens = (1..=Config::KEY_MAX).contains(&self.key.len()) && value.len() <= Config::VALUE_MAX;
        debug_assert!(step.is_some() && lens, "no reader takes {self:?} behind {before}");
        let (step, key_len) = (step.filter(|_| lens)?, u8::try_from(self.key.len()).ok()?);
        c.varint(step.into())?;
        c.u8(key_len)?;
        c.bytes(self.key.as_bytes())?;
        c.varint(pack_value(value, form))?;
        ttl.map_or(Some(()), |ms| c.varint(ms))?;
        c.bytes(value)
    }
}

impl StateHead {
    /// Puts all of an item but for the length of its entries.
    pub(super) fn write(&self, c: &mut Cursor<'_>) -> Option<()> {
        let Self { id, epoch, version, gc, from } = *self;
        let valid = gc <= version && from <= version;
        debug_assert!(valid, "no reader takes {self:?}");
        c.u64(id.as_u64()).filter(|()| valid)?;
        c.u32(epoch)?;
        [version, gc, from].into_iter().try_for_each(|v| c.varint(v.into()))
    }
}

impl StateItem<'_> {
    /// Puts the whole item, with the entries as they were read.
    pub(super) fn write(&self, c: &mut Cursor<'_>) -> Option<()> {
        let Self { id, epoch, version, gc, from, .. } = *self;
        StateHead { id, epoch, version, gc, from }.write(c)?;
        c.varint(pack_len(self.entries.len(), self.is_complete()))?;
        c.bytes(self.entries)
    }
}

/// The length of an item's entries, and whether there are no more of them.
pub(super) fn pack_len(len: usize, complete: bool) -> u64 {
    (len as u64) << 1 | u64::from(complete)
}

fn pack_value(value: &[u8], form: u64) -> u64 {
    (value.len() as u64) << 2 | form
}
