//! The two frames that nearly all are while nothing is new: a ping and an ack, with nothing beside but the hash of states and
//! rumors. They are read and written in one step each; what they are is what [`Frame`](super::Frame) and
//! [`Writer`](super::Writer) say, and tests hold them against these.

use super::codec::{Cursor, Reader};
use super::{Message, kind};
use crate::status::{Incarnation, NodeId};

/// Bytes of the head with an incarnation below [`SHORT`], and of an ack behind it, the shorter of the two messages.
const HEAD: usize = 21;
const ACK: usize = HEAD + 2 + ACK_LEN as usize;
const ACK_LEN: u8 = 4;
const PING_LEN: u8 = 12;
/// Bytes of the section of the hash.
const HASH: usize = 6;

/// Refutations below this take one byte.
const SHORT: u32 = 0x80;

/// A ping or an ack, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) sender: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) view_hash: u64,
    /// 0 when there is none.
    pub(crate) app_hash: u32,
    pub(crate) message: Message,
}

impl Probe {
    /// The ping or ack that these bytes are; `None` when they are anything else, or written at greater length.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        // One look at the length of the shorter one; the others are folded away.
        let (start, rest) = bytes.split_first_chunk::<ACK>()?;
        let r = &mut Reader::new(start);
        let (sender, epoch, refutations) = (r.u64().ok()?, r.u32().ok()?, u32::from(r.u8().ok()?));
        let (view_hash, head) = (r.u64().ok()?, r.array().ok()?);
        let first = r.u32().ok()?;
        let (message, rest) = match (head, rest) {
            ([kind::ACK, ACK_LEN], rest) => (Message::Ack { nonce: first }, rest),
            ([kind::PING, PING_LEN], rest) => {
                let (more, rest) = rest.split_first_chunk::<8>()?;
                let r = &mut Reader::new(more);
                let target = NodeId::new(u64::from(first) | u64::from(r.u32().ok()?) << 32);
                (Message::Ping { target, nonce: r.u32().ok()? }, rest)
            }
            _ => return None,
        };
        let app_hash = match rest {
            [] => 0,
            [kind::APP, 4, a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
            _ => return None,
        };
        let plain = refutations < SHORT && (app_hash != 0 || rest.is_empty());
        let (sender, incarnation) = (NodeId::new(sender), Incarnation::new(epoch, refutations));
        plain.then_some(Self { sender, incarnation, view_hash, app_hash, message })
    }
}

/// Writes an ack with nothing beside it, and returns its length; `None` when it would be longer than usual, or does not fit.
#[inline]
pub(crate) fn write_ack(
    buf: &mut [u8],
    (sender, incarnation): (NodeId, Incarnation),
    (view_hash, app_hash): (u64, u32),
    nonce: u32,
) -> Option<usize> {
    let c = &mut Cursor::new(buf.first_chunk_mut::<{ ACK + HASH }>()?);
    let refutations = u8::try_from(incarnation.refutations()).ok().filter(|&r| u32::from(r) < SHORT)?;
    c.u64(sender.as_u64())?;
    c.u32(incarnation.epoch())?;
    c.u8(refutations)?;
    c.u64(view_hash)?;
    c.bytes(&[kind::ACK, ACK_LEN])?;
    c.u32(nonce)?;
    if app_hash != 0 {
        c.bytes(&[kind::APP, 4])?;
        c.u32(app_hash)?;
    }
    Some(c.at())
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::QuickCheck;

    use super::*;
    use crate::wire::{Frame, Writer};

    fn written(me: (u64, u32, u32), hashes: (u64, u32), message: Message) -> Vec<u8> {
        let mut buf = [0; 64];
        let (sender, incarnation) = (NodeId::new(me.0), Incarnation::new(me.1, me.2));
        let mut w = Writer::new(&mut buf, sender, incarnation, hashes.0).unwrap();
        assert!(w.message(message) && w.app_hash(hashes.1));
        let len = w.written();
        buf[..len].to_vec()
    }

    #[test]
    fn what_is_read_is_what_the_decoder_says() {
        fn same(me: (u64, u32, u8), hashes: (u64, u32), target: u64, nonce: u32, flip: (bool, u8, u8)) -> bool {
            let (target, me) = (NodeId::new(target), (me.0, me.1, u32::from(me.2)));
            let message = if flip.0 { Message::Ping { target, nonce } } else { Message::Ack { nonce } };
            let mut bytes = written(me, hashes, message);
            let whole = Probe::read(&bytes);
            let (sender, incarnation) = (NodeId::new(me.0), Incarnation::new(me.1, me.2));
            let probe = Probe { sender, incarnation, view_hash: hashes.0, app_hash: hashes.1, message };
            // Changed in one byte, or cut off, it is what the decoder says, or left to the decoder.
            let at = usize::from(flip.1) % bytes.len();
            bytes[at] ^= flip.2;
            let agrees = |bytes: &[u8]| {
                let Some(p) = Probe::read(bytes) else { return true };
                let f = Frame::parse(bytes).unwrap();
                (f.sender, f.incarnation, f.view_hash) == (p.sender, p.incarnation, p.view_hash)
                    && (f.message, f.app_hash) == (Some(p.message), p.app_hash)
                    && !f.asks_who
                    && f.updates().is_empty()
                    && f.rows().is_empty()
                    && !f.has_app()
            };
            whole == (me.2 < SHORT).then_some(probe) && agrees(&bytes) && agrees(&bytes[..at])
        }
        let same = same as fn((u64, u32, u8), (u64, u32), u64, u32, (bool, u8, u8)) -> bool;
        QuickCheck::new().tests(crate::cases(2_000)).quickcheck(same);
    }

    #[test]
    fn an_ack_is_what_the_writer_writes() {
        fn same(me: (u64, u32, u8), hashes: (u64, u32), nonce: u32, room: u8) -> bool {
            let me = (me.0, me.1, u32::from(me.2));
            let mut buf = [0; 64];
            let room = usize::from(room) % 64;
            let by = (NodeId::new(me.0), Incarnation::new(me.1, me.2));
            let short = write_ack(&mut buf[..room], by, hashes, nonce);
            let long = written(me, hashes, Message::Ack { nonce });
            match short {
                Some(len) => buf[..len] == long[..],
                None => me.2 >= SHORT || room < ACK + HASH,
            }
        }
        QuickCheck::new()
            .tests(crate::cases(1_000))
            .quickcheck(same as fn((u64, u32, u8), (u64, u32), u32, u8) -> bool);
    }
}
