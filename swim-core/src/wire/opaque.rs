//! Where a frame holds bytes that no node looks into: they can be replaced by others of the same length, and whoever reads the
//! frame does the same.

use alloc::vec::Vec;
use core::ops::Range;

use super::codec::Reader;
use super::{DecodeError, Frame, Item, kind};

/// Bytes that nodes carry, compare for equality, and otherwise never look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Opaque {
    /// The name in a profile, UTF-8.
    Name,
    /// The metadata in a profile.
    Meta,
    /// The name of the cluster, UTF-8. It is in no frame.
    Cluster,
    /// A message or a section of a kind that this version skips.
    Skipped,
}

/// Where the opaque bytes of a frame are, in order, empty ones left out; in every detail the name comes right before the
/// metadata. As long as lengths stay and names remain UTF-8, the frame with others in their places is a frame that says the
/// same.
///
/// # Errors
/// [`DecodeError`] when the bytes are not exactly one frame.
pub fn opaque(bytes: &[u8]) -> Result<Vec<(Opaque, Range<usize>)>, DecodeError> {
    Frame::parse(bytes)?;
    let mut found = Vec::new();
    let mut r = Reader::new(bytes);
    r.u64()?;
    super::item::read_incarnation(&mut r)?;
    r.u64()?;
    while !r.is_empty() {
        let kind = r.u8()?;
        let len = r.varint(u64::from(u16::MAX))? as usize;
        let end = bytes.len().saturating_sub(r.rest().len()).saturating_add(len);
        let mut body = Reader::new(r.bytes(len)?);
        match kind {
            kind::UPDATES | kind::ROWS => {
                while !body.is_empty() {
                    let detail = Item::read(&mut body)?.detail();
                    let behind = end.saturating_sub(body.rest().len());
                    // An item ends with its metadata, before which are its length and the name.
                    if let Some(detail) = detail {
                        let meta = behind.saturating_sub(detail.meta.len())..behind;
                        let length = super::codec::varint_len(detail.meta.len() as u64);
                        let name_end = meta.start.saturating_sub(length);
                        found.push((Opaque::Name, name_end.saturating_sub(detail.name.len())..name_end));
                        found.push((Opaque::Meta, meta));
                    }
                }
            }
            ..=kind::PUSH | kind::WHO..=kind::WANTED => {}
            _ => found.push((Opaque::Skipped, end.saturating_sub(len)..end)),
        }
    }
    found.retain(|(_, place)| !place.is_empty());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::status::{Incarnation, NodeId, State, Status};
    use crate::wire::{Detail, Message, More, Writer};

    #[test]
    fn every_name_and_all_metadata_are_found() {
        let at = Incarnation::new(3, 1);
        let item = |name: &'static str, meta: &'static [u8], addr: &str| {
            let detail = Detail { at, addr: addr.parse().unwrap(), name, meta };
            Item { id: NodeId::new(9), status: Status::new(at, State::Alive), more: More::Detail(detail) }
        };
        let mut frame = [0; 800];
        let mut w = Writer::new(&mut frame, NodeId::new(1), at, 7).unwrap();
        assert!(w.message(Message::Pull { nonce: 1 }));
        assert!(w.open_updates());
        assert!(w.item(&item("updated", &[b'm'; 200], "10.0.0.1:1")));
        assert!(w.item(&Item::status(NodeId::new(4), Status::alive(at))));
        w.close_section();
        assert!(w.open_rows());
        assert!(w.item(&item("row", b"", "[2001:db8::1]:2")) && w.item(&item("", b"x", "10.0.0.1:3")));
        w.close_section();
        assert!(w.ask_who());
        let len = w.written();
        let bytes = [&frame[..len], &[200, 3], b"new"].concat();
        let found: Vec<_> = opaque(&bytes).unwrap().into_iter().map(|(what, at)| (what, &bytes[at])).collect();
        let all: Vec<(Opaque, &[u8])> = vec![
            (Opaque::Name, b"updated"),
            (Opaque::Meta, &[b'm'; 200]),
            (Opaque::Name, b"row"),
            (Opaque::Meta, b"x"),
            (Opaque::Skipped, b"new"),
        ];
        assert_eq!(found, all);
        // A message of a later version.
        let mut w = Writer::new(&mut frame, NodeId::new(1), at, 7).unwrap();
        assert!(w.message(Message::Ack { nonce: 1 }));
        let head = w.written() - 6;
        let bytes = [&frame[..head], &[15, 2, 1, 2]].concat();
        assert_eq!(opaque(&bytes), Ok(vec![(Opaque::Skipped, head + 2..head + 4)]));
        assert_eq!(opaque(&bytes[1..]), Err(Frame::parse(&bytes[1..]).unwrap_err()));
    }
}
