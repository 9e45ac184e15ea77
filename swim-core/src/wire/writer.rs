//! Writes one frame into the caller's buffer. Nothing that does not fit leaves a trace.

mod app;

use super::codec::{Cursor, varint_len};
use super::item::{self, Item};
use super::{CHILDREN, KeyRange, Message, kind};
use crate::status::{Incarnation, NodeId, Status};

/// Writes a frame: the head, at most one message, then sections of items in ascending kind.
#[derive(Debug)]
pub struct Writer<'a> {
    out: Cursor<'a>,
    /// The open section: where it starts and how many bytes its length was given.
    open: Option<(usize, usize)>,
}

impl<'a> Writer<'a> {
    /// Begins a frame in `buf`; `None` when not even the head fits.
    #[inline]
    pub fn new(buf: &'a mut [u8], sender: NodeId, incarnation: Incarnation, view_hash: u64) -> Option<Self> {
        let mut out = Cursor::new(buf);
        out.u64(sender.as_u64())?;
        item::write_incarnation(incarnation, &mut out)?;
        out.u64(view_hash)?;
        Some(Self { out, open: None })
    }

    /// Bytes that still fit.
    pub fn room(&self) -> usize {
        self.out.room()
    }

    /// Puts the message; `false` when it does not fit. A pull asks for everything, see [`Self::pull`] for less; the
    /// nodes of a comparison, its answer and a digest are written by [`Self::compare`], [`Self::differ`] and
    /// [`Self::digest`], and never here.
    #[inline]
    pub fn message(&mut self, message: Message) -> bool {
        let mark = self.out.at();
        let done = self.put_message(message).is_some();
        if !done {
            self.out.rewind(mark);
        }
        done
    }

    #[inline]
    fn put_message(&mut self, message: Message) -> Option<()> {
        let c = &mut self.out;
        let mut head = |kind: u8, len: u8| -> Option<()> { c.bytes(&[kind, len]) };
        match message {
            Message::Ping { target, nonce } => {
                head(kind::PING, 12)?;
                c.u64(target.as_u64())?;
                c.u32(nonce)
            }
            Message::Ack { nonce } => head(kind::ACK, 4).and_then(|()| c.u32(nonce)),
            Message::PingReq { target, nonce } => {
                head(kind::PING_REQ, 12)?;
                c.u64(target.as_u64())?;
                c.u32(nonce)
            }
            Message::RelayedAck { nonce, incarnation } => {
                let len = varint_len(incarnation.refutations().into()).saturating_add(8);
                head(kind::RELAYED_ACK, u8::try_from(len).ok()?)?;
                c.u32(nonce)?;
                item::write_incarnation(incarnation, c)
            }
            Message::Nack { nonce } => head(kind::NACK, 4).and_then(|()| c.u32(nonce)),
            Message::NotMe { nonce } => head(kind::NOT_ME, 4).and_then(|()| c.u32(nonce)),
            Message::Prove { nonce } => head(kind::PROVE, 4).and_then(|()| c.u32(nonce)),
            Message::Delta { nonce } => head(kind::DELTA, 4).and_then(|()| c.u32(nonce)),
            Message::Page { nonce, next } => {
                head(kind::PAGE, 8)?;
                c.u32(nonce)?;
                c.u32(next)
            }
            Message::Push => head(kind::PUSH, 0),
            Message::Pull { nonce } => {
                head(kind::PULL, 12)?;
                c.u32(nonce)?;
                c.u32(KeyRange::ALL.from)?;
                c.u32(KeyRange::ALL.to)
            }
            // Bodies that are written piece by piece.
            Message::Compare { .. } | Message::Differ { .. } | Message::Digest { .. } => None,
        }
    }

    /// Puts a pull of these ranges, which must ascend with gaps between them.
    pub fn pull(&mut self, nonce: u32, ranges: impl Iterator<Item = KeyRange>) -> bool {
        self.records(
            kind::PULL,
            |c| c.u32(nonce),
            ranges,
            |c, range| {
                c.u32(range.from)?;
                c.u32(range.to)
            },
        )
    }

