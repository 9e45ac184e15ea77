//! Frames about states and rumors, as a peer would write them.

use std::time::Duration;

use swim_core::Rumor;
use swim_core::wire::{Change, Digest, Message, StateEntry, StateHead, Summary};

use super::{EPOCH, Peer, written};

/// The first of what is in front of a delta of this peer's state, from its start to this version.
pub fn head_of(p: &Peer, version: u32) -> StateHead {
    StateHead { id: p.id, epoch: p.incarnation.epoch(), version, gc: 0, from: 0 }
}

/// An entry that puts this value.
pub fn entry<'a>(version: u32, key: &'a str, value: &'a [u8]) -> StateEntry<'a> {
    StateEntry { version, key, change: Change::Put { value, ttl_ms: None } }
}

/// A delta of somebody's state by this peer; an answer to a digest when it has a nonce. All entries fit.
pub fn delta(p: &Peer, nonce: Option<u32>, head: &StateHead, entries: &[StateEntry<'_>]) -> Vec<u8> {
    written(p, |w| {
        assert!(nonce.is_none_or(|nonce| w.message(Message::Delta { nonce })));
        assert!(w.open_states());
        assert!(w.state(head, usize::MAX, entries.iter().copied()).is_some(), "too many entries for a datagram");
        w.close_section();
    })
}

/// A rumor of this peer's epoch.
pub fn rumor_of<'a>(p: &Peer, seq: u32, lamport: u64, payload: &'a [u8]) -> Rumor<'a> {
    let id = swim_core::RumorId { origin: p.id, epoch: EPOCH, seq };
    Rumor { id, lamport, age: Duration::ZERO, topic: "t", payload }
}

/// Rumors, told by this peer.
pub fn rumors(p: &Peer, rumors: &[Rumor<'_>]) -> Vec<u8> {
    written(p, |w| {
        assert!(w.open_rumors() && rumors.iter().all(|rumor| w.rumor(rumor)));
        w.close_section();
    })
}

/// A question by this peer.
pub fn digest(p: &Peer, nonce: u32, digests: &[Digest]) -> Vec<u8> {
    written(p, |w| assert!(w.digest(nonce, digests.iter().copied())))
}

/// A digest of one that has nothing of this peer.
pub fn nothing_of(p: &Peer) -> Digest {
    Digest { id: p.id, epoch: p.incarnation.epoch(), version: 0, gc: 0, floor: 0, seen: 0 }
}

/// How far this peer is with others; the answer to a digest when it has a nonce.
pub fn summaries(p: &Peer, nonce: Option<u32>, summaries: &[Summary]) -> Vec<u8> {
    written(p, |w| {
        assert!(nonce.is_none_or(|nonce| w.message(Message::Delta { nonce })));
        assert!(w.summaries(summaries.iter().copied()));
    })
}
