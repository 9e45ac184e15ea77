//! Rumors as the embedder receives them: each with its topic and payload, which the node itself keeps for a while only.
//!
//! Invariant: nothing is copied out of the node while nobody listens, and once for all who do.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use swim_core::{Event, Node, Rumor, RumorId};

use crate::events::{RecvError, RecvTimeoutError, TryRecvError};
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

    /// The next rumor, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none now, [`TryRecvError::Closed`] when there will be none any more.
    pub fn try_recv(&mut self) -> Result<Heard, TryRecvError> {
        self.0.try_recv()
    }

    /// The next rumor; blocks the thread until it comes.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn recv(&mut self) -> Result<Heard, RecvError> {
        self.0.recv()
    }

    /// The next rumor; blocks the thread until it comes, but no longer than `timeout`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when none came in time, [`RecvTimeoutError::Closed`] when there will be none any
    /// more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Heard, RecvTimeoutError> {
        self.0.recv_timeout(timeout)
    }

    /// The next rumor; the task waits until it comes.
    ///
    /// May be given up at any time, in a `select!` for example: a rumor is received by whoever was ready, or by the next call.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub async fn recv_async(&mut self) -> Result<Heard, RecvError> {
        self.0.recv_async().await
    }

    /// The next rumor; when there is none yet the task is woken when it comes. The last task that has asked is the one that
    /// is woken.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, RecvError>> {
        self.0.poll_recv(cx)
    }
}

/// All rumors, until there will be none any more.
impl Stream for Rumors {
    type Item = Heard;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        self.poll_recv(cx).map(Result::ok)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
