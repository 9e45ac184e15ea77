//! What nodes say to each other about application data: which rumors and which versions of whose state they have, and
//! the rumors themselves. What changed in a state is in [`super::state`].
//!
//! ```text
//! digest:    nonce u32 · (id u64 · epoch u32 · version u32 · gc u32 · floor u32 · seen u64)+
//! app:       hash u32
//! summaries: (id u64 · epoch u32 · version u32 · last u32 · floor u32)+
//! rumors:    (origin u64 · epoch u32 · seq u32 · lamport u64 · age varint · topic length u8 · topic
//!            · payload length varint · payload)+
//! known:     (origin u64 · epoch u32 · seq u32 · known u8)+
//! ```

use core::time::Duration;

use super::codec::{Cursor, Reader, varint_len};
use super::state::StateItem;
use super::sync::Records;
use super::{DecodeError, Frame, Message, kind};
use crate::config::Config;
use crate::node::Rumor;
use crate::status::{NodeId, RumorId};

/// Bytes of a record of [`Frame::summaries`].
pub const SUMMARY_LEN: usize = 24;

/// Bytes of the section of the hash of all states and rumors, with its head.
pub(crate) const APP_HASH_LEN: usize = 6;

/// Bytes of a record of [`Frame::digests`].
pub const DIGEST_LEN: usize = 32;

/// Bytes of a record of [`Frame::known`].
pub const KNOWN_LEN: usize = 17;

/// The greatest age of a rumor, in milliseconds: what a varint holds at most.
const AGE_MAX: u64 = (1 << 34) - 1;

/// The longest payload of a rumor: no section is longer.
const PAYLOAD_MAX: u64 = u16::MAX as u64;

/// How far the sender is with what one member has written and told: whoever is behind asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The member.
    pub id: NodeId,
    /// The epoch of its incarnation.
    pub epoch: u32,
    /// The version of its state that the sender has; 0: nothing.
    pub version: u32,
    /// The newest of its rumors that the sender knows of; 0: none.
    pub last: u32,
    /// Of the rumors up to this one the sender has seen all and keeps none. At most `last`.
    pub floor: u32,
}

/// All that the sender has of one member's state and rumors: whoever has more tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The member.
    pub id: NodeId,
    /// The epoch of its incarnation.
    pub epoch: u32,
    /// The version of its state that the sender has; 0: nothing.
    pub version: u32,
    /// The newest version of a tombstone that the sender has dropped, or was told of as dropped.
    pub gc: u32,
    /// All of its rumors up to this one are known.
    pub floor: u32,
    /// Bit i, from the lowest: rumor `floor + 1 + i` is known.
    pub seen: u64,
}

/// Most bytes of a rumor in a frame whose topic and payload have so many: its age takes one to five of them.
pub const fn rumor_len(topic: usize, payload: usize) -> usize {
    let fixed = 30_usize.saturating_add(varint_len(payload as u64));
    fixed.saturating_add(topic).saturating_add(payload)
}

/// What the sections of application data hold; all of it is empty in other frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bodies<'a> {
    summaries: &'a [u8],
    states: &'a [u8],
    rumors: &'a [u8],
    known: &'a [u8],
}

impl<'a> Bodies<'a> {
    /// Checks and keeps the body of a section of these kinds. Out of line: few frames have one.
    #[inline(never)]
    pub(super) fn put(&mut self, kind: u8, body: &'a [u8]) -> Result<(), DecodeError> {
        match kind {
            kind::SUMMARIES => self.summaries = check(body, read_summary)?,
            kind::STATE => self.states = check(body, StateItem::read)?,
            kind::RUMORS => self.rumors = check(body, read_rumor)?,
            _ => self.known = check(body, read_known)?,
        }
        Ok(())
    }
}

/// One or more records.
pub(super) fn check<'a, T>(
    body: &'a [u8],
    read: fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<&'a [u8], DecodeError> {
    let mut r = Reader::new(body);
    read(&mut r)?;
    while !r.is_empty() {
        read(&mut r)?;
    }
    Ok(body)
}

/// The body of the section of the app hash, which is left out when it is 0.
pub(super) fn read_hash(body: &[u8]) -> Result<u32, DecodeError> {
    let mut r = Reader::new(body);
    match r.u32()? {
        _ if !r.is_empty() => Err(DecodeError::Trailing),
        0 => Err(DecodeError::Value),
        hash => Ok(hash),
    }
}

fn read_summary(r: &mut Reader<'_>) -> Result<Summary, DecodeError> {
    let id = NodeId::new(r.u64()?);
    let summary = Summary { id, epoch: r.u32()?, version: r.u32()?, last: r.u32()?, floor: r.u32()? };
    if summary.floor > summary.last { Err(DecodeError::Value) } else { Ok(summary) }
}

fn read_digest(r: &mut Reader<'_>) -> Result<Digest, DecodeError> {
    let id = NodeId::new(r.u64()?);
    let (epoch, version, gc) = (r.u32()?, r.u32()?, r.u32()?);
    Ok(Digest { id, epoch, version, gc, floor: r.u32()?, seen: r.u64()? })
}

