//! Events as the embedder receives them, from the [`Ring`] that all subscribers share.

use std::fmt;

use swim_core::Event;

use crate::receives::receives;
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
}

receives!(Events, Event, "event", "an event");

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