    /// Puts a comparison of nodes of one level, whose prefixes must ascend.
    pub fn compare(&mut self, nonce: u32, level: u8, nodes: impl Iterator<Item = (u32, [u32; CHILDREN])>) -> bool {
        let head = |c: &mut Cursor<'_>| {
            c.u32(nonce)?;
            c.u8(level)
        };
        self.records(kind::COMPARE, head, nodes, |c, (prefix, hashes)| {
            c.u32(prefix)?;
            hashes.iter().try_for_each(|&hash| c.u32(hash))
        })
    }

    /// Puts which children differ, in the order in which their nodes were asked about.
    pub fn differ(&mut self, nonce: u32, bitmaps: impl Iterator<Item = u64>) -> bool {
        self.records(kind::DIFFER, |c| c.u32(nonce), bitmaps, |c, bitmap| c.u64(bitmap))
    }

    /// Puts the section of members held, with the short hashes of their rows and those of their application data;
    /// `false` when it does not fit.
    pub fn held(&mut self, held: impl Iterator<Item = (NodeId, u32, u32)>) -> bool {
        self.records(
            kind::HELD,
            |_| Some(()),
            held,
            |c, (id, hash, app_hash)| {
                c.u64(id.as_u64())?;
                c.u32(hash)?;
                c.u32(app_hash)
            },
        )
    }

    /// Puts the section of members wanted; `false` when it does not fit.
    pub fn wanted(&mut self, wanted: impl Iterator<Item = NodeId>) -> bool {
        self.records(kind::WANTED, |_| Some(()), wanted, |c, id| c.u64(id.as_u64()))
    }

    /// A section of a head and one record after another, whole or not at all; without a record it vanishes.
    fn records<T>(
        &mut self,
        kind: u8,
        head: impl FnOnce(&mut Cursor<'_>) -> Option<()>,
        records: impl Iterator<Item = T>,
        mut put: impl FnMut(&mut Cursor<'_>, T) -> Option<()>,
    ) -> bool {
        let mark = self.out.at();
        if !self.open_section(kind) || head(&mut self.out).is_none() {
            self.open = None;
            self.out.rewind(mark);
            return false;
        }
        let body = self.out.at();
        let mut records = records;
        let fits = records.try_for_each(|record| put(&mut self.out, record)).is_some();
        if !fits || self.out.at() == body {
            self.open = None;
            self.out.rewind(mark);
            return fits;
        }
        self.close_section();
        true
    }

    /// Corrects `next` of the page message that was put last, which is known only once its rows are written.
    pub(crate) fn set_next(&mut self, message_end: usize, next: u32) {
        if let Some(at) = message_end.checked_sub(4) {
            self.out.patch(at, &next.to_le_bytes());
        }
    }

    /// Opens the section of updates (gossip).
    pub fn open_updates(&mut self) -> bool {
        self.open_section(kind::UPDATES)
    }

    /// Opens the section of rows.
    pub fn open_rows(&mut self) -> bool {
        self.open_section(kind::ROWS)
    }

    fn open_section(&mut self, kind: u8) -> bool {
        debug_assert!(self.open.is_none(), "sections do not nest");
        let start = self.out.at();
        // The length is known when the section closes. Room is kept for the longest it can be, also
        // when more room is released before that.
        let len_bytes = varint_len(self.out.whole_room().min(usize::from(u16::MAX)) as u64);
        let fits = self.out.u8(kind).is_some() && self.out.bytes([0; 3].get(..len_bytes).unwrap_or(&[])).is_some();
        if fits {
            self.open = Some((start, len_bytes));
        } else {
            self.out.rewind(start);
        }
        fits
    }

    /// Asks the receiver to introduce itself, and to send this back with it. `false` when it does not fit.
    pub fn ask_who(&mut self, cookie: Option<u64>) -> bool {
        match cookie {
            None => self.out.bytes(&[kind::WHO, 0]).is_some(),
            Some(cookie) => self.put_cookie(kind::WHO, cookie),
        }
    }

    /// Puts the cookie that the receiver has given. `false` when it does not fit.
    pub fn proof(&mut self, cookie: u64) -> bool {
        self.put_cookie(kind::PROOF, cookie)
    }

    fn put_cookie(&mut self, kind: u8, cookie: u64) -> bool {
        let mark = self.out.at();
        let done = self.out.bytes(&[kind, 8]).is_some() && self.out.u64(cookie).is_some();
        if !done {
            self.out.rewind(mark);
        }
        done
    }

    /// Makes the frame at least `len` bytes long with a last section of zeros, if there is room.
    pub(crate) fn pad_to(&mut self, len: usize) {
        const ZEROS: [u8; 64] = [0; 64];
        // Kind and a two-byte length, whose body has at least 128 bytes.
        let body = len.saturating_sub(self.written()).saturating_sub(3).max(128);
        let mark = self.out.at();
        let put = |c: &mut Cursor<'_>| -> Option<()> {
            c.u8(kind::PADDING)?;
            c.varint(body.min(usize::from(u16::MAX)) as u64)?;
            let mut left = body.min(usize::from(u16::MAX));
            while left > 0 {
                let n = left.min(ZEROS.len());
                c.bytes(ZEROS.get(..n)?)?;
                left = left.saturating_sub(n);
            }
            Some(())
        };
        if put(&mut self.out).is_none() {
            self.out.rewind(mark);
        }
    }

    /// Puts an item into the open section; `false` when it does not fit, and then nothing has changed.
    pub fn item(&mut self, item: &Item<'_>) -> bool {
        self.put_into_section(|c| item.write(c)).is_some()
    }

    /// As [`Self::item`], a status alone.
    #[inline]
    pub(crate) fn status(&mut self, id: NodeId, status: Status) -> bool {
        match item::short_status(status) {
            Some(last) => {
                self.put_into_section(|c| c.u64_u32_u8(id.as_u64(), status.incarnation().epoch(), last)).is_some()
            }
            None => self.item(&Item::status(id, status)),
        }
    }

    /// Puts something into the open section, or nothing of it.
    #[inline]
    fn put_into_section<T>(&mut self, put: impl FnOnce(&mut Cursor<'_>) -> Option<T>) -> Option<T> {
        debug_assert!(self.open.is_some(), "items live in sections");
        let (start, len_bytes) = self.open?;
        let mark = self.out.at();
        let done = put(&mut self.out);
        let body = self.out.at().saturating_sub(start).saturating_sub(len_bytes).saturating_sub(1);
        if done.is_none() || body > usize::from(u16::MAX) {
            self.out.rewind(mark);
            return None;
        }
        done
    }

    /// Puts an item when so many bytes stay free behind it.
    pub(crate) fn item_leaving(&mut self, free: usize, item: &Item<'_>) -> bool {
        let mark = self.out.at();
        let fits = self.item(item) && self.out.room() >= free;
        if !fits {
            self.out.rewind(mark);
        }
        fits
    }

    /// Closes the open section; an empty one vanishes.
    pub fn close_section(&mut self) {
        let Some((start, len_bytes)) = self.open.take() else { return };
        let body_at = start.saturating_add(1).saturating_add(len_bytes);
        let body = self.out.at().saturating_sub(body_at);
        if body == 0 {
            return self.out.rewind(start);
        }
        let need = varint_len(body as u64);
        let at = start.saturating_add(1);
        self.out.close_gap(at.saturating_add(need), body_at);
        let mut bytes = [0; 3];
        let mut c = Cursor::new(&mut bytes);
        if c.varint(body as u64).is_some() {
            let n = c.at();
            self.out.patch(at, bytes.get(..n).unwrap_or(&[]));
        }
    }

    /// Bytes written so far.
    pub fn written(&self) -> usize {
        self.out.at()
    }
}
