//! Where a frame holds bytes that no node looks into: they can be replaced by others of the same length, and whoever reads the
//! frame does the same.

use alloc::vec::Vec;
use core::ops::Range;

use super::app::read_rumor;
use super::codec::Reader;
use super::state::{Change, StateItem};
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
    /// The key of an entry of a state, UTF-8.
    Key,
    /// The value of an entry of a state.
    Value,
    /// The topic of a rumor, UTF-8.
    Topic,
    /// The payload of a rumor.
    Payload,
    /// A message or a section of a kind that this version skips.
    Skipped,
}

/// Where the opaque bytes of a frame are, in order, empty ones left out; in every detail the name comes right before
/// the metadata, in every entry the key before the value, in every rumor the topic before the payload. As long as
/// lengths stay, and names, keys and topics remain UTF-8, the frame with others in their places is a frame that says
/// the same.
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
            kind::STATE => {
                while !body.is_empty() {
                    for entry in StateItem::read(&mut body)?.entries() {
                        found.push((Opaque::Key, place(bytes, entry.key.as_bytes())));
                        if let Change::Put { value, .. } = entry.change {
                            found.push((Opaque::Value, place(bytes, value)));
                        }
                    }
                }
            }
            kind::RUMORS => {
                while !body.is_empty() {
                    let rumor = read_rumor(&mut body)?;
                    found.push((Opaque::Topic, place(bytes, rumor.topic.as_bytes())));
                    found.push((Opaque::Payload, place(bytes, rumor.payload)));
                }
            }
            ..=kind::PROVE | kind::WHO..=kind::SUMMARIES | kind::KNOWN | kind::PROOF => {}
            _ => found.push((Opaque::Skipped, end.saturating_sub(len)..end)),
        }
    }
    found.retain(|(_, place)| !place.is_empty());
    Ok(found)
}

/// Where a part of these bytes is.
fn place(bytes: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    start..start.saturating_add(part.len())
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use alloc::vec;

    use super::*;
    use crate::node::Rumor;
    use crate::status::{Incarnation, NodeId, RumorId, State, Status};
    use crate::wire::{Detail, Message, More, StateEntry, StateHead, Writer};

    #[test]
    fn all_that_is_opaque_is_found() {
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
        assert!(w.ask_who(Some(1)));
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
        // Keys, values, topics and payloads.
        let mut w = Writer::new(&mut frame, NodeId::new(1), at, 7).unwrap();
        let put = |version, key, value, ttl_ms| StateEntry { version, key, change: Change::Put { value, ttl_ms } };
        let entries = [
            put(1, "key", b"value".as_slice(), None),
            put(2, "other", b"vanishes", Some(300)),
            put(3, "empty", b"", None),
            StateEntry { version: 4, key: "gone", change: Change::Delete { ttl_ms: 1 << 20 } },
        ];
        let head = StateHead { id: NodeId::new(9), epoch: 3, version: 4, gc: 0, from: 0 };
        assert!(w.message(Message::Delta { nonce: 1 }) && w.app_hash(0x6b65_7931) && w.open_states());
        assert!(w.state(&head, 100, entries.into_iter()).is_some());
        assert!(w.state(&StateHead { from: 2, ..head }, 100, entries.into_iter().skip(3)).is_some());
        w.close_section();
        let id = RumorId { origin: NodeId::new(9), epoch: 3, seq: 1 };
        assert!(
            w.open_rumors()
                && w.rumor(&Rumor { id, lamport: 1, age: Duration::ZERO, topic: "topic", payload: b"payload" })
        );
        assert!(w.rumor(&Rumor { id, lamport: 2, age: Duration::ZERO, topic: "", payload: b"more" }));
        w.close_section();
        assert!(w.known([(id, true)].into_iter()));
        let len = w.written();
        let found: Vec<_> = opaque(&frame[..len]).unwrap().into_iter().map(|(what, at)| (what, &frame[at])).collect();
        let all: Vec<(Opaque, &[u8])> = vec![
            (Opaque::Key, b"key"),
            (Opaque::Value, b"value"),
            (Opaque::Key, b"other"),
            (Opaque::Value, b"vanishes"),
            (Opaque::Key, b"empty"),
            (Opaque::Key, b"gone"),
            (Opaque::Key, b"gone"),
            (Opaque::Topic, b"topic"),
            (Opaque::Payload, b"payload"),
            (Opaque::Payload, b"more"),
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
