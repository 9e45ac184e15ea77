//! Rumors as the embedder receives them: each with its topic and payload, which the node itself keeps for a while only.
//!
//! Invariant: nothing is copied out of the node while nobody listens, and once for all who do.

use std::sync::Arc;
use std::time::Duration;

use swim_core::{Event, Node, Rumor, RumorId};

use crate::receives::receives;
use crate::ring::{Item, Ring, Subscription};
use crate::sync::Arc as SharedArc;

pub(crate) type RumorRing = Ring<Heard>;

/// A rumor that was broadcast by some member, or by this node itself. Cheap to clone: all subscribers share its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RumorView {
    id: RumorId,
    lamport: u64,
    age: Duration,
    topic: Arc<str>,
    payload: Arc<[u8]>,
}

impl RumorView {
    fn of(rumor: Rumor<'_>) -> Self {
        let Rumor { id, lamport, age, topic, payload } = rumor;
        Self { id, lamport, age, topic: topic.into(), payload: payload.into() }
    }

    /// Who has broadcast it, in which life, and its number there.
    pub fn id(&self) -> RumorId {
        self.id
    }

    /// Its origin's Lamport time. Sorted by ([`Self::lamport`], [`RumorId::origin`]), every rumor stands behind those that
    /// its origin had heard; they are received in any order.
    pub fn lamport(&self) -> u64 {
        self.lamport
    }

    /// How long ago it was broadcast when it came here, the time on the way to each that passed it on left out. Members that
    /// join late are told rumors up to `rumor_ttl` old.
    pub fn age(&self) -> Duration {
        self.age
    }

    /// What it is about.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What it says.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// What a subscription to rumors is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A rumor, once.
    Rumor(RumorView),
    /// Rumors were missed, because the subscriber was more than 1024 behind, or the node dropped events.
    Lagged {
        /// How many at most: those of other topics are among them, and where the node dropped events, events of all kinds.
        missed: u64,
    },
}

impl Item for Heard {
    /// A topic, or all.
    type Wanted = Option<Box<str>>;

    fn lagged(missed: u64) -> Self {
        Self::Lagged { missed }
    }

    fn weight(&self) -> u64 {
        match *self {
            Self::Rumor(_) => 1,
            Self::Lagged { missed } => missed,
        }
    }

    fn is_wanted(&self, wanted: &Self::Wanted) -> bool {
        match (self, wanted) {
            (Self::Rumor(rumor), Some(topic)) => *rumor.topic == **topic,
            (Self::Rumor(_), None) | (Self::Lagged { .. }, _) => true,
        }
    }
}

impl Heard {
    /// Whether subscribers to rumors are told anything of it.
    pub(crate) fn is_told_by(event: &Event) -> bool {
        matches!(event, Event::Rumor { .. } | Event::Lagged { .. })
    }

    /// What subscribers to rumors are told of these events, as long as the node keeps the rumors.
    pub(crate) fn in_events(events: &[Event], node: &Node, mut tell: impl FnMut(&[Self])) {
        for event in events {
            match *event {
                Event::Rumor { id } => {
                    let rumor = node.rumor(id).map(RumorView::of);
                    tell(&[rumor.map_or(Self::Lagged { missed: 1 }, Self::Rumor)]);
                }
                Event::Lagged { missed } => tell(&[Self::Lagged { missed }]),
                _ => {}
            }
        }
    }
}

/// A subscription to rumors, of one topic or all, from the moment it was made on.
///
/// Every subscription is given every rumor that it wants, and each once. One that is more than 1024 rumors behind, whatever
/// their topics, is given [`Heard::Lagged`] in place of those it has missed: they are lost for it. What has to be known later,
/// too, belongs into a node's state ([`crate::Handle::put`]).
///
/// After the last rumor of a driver that has ended, everything returns *closed*. A subscription does not keep the node in its
/// cluster; handles do.
#[derive(Debug)]
pub struct Rumors(Subscription<Heard>);

impl Rumors {
    pub(crate) fn new(ring: &SharedArc<RumorRing>, topic: Option<&str>) -> Self {
        Self(Subscription::new(ring, topic.map(Into::into)))
    }
}

receives!(Rumors, Heard, "rumor", "a rumor");

#[cfg(all(test, not(loom)))]
mod tests;
