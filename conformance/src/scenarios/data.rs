//! What scenarios about states and rumors look at.

use std::collections::BTreeSet;
use std::time::Duration;

use swim_core::{Event, RumorId};
use swim_driver::{Heard, RumorView, Rumors};

use crate::{Harness, Inspect, Mark, Peer};

/// Has this node write an entry of its state, now.
pub(super) fn put<H: Harness>(h: &mut H, p: Peer, key: &str, value: &[u8]) {
    h.handle(p).put(key, value).expect("it has room for the entry");
    h.run(Duration::ZERO);
}

/// Has this node delete an entry of its state, now.
pub(super) fn delete<H: Harness>(h: &mut H, p: Peer, key: &str) {
    h.handle(p).delete(key).expect("a node that runs takes a command");
    h.run(Duration::ZERO);
}

/// Has this node broadcast a rumor, now.
pub(super) fn broadcast<H: Harness>(h: &mut H, p: Peer, topic: &str, payload: &[u8]) {
    h.handle(p).broadcast(topic, payload).expect("it can be sent");
    h.run(Duration::ZERO);
}

/// What `at` reads under this key of `of`.
pub(super) fn value<H: Harness>(h: &H, at: Peer, of: Peer, key: &str) -> Option<Vec<u8>> {
    h.view(at).member(h.id(of)).and_then(|row| row.get(key).map(<[u8]>::to_vec))
}

/// Whether all of these read this under that key of that one.
pub(super) fn all_have<H: Harness>(h: &H, these: &[Peer], of: Peer, key: &str, expected: Option<&[u8]>) -> bool {
    let id = h.id(of);
    these.iter().all(|&p| h.view(p).member(id).and_then(|row| row.get(key)) == expected)
}

/// The rumors that a node has been told of since that moment, its own included, in their order.
pub(super) fn rumors<H: Harness>(h: &H, p: Peer, mark: &Mark) -> Vec<RumorId> {
    let told = |e: &Event| if let Event::Rumor { id } = *e { Some(id) } else { None };
    h.since(p, mark).iter().filter_map(told).collect()
}

/// How many rumors these are, none of which is there twice.
pub(super) fn all_different(ids: &[RumorId]) -> usize {
    let distinct: BTreeSet<RumorId> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "a rumor was delivered twice");
    ids.len()
}

/// Whether all of these hold the same states and rumors, told by their hashes.
pub(super) fn data_agrees<H: Inspect>(h: &H, nodes: &[Peer]) -> bool {
    nodes.windows(2).all(|pair| h.node(pair[0]).app_hash() == h.node(pair[1]).app_hash())
}

/// Whether none of these tells anybody anything of states or rumors.
pub(super) fn data_is_quiet<H: Inspect>(h: &H, nodes: &[Peer]) -> bool {
    nodes.iter().all(|&p| h.node(p).states_queued() == 0 && h.node(p).rumors_hot() == 0)
}

/// A subscriber to all rumors of a node, who reads as often as it is asked.
pub(super) struct Ear {
    rumors: Rumors,
    heard: Vec<RumorView>,
}

impl Ear {
    /// From now on.
    pub(super) fn at<H: Harness>(h: &H, p: Peer) -> Self {
        Self { rumors: h.handle(p).rumors(None), heard: Vec::new() }
    }

    /// One for each of these.
    pub(super) fn at_all<H: Harness>(h: &H, these: &[Peer]) -> Vec<Self> {
        these.iter().map(|&p| Self::at(h, p)).collect()
    }

    /// All that has come so far.
    pub(super) fn heard(&mut self) -> &[RumorView] {
        while let Ok(heard) = self.rumors.try_recv() {
            match heard {
                Heard::Rumor(rumor) => self.heard.push(rumor),
                Heard::Lagged { missed } => panic!("it was read too seldom: {missed} are lost"),
            }
        }
        &self.heard
    }

    /// How often a rumor of this topic and payload has come.
    pub(super) fn times(&mut self, topic: &str, payload: &[u8]) -> usize {
        self.heard().iter().filter(|r| (r.topic(), r.payload()) == (topic, payload)).count()
    }
}
