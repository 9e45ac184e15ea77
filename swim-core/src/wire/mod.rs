//! The frame: what one datagram says once its envelope is open. `docs/wire.md` is normative.
//!
//! ```text
//! sender id u64 · sender epoch u32 · sender refutations varint · view hash u64 · sections
//! section: kind u8 · length varint · body
//! ```
//!
//! Kinds ascend strictly, so a frame has one encoding. Kinds 1 to 15 are messages, at most one per frame; 16 and 17 are
//! lists of [`Item`]s; 18 asks who the receiver is; 19 and 20 are short lists of members; 21 to 25 are about application
//! data; 26 proves an address; other kinds are skipped. A frame is checked whole before any of it has an effect.

// Remote bytes end here: nothing in this module may index, overflow or unwrap.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

mod app;
mod codec;
mod item;
mod opaque;
pub(crate) mod probe;
mod state;
mod sync;
mod writer;

#[cfg(test)]
mod tests;

use core::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::app::APP_HASH_LEN;
pub use self::app::{DIGEST_LEN, Digest, KNOWN_LEN, SUMMARY_LEN, Summary, rumor_len};
use self::codec::Reader;
#[cfg(all(swim_mutations, feature = "std"))]
pub(crate) use self::codec::TAKES_OVERLONG;
pub use self::item::{Accusers, Detail, Item, More};
pub use self::opaque::{Opaque, opaque};
pub use self::state::{Change, StateEntries, StateEntry, StateHead, StateItem};
pub(crate) use self::sync::HELD_LEN;
pub use self::sync::{CHILDREN, KeyRange, LEVELS, TreeNode};
pub use self::writer::Writer;
use crate::status::{Incarnation, NodeId};

/// Bytes of the question who with a cookie, and of a proof, with the head of the section.
pub(crate) const WHO_LEN: usize = 10;

/// Most accusers in one item: the first one and three confirmations (Lifeguard's K = 3).
pub const MAX_ACCUSERS: usize = 4;

/// The key behind the last one there can be, and [`Message::Page`]'s `next` when nothing is left to ask for.
pub const PAGE_END: u32 = 1 << 30;

pub(crate) mod kind {
    pub(crate) const PING: u8 = 1;
    pub(crate) const ACK: u8 = 2;
    pub(crate) const PING_REQ: u8 = 3;
    pub(crate) const RELAYED_ACK: u8 = 4;
    pub(crate) const NACK: u8 = 5;
    pub(crate) const NOT_ME: u8 = 6;
    pub(crate) const PULL: u8 = 7;
    pub(crate) const PAGE: u8 = 8;
    pub(crate) const COMPARE: u8 = 9;
    pub(crate) const DIFFER: u8 = 10;
    pub(crate) const PUSH: u8 = 11;
    pub(crate) const DIGEST: u8 = 12;
    pub(crate) const DELTA: u8 = 13;
    pub(crate) const PROVE: u8 = 14;
    /// Messages are the kinds up to here, known or not.
    pub(crate) const LAST_MESSAGE: u8 = 15;
    pub(crate) const UPDATES: u8 = 16;
    pub(crate) const ROWS: u8 = 17;
    pub(crate) const WHO: u8 = 18;
    pub(crate) const HELD: u8 = 19;
    pub(crate) const WANTED: u8 = 20;
    pub(crate) const APP: u8 = 21;
    pub(crate) const SUMMARIES: u8 = 22;
    pub(crate) const STATE: u8 = 23;
    pub(crate) const RUMORS: u8 = 24;
    pub(crate) const KNOWN: u8 = 25;
    pub(crate) const PROOF: u8 = 26;
    /// Makes a request longer, so that its answer may be. Skipped like any unknown kind.
    pub(crate) const PADDING: u8 = 255;
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// It ends too early.
    Truncated,
    /// A varint is over-long or too large.
    Varint,
    /// A section's body is longer than what it holds.
    Trailing,
    /// Sections do not ascend, or there are two messages.
    Order,
    /// A value that is never sent: an unknown form or family, text that is not UTF-8, a length or a version beyond its
    /// bound.
    Value,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the frame ends too early",
            Self::Varint => "a varint is over-long or too large",
            Self::Trailing => "a section has bytes left over",
            Self::Order => "sections do not ascend, or there are two messages",
            Self::Value => "a value is out of its bounds",
        })
    }
}

impl core::error::Error for DecodeError {}

