//! Writes one frame into the caller's buffer. Nothing that does not fit leaves a trace.

use super::codec::{Cursor, varint_len};
use super::item::{self, Item};
use super::{Message, kind};
use crate::status::{Incarnation, NodeId};

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

    /// Puts the message; `false` when it does not fit.
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
            Message::Pull { nonce, cursor } => {
                head(kind::PULL, 8)?;
                c.u32(nonce)?;
                c.u32(cursor)
            }
            Message::Page { nonce, next } => {
                head(kind::PAGE, 8)?;
                c.u32(nonce)?;
                c.u32(next)
            }
        }
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
        // The length is known when the section closes. Room is kept for the longest it can be.
        let len_bytes = varint_len(self.out.room().min(usize::from(u16::MAX)) as u64);
        let fits = self.out.u8(kind).is_some() && self.out.bytes([0; 3].get(..len_bytes).unwrap_or(&[])).is_some();
        if fits {
            self.open = Some((start, len_bytes));
        } else {
            self.out.rewind(start);
        }
        fits
    }

    /// Asks the receiver to introduce itself; the last section. `false` when it does not fit.
    pub fn ask_who(&mut self) -> bool {
        self.out.bytes(&[kind::WHO, 0]).is_some()
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
        debug_assert!(self.open.is_some(), "items live in sections");
        let Some((start, len_bytes)) = self.open else { return false };
        let mark = self.out.at();
        if item.write(&mut self.out).is_none() {
            return false;
        }
        let body = self.out.at().saturating_sub(start).saturating_sub(len_bytes).saturating_sub(1);
        if body > usize::from(u16::MAX) {
            self.out.rewind(mark);
            return false;
        }
        true
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
