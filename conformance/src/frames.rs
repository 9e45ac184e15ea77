//! Frames that a scenario forges.

use std::net::SocketAddr;

use swim_core::wire::{Accusers, Detail, Item, Message, More, StateEntry, StateHead, Writer};
use swim_core::{Incarnation, NodeId, Rumor, State, Status};

/// A frame by this sender, at this incarnation, with these updates.
pub fn frame(sender: NodeId, incarnation: Incarnation, message: Option<Message>, updates: &[Item<'_>]) -> Vec<u8> {
    let mut buf = vec![0; 65_000];
    let mut w = Writer::new(&mut buf, sender, incarnation, 0).expect("a head fits into 65 kB");
    assert!(message.is_none_or(|m| w.message(m)), "a message fits into 65 kB");
    if !updates.is_empty() {
        assert!(w.open_updates() && updates.iter().all(|item| w.item(item)), "too many updates for a datagram");
        w.close_section();
    }
    let written = w.written();
    buf.truncate(written);
    buf
}

/// The claim that this member is in this state, by these accusers if there are any.
pub fn claim(id: NodeId, incarnation: Incarnation, state: State, accusers: &[NodeId]) -> Item<'_> {
    let more = Accusers::new(accusers).map_or(More::Status, More::Accused);
    Item { id, status: Status::new(incarnation, state), more }
}

/// What a member without metadata has written about itself at this incarnation.
pub fn detail(at: Incarnation, addr: SocketAddr, name: &str) -> Detail<'_> {
    Detail { at, addr, name, meta: b"" }
}

/// The claim that this member lives, with what it has written about itself.
pub fn alive<'a>(id: NodeId, incarnation: Incarnation, detail: Detail<'a>) -> Item<'a> {
    Item { id, status: Status::alive(incarnation), more: More::Detail(detail) }
}

/// What the updates in this frame say of a member.
pub fn says(frame: &swim_core::wire::Frame<'_>, id: NodeId) -> Option<Status> {
    frame.updates().find(|item| item.id == id).map(|item| item.status)
}

/// A frame by this sender with these rumors.
pub fn rumor_frame(sender: NodeId, incarnation: Incarnation, rumors: &[Rumor<'_>]) -> Vec<u8> {
    written(sender, incarnation, |w| {
        assert!(w.open_rumors() && rumors.iter().all(|rumor| w.rumor(rumor)), "too many rumors for a datagram");
        w.close_section();
    })
}

/// A frame by this sender with a delta of somebody's state: all of it, in these entries.
pub fn state_frame(sender: NodeId, incarnation: Incarnation, head: &StateHead, entries: &[StateEntry<'_>]) -> Vec<u8> {
    written(sender, incarnation, |w| {
        let all = w.open_states() && w.state(head, usize::MAX, entries.iter().copied()) == Some(head.version);
        assert!(all, "too many entries for a datagram");
        w.close_section();
    })
}

fn written(sender: NodeId, incarnation: Incarnation, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = vec![0; 65_000];
    let mut w = Writer::new(&mut buf, sender, incarnation, 0).expect("a head fits into 65 kB");
    write(&mut w);
    let written = w.written();
    buf.truncate(written);
    buf
}