/// What a frame asks or answers; a frame without one is gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Message {
    /// Are you there? Whoever is not `target` answers [`Message::NotMe`].
    Ping {
        /// Who should answer.
        target: NodeId,
        /// Comes back in the ack.
        nonce: u32,
    },
    /// I am, whoever I am: the frame's sender says so.
    Ack {
        /// Of the ping.
        nonce: u32,
    },
    /// Ping `target` for me.
    PingReq {
        /// Whom.
        target: NodeId,
        /// Comes back in the relayed ack, in the nack, or in [`Message::NotMe`], which refuses.
        nonce: u32,
    },
    /// The one you asked me to ping has answered, with this incarnation.
    RelayedAck {
        /// Of the ping-req.
        nonce: u32,
        /// The target's, in its ack to the relay.
        incarnation: Incarnation,
    },
    /// The one you asked me to ping has not answered yet, but I am here (Lifeguard's nack).
    Nack {
        /// Of the ping-req.
        nonce: u32,
    },
    /// I am not the one you pinged; or I do not ping the one that you asked me to.
    NotMe {
        /// Of the ping, or of the ping-req.
        nonce: u32,
    },
    /// Send me your rows in these ranges of keys ([`Frame::ranges`]), but for those that I hold ([`Frame::held`]).
    Pull {
        /// Comes back in the page.
        nonce: u32,
    },
    /// Rows, in this frame's section of rows; and those that I lack, please ([`Frame::wanted`]).
    Page {
        /// Of the pull.
        nonce: u32,
        /// All that was asked for below this key has been told; [`PAGE_END`]: all of it. The pull's own first key: no
        /// row fits into what may be answered to this address, so ask with more bytes.
        next: u32,
    },
    /// Compare these nodes of my tree ([`Frame::nodes`]) with yours.
    Compare {
        /// Comes back in the answer, and salts the hashes.
        nonce: u32,
        /// Of the nodes; 0 is the root's.
        level: u8,
    },
    /// Their children that differ ([`Frame::bitmaps`]).
    Differ {
        /// Of the comparison.
        nonce: u32,
    },
    /// Rows that you lack, or hold in an older state.
    Push,
    /// This is what I have of these members' states and rumors ([`Frame::digests`]): send me what I lack.
    Digest {
        /// Comes back in the delta.
        nonce: u32,
    },
    /// What you lack, in this frame's sections of application data.
    Delta {
        /// Of the digest.
        nonce: u32,
    },
    /// I do not know you: ask again, with the cookie that stands here ([`Frame::cookie`]), so that I see that I reach you.
    Prove {
        /// Of the pull.
        nonce: u32,
    },
}

/// One datagram's content: checked whole, nothing copied.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Who sent it, as it says.
    pub sender: NodeId,
    /// The sender's own incarnation.
    pub incarnation: Incarnation,
    /// The sum of the sender's live rows' hashes (`docs/wire.md`, "View hash").
    pub view_hash: u64,
    /// What it asks or answers.
    pub message: Option<Message>,
    /// The sender does not know the receiver, and asks it to introduce itself.
    pub asks_who: bool,
    /// To be sent back with that introduction: it shows that the receiver is heard at its address.
    pub cookie: Option<u64>,
    /// The cookie that the receiver has given to the sender.
    pub proof: Option<u64>,
    /// The sum of what the sender has of its live members' states and rumors; 0 when there is nothing.
    pub app_hash: u32,
    updates: &'a [u8],
    rows: &'a [u8],
    sync: sync::Bodies<'a>,
    app: app::Bodies<'a>,
}

impl<'a> Frame<'a> {
    /// Checks all of `bytes`. Time is linear in the length, and nothing is allocated.
    ///
    /// # Errors
    /// [`DecodeError`] when they are not exactly one frame.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let sender = NodeId::new(r.u64()?);
        let incarnation = item::read_incarnation(&mut r)?;
        let view_hash = r.u64()?;
        let (mut message, mut asks_who, mut cookie, mut proof) = (None, false, None, None);
        let (mut updates, mut rows): (&[u8], &[u8]) = (&[], &[]);
        let (mut sync, mut app, mut app_hash) = (sync::Bodies::default(), app::Bodies::default(), 0);
        let mut last = 0;
        while !r.is_empty() {
            let kind = r.u8()?;
            let len = r.varint(u64::from(u16::MAX))? as usize;
            let body = r.bytes(len)?;
            let two_messages = kind <= kind::LAST_MESSAGE && last != 0;
            if kind <= last || two_messages {
                return Err(DecodeError::Order);
            }
            last = kind;
            match kind {
                ..=kind::LAST_MESSAGE => message = read_message(kind, body, &mut sync)?,
                kind::UPDATES => updates = check_items(body)?,
                kind::ROWS => rows = check_items(body)?,
                kind::WHO if body.is_empty() => asks_who = true,
                kind::WHO => (asks_who, cookie) = (true, Some(read_cookie(body)?)),
                kind::HELD => sync.held = sync::check_records(body, HELD_LEN)?,
                kind::WANTED => sync.wanted = sync::check_records(body, 8)?,
                kind::APP => app_hash = app::read_hash(body)?,
                kind::SUMMARIES..=kind::KNOWN => app.put(kind, body)?,
                kind::PROOF => proof = Some(read_cookie(body)?),
                _ => {}
            }
        }
        Ok(Self {
            sender,
            incarnation,
            view_hash,
            message,
            asks_who,
            cookie,
            proof,
            app_hash,
            updates,
            rows,
            sync,
            app,
        })
    }

    /// Is it part of a sync?
    pub(crate) fn is_sync(&self) -> bool {
        let Some(message) = self.message else { return false };
        matches!(message, Message::Page { .. } | Message::Push)
    }

    /// Gossip: what the sender has to tell.
    pub fn updates(&self) -> Items<'a> {
        Items(Reader::new(self.updates))
    }

    /// Rows of the sender's table, in answer to a pull or to introduce itself.
    pub fn rows(&self) -> Items<'a> {
        Items(Reader::new(self.rows))
    }
}

