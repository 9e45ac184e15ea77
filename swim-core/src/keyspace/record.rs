//! One record of a keyspace as bytes: version u32, flags u8, key length u8, value length u16, the time it ends as u64
//! microseconds where it has one, key, value. All little-endian.
//!
//! Reading is total: bytes that are no record end the iteration, whoever wrote them.

use alloc::vec::Vec;

use crate::config::Config;
use crate::node::Entry;
use crate::time::Instant;

use super::{Change, KeyEntry};

/// The key was deleted; the time is the one at which the record itself goes.
pub(super) const TOMBSTONE: u8 = 1;
/// The record has a time: of a tombstone always.
pub(super) const EXPIRES: u8 = 2;
/// In a sweep: held from before, and not confirmed so far.
pub(super) const UNSEEN: u8 = 4;
/// Its time is over and it is hidden; the owner's tombstone will replace it.
pub(super) const EXPIRED: u8 = 8;
/// Within one call: it goes when the call is done.
pub(super) const DROPPED: u8 = 16;
/// Within one call: the delta has it, too.
pub(super) const CONFIRMED: u8 = 32;

/// Where the flags are.
const FLAGS_AT: usize = 4;

/// Bytes before key and value, without and with a time.
const HEAD: usize = 8;
const TIMED_HEAD: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) version: u32,
    pub(super) flags: u8,
    /// `NEVER` when it has no time.
    pub(super) ends: Instant,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at this place.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        let (version, rest) = bytes.get(at..)?.split_first_chunk()?;
        let (&[flags, key_len], rest) = rest.split_first_chunk()?;
        let (value_len, rest) = rest.split_first_chunk()?;
        let (ends, rest) = if flags & EXPIRES == 0 {
            (Instant::NEVER, rest)
        } else {
            let (micros, rest) = rest.split_first_chunk()?;
            (Instant::from_micros(u64::from_le_bytes(*micros)), rest)
        };
        let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
        let value = rest.get(..usize::from(u16::from_le_bytes(*value_len)))?;
        Some(Self { version: u32::from_le_bytes(*version), flags, ends, key, value })
    }

    /// What a change leaves; `flags` are those that the change itself does not imply.
    pub(super) fn of(e: &KeyEntry<'a>, flags: u8) -> Self {
        let key = e.key.as_bytes();
        let (flags, ends, value): (u8, Instant, &[u8]) = match e.change {
            Change::Put { value, expires: None } => (flags, Instant::NEVER, value),
            Change::Put { value, expires: Some(at) } => (flags | EXPIRES, at, value),
            Change::Delete { purge_at } => (flags | EXPIRES | TOMBSTONE, purge_at, &[]),
        };
        Self { version: e.version, flags, ends, key, value }
    }

    /// Appends it.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        make_room(bytes, self.len());
        bytes.extend_from_slice(&self.version.to_le_bytes());
        bytes.extend_from_slice(&[self.flags, self.key.len() as u8]);
        bytes.extend_from_slice(&(self.value.len() as u16).to_le_bytes());
        if self.flags & EXPIRES != 0 {
            bytes.extend_from_slice(&self.ends.as_micros().to_le_bytes());
        }
        bytes.extend_from_slice(self.key);
        bytes.extend_from_slice(self.value);
    }

    /// Bytes of the whole record.
    pub(super) fn len(&self) -> usize {
        self.head() + self.key.len() + self.value.len()
    }

    /// Bytes before the key.
    pub(super) fn head(&self) -> usize {
        if self.is(EXPIRES) { TIMED_HEAD } else { HEAD }
    }

    pub(super) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Neither deleted nor over.
    pub(super) fn is_visible(&self) -> bool {
        self.flags & (TOMBSTONE | EXPIRED) == 0
    }

    /// Bytes that count against what a state may have.
    pub(super) fn live_bytes(&self) -> usize {
        if self.is_visible() { self.key.len() + self.value.len() } else { 0 }
    }

    /// Bytes that count against what an owner may write: with something for the head, which others store, too.
    pub(super) fn cost(&self) -> usize {
        if self.is_visible() { self.live_bytes() + Config::ENTRY_COST } else { 0 }
    }

    /// What readers see of it.
    pub(super) fn entry(&self) -> Option<Entry<'a>> {
        let key = core::str::from_utf8(self.key).ok().filter(|_| self.is_visible())?;
        Some(Entry { key, value: self.value, version: self.version })
    }

    /// What other holders are told of it.
    pub(super) fn key_entry(&self) -> Option<KeyEntry<'a>> {
        let key = core::str::from_utf8(self.key).ok()?;
        let change = if self.is(TOMBSTONE) {
            Change::Delete { purge_at: self.ends }
        } else {
            Change::Put { value: self.value, expires: Some(self.ends).filter(|_| self.is(EXPIRES)) }
        };
        Some(KeyEntry { version: self.version, key, change })
    }
}

/// Takes room for so many bytes more, and some: there are as many maps as members, so it is an eighth and no more.
fn make_room(bytes: &mut Vec<u8>, more: usize) {
    if bytes.capacity() - bytes.len() < more {
        bytes.reserve_exact(more.max(bytes.len() / 8));
    }
}

/// Puts records behind those that are there.
pub(super) fn append(bytes: &mut Vec<u8>, records: &[u8]) {
    make_room(bytes, records.len());
    bytes.extend_from_slice(records);
}

/// The record of this key that stays.
pub(super) fn find<'a>(bytes: &'a [u8], key: &[u8]) -> Option<(usize, Record<'a>)> {
    records(bytes).find(|(_, r)| r.key == key && !r.is(DROPPED))
}

/// Gives the record at this place another version.
pub(super) fn set_version(bytes: &mut [u8], at: usize, version: u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = version.to_le_bytes();
    }
}

/// The records and where each begins, in their order.
#[derive(Clone, Debug)]
pub(super) struct Records<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = (usize, Record<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, record) = (self.at, Record::at(self.bytes, self.at)?);
        self.at += record.len();
        Some((at, record))
    }
}

pub(super) fn records(bytes: &[u8]) -> Records<'_> {
    Records { bytes, at: 0 }
}

/// Sets the flags of the record that begins here; never whether it has a time, which decides its length.
pub(super) fn set_flags(bytes: &mut [u8], at: usize, flags: u8) {
    if let Some(place) = bytes.get_mut(at + FLAGS_AT) {
        *place = flags;
    }
}

/// Gives every record the flags that `f` names.
pub(super) fn reflag(bytes: &mut [u8], mut f: impl FnMut(usize, &Record<'_>) -> u8) {
    let mut at = 0;
    while let Some(record) = Record::at(bytes, at) {
        let (flags, len) = (f(at, &record), record.len());
        set_flags(bytes, at, flags);
        at += len;
    }
}

/// Removes the dropped records; the others keep their order.
pub(super) fn compact(bytes: &mut Vec<u8>) {
    let (mut from, mut to) = (0, 0);
    while let Some(record) = Record::at(bytes, from) {
        let (dropped, len) = (record.is(DROPPED), record.len());
        if !dropped {
            bytes.copy_within(from..from + len, to);
            to += len;
        }
        from += len;
    }
    bytes.truncate(to);
}
