//! Application data in frames: which rumors and which versions of whose state, keys and topics in text, and of values
//! and payloads their lengths.

use serde::Serialize;
use swim_core::wire::{self, Change, Frame, StateEntry, StateItem};
use swim_core::{Rumor, RumorId};

use super::{Names, Who};
use crate::json::Digits;

/// What a frame says of rumors and states; nothing in most of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppShown {
    /// What the sender's states and rumors add up to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_hash: Option<Digits<u32>>,
    /// All that the sender has of these members, with which it asks for more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<DigestShown>,
    /// How far the sender is with these members.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub summaries: Vec<SummaryShown>,
    /// What was written to states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<StateShown>,
    /// Rumors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rumors: Vec<RumorShown>,
    /// Feedback on rumors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownShown>,
}

/// All that the sender has of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DigestShown {
    /// The member.
    #[serde(flatten)]
    pub of: Who,
    /// The epoch of its incarnation.
    pub epoch: u32,
    /// The version of its state.
    pub version: u32,
    /// The newest version of a tombstone that was dropped.
    pub gc: u32,
    /// Its rumors up to this one are known.
    pub floor: u32,
    /// Those that are known above it, a bit for each.
    pub seen: Digits<u64>,
}

/// How far the sender is with one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SummaryShown {
    /// The member.
    #[serde(flatten)]
    pub of: Who,
    /// The epoch of its incarnation.
    pub epoch: u32,
    /// The version of its state.
    pub version: u32,
    /// Its newest rumor.
    pub last: u32,
    /// Its rumors up to this one have been seen, and are not kept.
    pub floor: u32,
}

/// A part of one member's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateShown {
    /// The member.
    #[serde(flatten)]
    pub of: Who,
    /// The epoch of its incarnation.
    pub epoch: u32,
    /// The newest version that the sender has.
    pub version: u32,
    /// The newest version of a tombstone that was dropped.
    pub gc: u32,
    /// The entries are those above this version,
    pub from: u32,
    /// up to this one.
    pub upto: u32,
    /// The entries.
    pub entries: Vec<EntryShown>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryShown {
    /// The version that it made.
    pub version: u32,
    /// Its key.
    pub key: String,
    /// Bytes of its value; `None`: it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_len: Option<usize>,
    /// After so many milliseconds it vanishes, or its tombstone does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// Which rumor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RumorOf {
    /// Who broadcast it.
    #[serde(flatten)]
    pub origin: Who,
    /// The epoch of the origin's incarnation then.
    pub epoch: u32,
    /// The how manieth of that epoch.
    pub seq: u32,
}

/// A rumor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RumorShown {
    /// Which one.
    #[serde(flatten)]
    pub of: RumorOf,
    /// The origin's Lamport time.
    pub lamport: Digits<u64>,
    /// How long before it was sent this was broadcast, in milliseconds.
    pub age_ms: u64,
    /// What it is about.
    pub topic: String,
    /// Bytes of what it says.
    pub payload_len: usize,
}

/// Feedback on a rumor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownShown {
    /// Which one.
    #[serde(flatten)]
    pub of: RumorOf,
    /// Whether it had been known.
    pub known: bool,
}

impl AppShown {
    pub(super) fn of(frame: &Frame<'_>, names: &Names) -> Self {
        let summary = |summary| {
            let wire::Summary { id, epoch, version, last, floor } = summary;
            SummaryShown { of: Who::of(id, names), epoch, version, last, floor }
        };
        let digest = |digest| {
            let wire::Digest { id, epoch, version, gc, floor, seen } = digest;
            DigestShown { of: Who::of(id, names), epoch, version, gc, floor, seen: Digits(seen) }
        };
        Self {
            app_hash: (frame.app_hash != 0).then_some(Digits(frame.app_hash)),
            digests: frame.digests().map(digest).collect(),
            summaries: frame.summaries().map(summary).collect(),
            states: frame.states().map(|item| StateShown::of(&item, names)).collect(),
            rumors: frame.rumors().map(|rumor| RumorShown::of(&rumor, names)).collect(),
            known: frame.known().map(|(id, known)| KnownShown { of: RumorOf::of(id, names), known }).collect(),
        }
    }

    /// All nodes that it speaks of.
    pub(super) fn speaks_of(&self) -> impl Iterator<Item = &Who> {
        let rumors = self.rumors.iter().map(|rumor| &rumor.of).chain(self.known.iter().map(|known| &known.of));
        let members =
            self.digests.iter().map(|digest| &digest.of).chain(self.summaries.iter().map(|summary| &summary.of));
        members.chain(self.states.iter().map(|state| &state.of)).chain(rumors.map(|rumor| &rumor.origin))
    }
}

impl StateShown {
    fn of(item: &StateItem<'_>, names: &Names) -> Self {
        let StateItem { id, epoch, version, gc, from, .. } = *item;
        let entries = item.entries().map(|entry| EntryShown::of(&entry)).collect();
        Self { of: Who::of(id, names), epoch, version, gc, from, upto: item.upto(), entries }
    }
}

impl EntryShown {
    fn of(entry: &StateEntry<'_>) -> Self {
        let (value_len, ttl_ms) = match entry.change {
            Change::Put { value, ttl_ms } => (Some(value.len()), ttl_ms),
            Change::Delete { ttl_ms } => (None, Some(ttl_ms)),
        };
        Self { version: entry.version, key: entry.key.into(), value_len, ttl_ms }
    }
}

impl RumorOf {
    fn of(id: RumorId, names: &Names) -> Self {
        Self { origin: Who::of(id.origin, names), epoch: id.epoch, seq: id.seq }
    }
}

impl RumorShown {
    fn of(rumor: &Rumor<'_>, names: &Names) -> Self {
        let Rumor { id, lamport, age, topic, payload } = *rumor;
        let (of, lamport) = (RumorOf::of(id, names), Digits(lamport));
        Self { of, lamport, age_ms: age.as_millis() as u64, topic: topic.into(), payload_len: payload.len() }
    }
}
