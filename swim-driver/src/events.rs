//! Events as the embedder receives them, from the [`Ring`] that all subscribers share.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use swim_core::Event;

use crate::ring::{Item, Ring, Subscription};
use crate::sync::Arc;

pub(crate) type EventRing = Ring<Event>;

impl Item for Event {
    type Wanted = ();

    fn lagged(missed: u64) -> Self {
        Self::Lagged { missed }
    }

    /// The node's own gaps count with what they stand for.
    fn weight(&self) -> u64 {
        match *self {
            Self::Lagged { missed } => missed,
            _ => 1,
        }
    }

    fn is_wanted(&self, (): &()) -> bool {
        true
    }
}

/// A subscription to a node's events, from the moment it was made on.
///
/// Every subscription is given every event. One that is more than 1024 events behind is given [`Event::Lagged`] in place
/// of those it has missed; then read [`crate::Handle::view`] afresh. Whoever subscribes first and reads the view then
/// misses nothing between the two. When an event is received, the view contains its effect already (as far as it
/// shows members at all: [`crate::Setup::publish_members`]).
///
/// After the last event of a driver that has ended, everything returns *closed*. A subscription does not keep the node
/// in its cluster; handles do.
#[derive(Debug)]
pub struct Events(Subscription<Event>);

impl Events {
    pub(crate) fn new(ring: &Arc<EventRing>) -> Self {
        Self(Subscription::new(ring, ()))
    }

    /// The next event, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none now, [`TryRecvError::Closed`] when there will be none any more.
    pub fn try_recv(&mut self) -> Result<Event, TryRecvError> {
        self.0.try_recv()
    }

    /// The next event; blocks the thread until it comes.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn recv(&mut self) -> Result<Event, RecvError> {
        self.0.recv()
    }

    /// The next event; blocks the thread until it comes, but no longer than `timeout`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when none came in time, [`RecvTimeoutError::Closed`] when there will be none any
    /// more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        self.0.recv_timeout(timeout)
    }

    /// The next event; the task waits until it comes.
    ///
    /// May be given up at any time, in a `select!` for example: an event is received by whoever was ready, or by the next
    /// call.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub async fn recv_async(&mut self) -> Result<Event, RecvError> {
        self.0.recv_async().await
    }

    /// The next event; when there is none yet the task is woken when it comes. The last task that has asked is the one that
    /// is woken.
    ///
    /// # Errors
    /// [`RecvError`] when there will be none any more.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, RecvError>> {
        self.0.poll_recv(cx)
    }
}

/// All events, until there will be none any more.
impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_recv(cx).map(Result::ok)
    }
}

/// Why there is nothing to receive now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryRecvError {
    /// None has come since the last.
    Empty,
    /// The driver has ended and all that it had to tell was received.
    Closed,
}

/// Why nothing was received in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecvTimeoutError {
    /// None came in time.
    Timeout,
    /// The driver has ended and all that it had to tell was received.
    Closed,
}

/// The driver has ended and all that it had to tell was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecvError;

const CLOSED: &str = "the driver has ended, and nothing comes any more";

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing has come since the last",
            Self::Closed => CLOSED,
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "nothing came in time",
            Self::Closed => CLOSED,
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl std::error::Error for TryRecvError {}
impl std::error::Error for RecvTimeoutError {}
impl std::error::Error for RecvError {}