fn read_rumor_id(r: &mut Reader<'_>) -> Result<RumorId, DecodeError> {
    Ok(RumorId { origin: NodeId::new(r.u64()?), epoch: r.u32()?, seq: r.u32()? })
}

pub(super) fn read_rumor<'a>(r: &mut Reader<'a>) -> Result<Rumor<'a>, DecodeError> {
    let (id, lamport) = (read_rumor_id(r)?, r.u64()?);
    let (age, topic_len) = (Duration::from_millis(r.varint(AGE_MAX)?), usize::from(r.u8()?));
    if id.seq == 0 || topic_len > Config::TOPIC_MAX {
        return Err(DecodeError::Value);
    }
    let topic = core::str::from_utf8(r.bytes(topic_len)?).map_err(|_| DecodeError::Value)?;
    let payload_len = r.varint(PAYLOAD_MAX)? as usize;
    Ok(Rumor { id, lamport, age, topic, payload: r.bytes(payload_len)? })
}

fn read_known(r: &mut Reader<'_>) -> Result<(RumorId, bool), DecodeError> {
    let id = read_rumor_id(r)?;
    match r.u8()? {
        known @ 0..=1 => Ok((id, known == 1)),
        _ => Err(DecodeError::Value),
    }
}

pub(super) fn write_summary(s: &Summary, c: &mut Cursor<'_>) -> Option<()> {
    debug_assert!(s.floor <= s.last, "no reader takes {s:?}");
    c.u64(s.id.as_u64())?;
    [s.epoch, s.version, s.last, s.floor].into_iter().try_for_each(|v| c.u32(v))
}

pub(super) fn write_digest(d: &Digest, c: &mut Cursor<'_>) -> Option<()> {
    c.u64(d.id.as_u64())?;
    [d.epoch, d.version, d.gc, d.floor].into_iter().try_for_each(|v| c.u32(v))?;
    c.u64(d.seen)
}

fn write_rumor_id(id: RumorId, c: &mut Cursor<'_>) -> Option<()> {
    c.u64(id.origin.as_u64())?;
    c.u32(id.epoch)?;
    c.u32(id.seq)
}

pub(super) fn write_rumor(rumor: &Rumor<'_>, c: &mut Cursor<'_>) -> Option<()> {
    let Rumor { id, lamport, age, topic, payload } = rumor;
    let valid = id.seq > 0 && topic.len() <= Config::TOPIC_MAX && payload.len() as u64 <= PAYLOAD_MAX;
    debug_assert!(valid, "no reader takes {id:?}, {} bytes of topic, {} of payload", topic.len(), payload.len());
    let topic_len = u8::try_from(topic.len()).ok().filter(|_| valid)?;
    write_rumor_id(*id, c)?;
    c.u64(*lamport)?;
    // Older ones are told by nobody.
    c.varint(u64::try_from(age.as_millis()).unwrap_or(AGE_MAX).min(AGE_MAX))?;
    c.u8(topic_len)?;
    c.bytes(topic.as_bytes())?;
    c.varint(payload.len() as u64)?;
    c.bytes(payload)
}

pub(super) fn write_known((id, known): (RumorId, bool), c: &mut Cursor<'_>) -> Option<()> {
    write_rumor_id(id, c)?;
    c.u8(u8::from(known))
}

impl<'a> Frame<'a> {
    /// Does it say anything about rumors or states? A digest asks, and says nothing.
    #[inline]
    pub fn has_app(&self) -> bool {
        let Bodies { summaries, states, rumors, known } = self.app;
        !(summaries.is_empty() && states.is_empty() && rumors.is_empty() && known.is_empty())
    }

    /// What the sender of a digest has.
    pub fn digests(&self) -> impl Iterator<Item = Digest> + use<'a> {
        let body = if let Some(Message::Digest { .. }) = self.message { self.sync.message } else { &[] };
        Records { rest: Reader::new(body), read: read_digest }
    }

    /// How far the sender is with these members' states and rumors.
    pub fn summaries(&self) -> impl Iterator<Item = Summary> + use<'a> {
        Records { rest: Reader::new(self.app.summaries), read: read_summary }
    }

    /// What was changed in members' states.
    pub fn states(&self) -> impl Iterator<Item = StateItem<'a>> + use<'a> {
        Records { rest: Reader::new(self.app.states), read: StateItem::read }
    }

    /// Rumors. Nobody has looked whether they are new.
    pub fn rumors(&self) -> impl Iterator<Item = Rumor<'a>> + use<'a> {
        Records { rest: Reader::new(self.app.rumors), read: read_rumor }
    }

    /// Feedback: rumors that the receiver has told the sender, and whether the sender had known them.
    pub fn known(&self) -> impl Iterator<Item = (RumorId, bool)> + use<'a> {
        Records { rest: Reader::new(self.app.known), read: read_known }
    }
}