fn check_items(body: &[u8]) -> Result<&[u8], DecodeError> {
    let mut r = Reader::new(body);
    if r.is_empty() {
        return Err(DecodeError::Truncated);
    }
    while !r.is_empty() {
        Item::read(&mut r)?;
    }
    Ok(body)
}

fn read_cookie(body: &[u8]) -> Result<u64, DecodeError> {
    let mut r = Reader::new(body);
    let cookie = r.u64()?;
    if r.is_empty() { Ok(cookie) } else { Err(DecodeError::Trailing) }
}

/// A message, or `None` for a kind of a later version.
#[inline]
fn read_message<'a>(kind: u8, body: &'a [u8], sync: &mut sync::Bodies<'a>) -> Result<Option<Message>, DecodeError> {
    let r = &mut Reader::new(body);
    let message = match kind {
        kind::PING => Message::Ping { target: NodeId::new(r.u64()?), nonce: r.u32()? },
        kind::ACK => Message::Ack { nonce: r.u32()? },
        kind::PING_REQ => Message::PingReq { target: NodeId::new(r.u64()?), nonce: r.u32()? },
        kind::RELAYED_ACK => Message::RelayedAck { nonce: r.u32()?, incarnation: item::read_incarnation(r)? },
        kind::NACK => Message::Nack { nonce: r.u32()? },
        kind::NOT_ME => Message::NotMe { nonce: r.u32()? },
        kind::DELTA => Message::Delta { nonce: r.u32()? },
        kind::PROVE => Message::Prove { nonce: r.u32()? },
        kind::PULL..=kind::DIGEST => return read_sync(kind, r, sync).map(Some),
        _ => return Ok(None),
    };
    if r.is_empty() { Ok(Some(message)) } else { Err(DecodeError::Trailing) }
}

fn read_sync<'a>(kind: u8, r: &mut Reader<'a>, sync: &mut sync::Bodies<'a>) -> Result<Message, DecodeError> {
    match kind {
        kind::PULL => {
            let nonce = r.u32()?;
            sync.message = r.rest();
            sync::check_ranges(sync.message).map(|()| Message::Pull { nonce })
        }
        kind::COMPARE => {
            let (nonce, level) = (r.u32()?, r.u8()?);
            sync.message = r.rest();
            sync::check_nodes(level, sync.message).map(|()| Message::Compare { nonce, level })
        }
        kind::DIFFER => {
            let nonce = r.u32()?;
            sync.message = sync::check_records(r.rest(), 8)?;
            Ok(Message::Differ { nonce })
        }
        kind::DIGEST => {
            let nonce = r.u32()?;
            sync.message = sync::check_records(r.rest(), DIGEST_LEN)?;
            Ok(Message::Digest { nonce })
        }
        kind::PAGE => match (r.u32()?, r.u32()?) {
            _ if !r.is_empty() => Err(DecodeError::Trailing),
            (_, next) if next > PAGE_END => Err(DecodeError::Value),
            (nonce, next) => Ok(Message::Page { nonce, next }),
        },
        _ if r.is_empty() => Ok(Message::Push),
        _ => Err(DecodeError::Trailing),
    }
}

/// The items of one section. They have been checked, so the iterator cannot fail.
#[derive(Clone, Debug)]
pub struct Items<'a>(Reader<'a>);

impl Items<'_> {
    /// No items at all.
    pub fn is_empty(&self) -> bool {
        self.0.rest().is_empty()
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.0.is_empty() { None } else { Item::read(&mut self.0).ok() }
    }
}
